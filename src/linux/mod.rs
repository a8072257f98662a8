//! Linux itself, not Asterisk: what the kernel knows of files and mounts.

pub mod cached_stat;
pub mod mounts;
