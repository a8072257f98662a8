//! Slots for work that takes a processor for long.

use std::time::Duration;

use parking_lot::{Condvar, Mutex};

/// Longest wait of an entry for its hash. A PBX does not wait longer for the answer.
const HASH_TIMEOUT: Duration = Duration::from_secs(10);

/// A semaphore: a limited number of threads run at once, the others wait.
pub(super) struct Slots {
    free: Mutex<usize>,
    freed: Condvar,
}

impl Slots {
    pub(super) fn new(count: usize) -> Self {
        Self {
            free: Mutex::new(count),
            freed: Condvar::new(),
        }
    }

    /// Runs `what` when a slot is free. Returns `None` if none was free in time.
    pub(super) fn with<T>(&self, what: impl FnOnce() -> T) -> Option<T> {
        let mut free = self.free.lock();
        let late = self
            .freed
            .wait_while_for(&mut free, |free| *free == 0, HASH_TIMEOUT);
        if late.timed_out() && *free == 0 {
            return None;
        }
        *free -= 1;
        drop(free);
        let _slot = Slot(self);
        Some(what())
    }
}

/// A taken slot. Dropping it, even during a panic, frees the slot.
struct Slot<'a>(&'a Slots);

impl Drop for Slot<'_> {
    fn drop(&mut self) {
        *self.0.free.lock() += 1;
        self.0.freed.notify_one();
    }
}
