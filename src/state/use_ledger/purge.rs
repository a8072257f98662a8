//! Deletion of numbers of uses whose rows are in no PIN file any more.
//!
//! A number that is deleted lets its row admit again, so it stays until its row
//! was absent on more than [`DAYS_KEPT`] days with a look. The days are counted in
//! Asterisk's database. A PIN set that is invalid, a list that can't be read, or a
//! list with an invalid row tells nothing: that day does not count.
//!
//! It runs on a thread of its own: a list of millions of lines takes seconds, and
//! no caller waits for that.

use std::collections::{BTreeMap, BTreeSet};
use std::fs::File;
use std::io::{self, Seek};
use std::path::Path;
use std::time::SystemTime;

use pinset::config::{PinSet, Source};
use pinset::credential::table::absent::{digest_of_key, retain_absent, Absence};
use pinset::list::{open, sniff, Stamp};
use pinset::timestamp::since_epoch;

use super::{ledger, schedule, Values, FAMILY};
use crate::asterisk::astdb;
use crate::asterisk::log::log;
use crate::asterisk::thread_pool;
use crate::config::{self, InForce};

/// The family of the days on which rows were absent.
const ABSENCES: &str = "authenticate-absent";

/// Delay from the load to the first look, in milliseconds.
pub(super) const FIRST_LOOK_DELAY: i32 = 5_000;

/// Interval of further looks, in milliseconds. One of each day counts.
const LOOK_INTERVAL: i32 = 6 * 60 * 60 * 1000;

const SECONDS_PER_DAY: u64 = 24 * 60 * 60;

/// Runs the first look, and schedules the others. Called by the scheduler.
pub(super) fn first_look() -> bool {
    look();
    if let Some(schedule) = schedule().as_ref() {
        schedule.add(LOOK_INTERVAL, look);
    }
    false
}

/// Starts a look. Called by the scheduler; returns true to be called again.
fn look() -> bool {
    thread_pool::start_low_priority(|| {
        purge(since_epoch().as_secs() / SECONDS_PER_DAY);
    });
    true
}

fn purge(today: u64) {
    let uses = by_pin_set(FAMILY);
    let mut absences = by_pin_set(ABSENCES);
    let in_force = config::current();
    let mut deleted = 0;
    for (name, uses) in uses {
        let earlier = absences.remove(&name).unwrap_or_default();
        if let Some(absent) = absent(&in_force, &name, &uses) {
            deleted += settle(&name, &uses, &earlier, &absent, today);
        }
    }
    // Their numbers of uses are deleted already.
    for (name, left) in absences {
        for key in left.keys() {
            astdb::delete(&family(ABSENCES, &name), key);
        }
    }
    if deleted > 0 {
        log!(
            Notice,
            "uses of {deleted} PINs deleted: no PIN file has their rows any more"
        );
    }
}

/// Returns the values below a family, by the PIN set that precedes their keys.
fn by_pin_set(family: &str) -> BTreeMap<Vec<u8>, Values> {
    let mut sets = BTreeMap::<_, Values>::new();
    astdb::each_below(family.as_bytes(), |key, value| {
        if let Some(slash) = key.iter().position(|byte| *byte == b'/') {
            let (name, key) = (key[..slash].to_vec(), key[slash + 1..].to_vec());
            sets.entry(name).or_default().insert(key, value.to_vec());
        }
    });
    sets
}

fn family(family: &str, name: &[u8]) -> Vec<u8> {
    [family.as_bytes(), b"/", name].concat()
}

/// Counts the day for the rows that are absent, and ends the absence of the
/// others. Returns how many numbers of uses were deleted.
fn settle(
    name: &[u8],
    uses: &Values,
    earlier: &Values,
    absent: &BTreeSet<[u8; 16]>,
    today: u64,
) -> u64 {
    let absences = family(ABSENCES, name);
    let mut deleted = 0;
    for (key, count) in uses {
        let before = earlier.get(key);
        if !digest_of_key(key).is_some_and(|digest| absent.contains(&digest)) {
            if before.is_some() {
                astdb::delete(&absences, key);
            }
            continue;
        }
        let before = before.and_then(|text| Absence::parse(text));
        let absence = Absence::after(before, today);
        if !absence.is_over() {
            if before != Some(absence) {
                astdb::put(&absences, key, absence.to_string().as_bytes());
            }
        } else if ledger().delete_uses(&family(FAMILY, name), key, count) {
            astdb::delete(&absences, key);
            deleted += 1;
        }
    }
    deleted
}

/// Returns the digests of `uses` that no row of the PIN set's PIN file has, or `None` if
/// that is not certain.
fn absent(in_force: &InForce, name: &[u8], uses: &Values) -> Option<BTreeSet<[u8; 16]>> {
    let mut digests: BTreeSet<_> = uses.keys().filter_map(|key| digest_of_key(key)).collect();
    let mut sets = in_force.pin_sets().peekable();
    // Without any, the file can't be read, or was never written.
    sets.peek()?;
    match sets.find(|(section, _)| section.as_bytes() == name) {
        // Without this section there is no PIN file.
        None => Some(digests),
        Some((_, set)) => retain_absent_in(set?, in_force, &mut digests).then_some(digests),
    }
}

/// Removes the digests that the PIN file of a PIN set has. Returns whether all of the
/// file was read, and it is still the same.
fn retain_absent_in(set: &PinSet, in_force: &InForce, digests: &mut BTreeSet<[u8; 16]>) -> bool {
    let Some(Source::File(path)) = &set.source else {
        return false;
    };
    let mut read = || -> io::Result<bool> {
        let mut file = open(path)?;
        let before = stamp(&file)?;
        let kind = match set.format {
            Some(kind) => kind,
            None => sniff(&file, true)?,
        };
        file.rewind()?;
        let zone = &in_force.rules.zone;
        let whole = retain_absent(&file, kind, zone, digests).is_ok_and(|whole| whole);
        Ok(whole && is_still(path, before)?)
    };
    read().unwrap_or(false)
}

/// Returns whether the path still leads to the file of this stamp, and the file has been
/// unchanged for long enough that a change would show.
fn is_still(path: &Path, before: Stamp) -> io::Result<bool> {
    let now = SystemTime::now();
    Ok(stamp(&open(path)?)? == before && before.is_telling(now))
}

fn stamp(file: &File) -> io::Result<Stamp> {
    Ok(Stamp::of(&file.metadata()?))
}
