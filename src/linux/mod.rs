//! Files and mounts, from the Linux kernel.

pub(crate) mod cached_stat;
pub(crate) mod mounts;
