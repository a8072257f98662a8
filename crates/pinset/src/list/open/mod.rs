//! Opening a PIN file without waiting for a file system that hangs.

pub mod file;
pub mod path_walk;
