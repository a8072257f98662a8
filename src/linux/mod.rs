//! Files and mounts, from the Linux kernel.

pub mod cached_stat;
pub mod mounts;
