//! Locks, and results of other threads.

pub mod lock;
pub mod oneshot;
