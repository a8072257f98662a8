//! The time for which an entry may wait for a database.

use std::cell::Cell;
use std::time::Duration;

/// How long the steps of an entry may wait for the database together. Time in which it
/// is not waited for, as for a hash, does not count.
pub struct EntryBudget {
    timeout: Duration,
    spent: Cell<Duration>,
}

impl EntryBudget {
    /// Returns a budget of which nothing is spent.
    pub fn new(timeout: Duration) -> Self {
        Self {
            timeout,
            spent: Cell::new(Duration::ZERO),
        }
    }

    /// The whole of it.
    pub fn timeout(&self) -> Duration {
        self.timeout
    }

    /// What is left of it.
    pub fn left(&self) -> Duration {
        self.timeout.saturating_sub(self.spent.get())
    }

    /// Takes from it what a step has waited.
    pub fn spend(&self, waited: Duration) {
        self.spent.set(self.spent.get() + waited);
    }

    /// Makes it whole again: another entry begins.
    pub fn begin(&self) {
        self.spent.set(Duration::ZERO);
    }
}
