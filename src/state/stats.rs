//! How calls have come out since the module was loaded.

use std::collections::BTreeMap;
use std::sync::Mutex;

use pinset::audit::stats::{Counts, Stats};
use pinset::Status;

use crate::sync::lock::lock;

static STATS: Mutex<Stats> = Mutex::new(Stats::new());

/// Counts one call of this PIN set or list.
pub fn count(name: &str, outcome: Status, entries: u32) {
    let mut stats = lock(&STATS);
    stats.count(name, outcome, entries);
}

/// What is counted of this PIN set or list.
pub fn of(name: &str) -> Counts {
    let stats = lock(&STATS);
    stats.all().get(name).cloned().unwrap_or_default()
}

/// All that is counted, by the names of PIN sets and lists.
pub fn all() -> BTreeMap<String, Counts> {
    let stats = lock(&STATS);
    stats.all().clone()
}

/// Begins anew.
pub fn clear() {
    *lock(&STATS) = Stats::new();
}
