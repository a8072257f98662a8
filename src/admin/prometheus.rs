//! Prometheus metrics, if `res_prometheus` runs: outcomes and attempts since the module
//! was loaded, and active locks.

use std::sync::Mutex;

use pinset::admin::Metric;
use pinset::lockout::Kind;
use pinset::Status;

use super::queries;
use crate::asterisk::schedule::Schedule;
use crate::asterisk::{process, prometheus};
use crate::state::stats;
use crate::sync::lock::{lock, try_lock};
use crate::{config, database};

/// How often we poll whether Asterisk has started, in milliseconds.
const POLL_INTERVAL: i32 = 1000;

/// The schedule while Asterisk starts: only then it is known which modules run.
static STARTING: Mutex<Option<Schedule>> = Mutex::new(None);

/// Held while the scheduler's thread connects. It waits there for Asterisk's lock on its
/// modules, which the thread that unloads us holds.
static CONNECTING: Mutex<()> = Mutex::new(());

/// Starts to offer metrics, if `res_prometheus` runs; while Asterisk starts, once it has
/// started. To be called when the module is loaded or reloaded.
pub(crate) fn start() {
    if process::is_booted() {
        prometheus::connect(scrape);
        return;
    }
    let mut starting = lock(&STARTING);
    if starting.is_none() {
        *starting = Schedule::new().filter(|schedule| schedule.add(POLL_INTERVAL, poll));
    }
}

/// Connects once Asterisk has started. Called by the scheduler; returns true to be called
/// again.
fn poll() -> bool {
    if !process::is_booted() {
        return true;
    }
    let Some(_connecting) = hold_off() else {
        return true;
    };
    prometheus::connect(scrape);
    false
}

/// Keeps the scheduler's thread from connecting while the return value is held. Returns
/// `None` if it is connecting.
pub(crate) fn hold_off() -> Option<impl Sized> {
    try_lock(&CONNECTING)
}

/// Stops to offer metrics: no scrape runs then, nor will any.
pub(crate) fn shutdown() {
    // Joins the scheduler's thread, which does not connect: it is held off.
    let schedule = lock(&STARTING).take();
    drop(schedule);
    prometheus::disconnect();
}

/// Returns the metrics in Prometheus' text format.
fn scrape() -> String {
    let (locks, known) = queries::locks_by_kind();
    // A gauge that is not known is left out.
    let unknown = match known {
        Ok(()) => Vec::new(),
        Err(_) => database::pin_sets(&config::current(), None),
    };
    // Configured PIN sets are there from the beginning, with zeros.
    let mut counts = stats::all();
    let locked = locks.keys().map(|(name, _)| name.clone());
    for name in queries::names().into_iter().chain(locked) {
        counts.entry(name).or_default();
    }
    let mut outcomes = Metric::new(
        "asterisk_authenticate_outcomes_total",
        "counter",
        "Calls of Authenticate by outcome.",
    );
    let mut entries = Metric::new(
        "asterisk_authenticate_entries_total",
        "counter",
        "Attempts that Authenticate has verified.",
    );
    let mut usable = Metric::new(
        "asterisk_authenticate_pinset_usable",
        "gauge",
        "Whether a PIN set can admit anybody, as far as is known: 1 or 0.",
    );
    for set in queries::pin_sets() {
        usable.add(&[("pinset", &set.name)], u8::from(set.usable));
    }
    let mut lockouts = Metric::new(
        "asterisk_authenticate_lockouts",
        "gauge",
        "Locked callers, accounts and PIN sets.",
    );
    for (name, counts) in counts {
        for status in Status::ALL {
            let outcome = status.word().to_ascii_lowercase();
            let count = queries::outcomes(&counts, status);
            outcomes.add(&[("pinset", &name), ("outcome", &outcome)], count);
        }
        entries.add(&[("pinset", &name)], counts.entries);
        if unknown.contains(&name) {
            continue;
        }
        for kind in Kind::ALL {
            let key = (name.clone(), kind);
            let count = locks.get(&key).copied().unwrap_or_default();
            lockouts.add(&[("pinset", &name), ("kind", kind.word())], count);
        }
    }
    let metrics = [outcomes, entries, lockouts, usable].map(Metric::finish);
    metrics.concat() + &super::database::metrics()
}
