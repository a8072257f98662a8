//! Work on other threads, and waiting for it while the channel is serviced.

pub mod oneshot;
