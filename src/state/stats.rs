//! How calls have come out since the module was loaded.

use std::collections::BTreeMap;
use std::sync::{Mutex, PoisonError};

use pinset::audit::stats::{Counts, Stats};
use pinset::Status;

static STATS: Mutex<Stats> = Mutex::new(Stats::new());

/// Counts one call of this PIN set or list.
pub fn count(name: &str, outcome: Status, entries: u32) {
    let mut stats = STATS.lock().unwrap_or_else(PoisonError::into_inner);
    stats.count(name, outcome, entries);
}

/// What is counted of this PIN set or list.
pub fn of(name: &str) -> Counts {
    let stats = STATS.lock().unwrap_or_else(PoisonError::into_inner);
    stats.all().get(name).cloned().unwrap_or_default()
}

/// All that is counted, by the names of PIN sets and lists.
pub fn all() -> BTreeMap<String, Counts> {
    let stats = STATS.lock().unwrap_or_else(PoisonError::into_inner);
    stats.all().clone()
}

/// Begins anew.
pub fn forget() {
    *STATS.lock().unwrap_or_else(PoisonError::into_inner) = Stats::new();
}
