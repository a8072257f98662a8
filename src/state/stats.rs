//! Counts of call outcomes since the module was loaded.

use std::collections::BTreeMap;
use std::sync::Mutex;

use pinset::audit::stats::{Counts, Stats};
use pinset::Status;

use crate::sync::lock::lock;

static STATS: Mutex<Stats> = Mutex::new(Stats::new());

/// Counts one call of this PIN set or source.
pub(crate) fn count(name: &str, outcome: Status, attempts: u32) {
    let mut stats = lock(&STATS);
    stats.count(name, outcome, attempts);
}

/// Returns the counts of this PIN set or source.
pub(crate) fn of(name: &str) -> Counts {
    let stats = lock(&STATS);
    stats.all().get(name).cloned().unwrap_or_default()
}

/// Returns all counts, by the names of PIN sets and sources.
pub(crate) fn all() -> BTreeMap<String, Counts> {
    let stats = lock(&STATS);
    stats.all().clone()
}

/// Clears the counts.
pub(crate) fn clear() {
    *lock(&STATS) = Stats::new();
}
