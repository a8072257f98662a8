//! What Prometheus is told, where `res_prometheus` runs: outcomes and entries
//! since the module was loaded, and the locks that stand.

use std::collections::BTreeMap;
use std::sync::Mutex;

use pinset::admin::Metric;
use pinset::lockout::Kind;
use pinset::Status;

use super::queries;
use crate::asterisk::schedule::Schedule;
use crate::asterisk::{process, prometheus};
use crate::state::{lockouts, stats};
use crate::sync::lock::{lock, try_lock};

/// How often we look whether Asterisk has started, in milliseconds.
const LOOK_EVERY: i32 = 1000;

/// While Asterisk starts: which modules run is known when it has.
static STARTING: Mutex<Option<Schedule>> = Mutex::new(None);

/// Held while we look on the scheduler's thread. Asterisk's lock on its modules
/// is waited for there, which whoever unloads us holds.
static LOOK: Mutex<()> = Mutex::new(());

/// Has Prometheus told from now on, if `res_prometheus` runs; while Asterisk
/// starts, once it has. To be called when the module is loaded or reloaded.
pub fn start() {
    if process::is_booted() {
        prometheus::connect(scrape);
        return;
    }
    let mut starting = lock(&STARTING);
    if starting.is_none() {
        *starting = Schedule::new().filter(|schedule| schedule.add(LOOK_EVERY, look));
    }
}

/// The scheduler's call: true to be called again.
fn look() -> bool {
    if !process::is_booted() {
        return true;
    }
    let Some(_look) = hold_off() else {
        return true;
    };
    prometheus::connect(scrape);
    false
}

/// Keeps the scheduler's thread from looking, as long as what is returned is
/// held; `None`: it is at it.
pub fn hold_off() -> Option<impl Sized> {
    try_lock(&LOOK)
}

/// Tells nobody any more; then nothing of ours is inside, nor will it be.
pub fn shutdown() {
    // Joins the scheduler's thread, which does not look: it is held off.
    let schedule = lock(&STARTING).take();
    drop(schedule);
    prometheus::disconnect();
}

/// In Prometheus' text format.
fn scrape() -> String {
    let mut locks = BTreeMap::<_, u64>::new();
    for held in lockouts::held(None) {
        *locks.entry((held.pin_set, held.kind)).or_default() += 1;
    }
    // What is configured is there from the beginning, at nothing.
    let mut counts = stats::all();
    let locked = locks.keys().map(|(name, _)| name.clone());
    for name in queries::names().into_iter().chain(locked) {
        counts.entry(name).or_default();
    }
    let mut outcomes = Metric::new(
        "asterisk_authenticate_outcomes_total",
        "counter",
        "Calls of Authenticate by how they came out.",
    );
    let mut entries = Metric::new(
        "asterisk_authenticate_entries_total",
        "counter",
        "Entries that Authenticate has judged.",
    );
    let mut usable = Metric::new(
        "asterisk_authenticate_pinset_usable",
        "gauge",
        "Whether a PIN set can admit anybody, as far as is known: 1 or 0.",
    );
    for set in queries::pin_sets() {
        usable.add(&[("pinset", &set.name)], set.usable.into());
    }
    let mut lockouts = Metric::new(
        "asterisk_authenticate_lockouts",
        "gauge",
        "Callers, accounts and PIN sets that are locked.",
    );
    for (name, counts) in counts {
        for status in Status::ALL {
            let outcome = status.word().to_ascii_lowercase();
            let count = queries::outcomes(&counts, status);
            outcomes.add(&[("pinset", &name), ("outcome", &outcome)], count);
        }
        entries.add(&[("pinset", &name)], counts.entries);
        for kind in Kind::ALL {
            let key = (name.clone(), kind);
            let count = locks.get(&key).copied().unwrap_or_default();
            lockouts.add(&[("pinset", &name), ("kind", kind.word())], count);
        }
    }
    [outcomes, entries, lockouts, usable]
        .map(Metric::finish)
        .concat()
}
