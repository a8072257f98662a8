//! Opening a PIN file without waiting for a file system that hangs.

pub mod cached_stat;
pub mod file;
pub mod mount_table;
pub mod path_walk;
