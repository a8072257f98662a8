//! Locks, and results of other threads.

pub(crate) mod lock;
pub(crate) mod oneshot;
