//! Queries of PIN sets, lockouts and counts, and unlocking. Of PIN files, only what is
//! in memory is shown: the disk is never read.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
use std::time::{Duration, SystemTime};

use pinset::admin::{EntryKey, EntryKeys, Page, PageRequest};
use pinset::audit::change::{Action, Administrator, ChangeRecord};
use pinset::audit::stats::Counts;
use pinset::cache::{Contents, Recalled};
use pinset::config::Source;
use pinset::credential::table::Rows;
use pinset::database::DatabaseError;
use pinset::escape::escape;
use pinset::list::FileKind;
use pinset::lockout::{Held, Kind as By, Unlock};
use pinset::timestamp::since_epoch;
use pinset::verify::{Answer, Doubt};
use pinset::{PinSet, Status};
use thiserror::Error;

use super::paging::MAX_LIMIT;
use crate::config::PinSetError;
use crate::database;
use crate::state::{audit, lockouts, stats};
use crate::{config, pin_files};

/// The most values that are offered to complete a command.
const MAX_COMPLETIONS: usize = 1000;

/// A PIN set, in one line.
pub(super) struct Summary {
    pub name: String,
    /// Its options, unless there are errors in them.
    pub set: Option<PinSet>,
    /// Number of entries of its PIN file when it was last read, if that is known.
    pub entries: Option<u64>,
    /// The format as which the PIN file was last read.
    pub found: Option<&'static str>,
    /// Whether anybody can be admitted, as far as is known.
    pub usable: bool,
    /// `ok`, or why nobody can be admitted.
    pub state: String,
    pub counts: Counts,
}

impl Summary {
    fn new(name: &str, set: Option<&PinSet>) -> Self {
        let recalled = set.and_then(recall);
        let why = match (set, &recalled) {
            (None, _) => Some("errors in authenticate.conf".to_owned()),
            (Some(set), Some(recalled)) => unusable(set, recalled),
            (Some(set), None) if database::is_here(set) => outage(),
            (Some(_), None) => None,
        };
        Self {
            name: name.to_owned(),
            set: set.cloned(),
            entries: match recalled.as_ref().map(|recalled| &recalled.contents) {
                Some(Contents::Entries(count)) => Some(*count),
                _ => None,
            },
            found: recalled.map(|recalled| recalled.kind.word()),
            usable: why.is_none(),
            state: why.unwrap_or_else(|| "ok".to_owned()),
            counts: stats::of(name),
        }
    }

    /// Returns the source of its PINs.
    pub(super) fn source(&self) -> Option<Vec<u8>> {
        let source = self.set.as_ref()?.source.as_ref()?;
        Some(source.to_bytes())
    }

    /// Returns the format of its PIN file as it is configured.
    pub(super) fn format(&self) -> Option<&'static str> {
        let set = self.set.as_ref()?;
        match set.source {
            Some(Source::Astdb(_) | Source::Database(_) | Source::Realtime(_) | Source::Url(_)) => {
                None
            }
            _ => Some(set.format.map_or("auto", FileKind::word)),
        }
    }

    /// Returns how callers are identified.
    pub(super) fn identify(&self) -> Option<&'static str> {
        Some(self.set.as_ref()?.identify.word())
    }
}

/// Returns all PIN sets.
pub(super) fn pin_sets() -> Vec<Summary> {
    let in_force = config::current();
    in_force
        .pin_sets()
        .map(|(name, set)| Summary::new(name, set))
        .collect()
}

/// Returns the names of all PIN sets.
pub(super) fn names() -> Vec<String> {
    let in_force = config::current();
    in_force
        .pin_sets()
        .map(|(name, _)| name.to_owned())
        .collect()
}

/// Why a query or an unlock fails.
#[derive(Debug, Error)]
pub(super) enum QueryError {
    /// There is no such PIN set, or it has errors.
    #[error(transparent)]
    PinSet(#[from] PinSetError),
    /// Locks are of other kinds.
    #[error("what is locked is a caller, an account or a pinset")]
    UnknownKind,
    /// The locks in the database are not known, and why.
    #[error("the lockouts of PIN sets in the database are not known: {0}")]
    Database(#[from] DatabaseError),
    /// There is no such lock.
    #[error("no {kind} '{value}' is locked")]
    NotLocked {
        /// The kind of lock.
        kind: String,
        /// The caller, account or PIN set.
        value: String,
    },
}

/// Returns the PIN set of this name.
///
/// # Errors
///
/// Fails if there is none.
pub(super) fn pin_set(name: &[u8]) -> Result<Summary, QueryError> {
    let lower = in_lower_case(name);
    let in_force = config::current();
    let mut all = in_force.pin_sets();
    let found = all.find(|(other, _)| **other == lower);
    found
        .map(|(name, set)| Summary::new(name, set))
        .ok_or_else(|| unknown(&String::from_utf8_lossy(name)))
}

/// Returns the names of the pepper keys, the one for new secrets first.
pub(super) fn pepper_keys() -> Vec<String> {
    let in_force = config::current();
    in_force.pepper.ids().map(|id| id.to_string()).collect()
}

/// Returns what memory holds of a PIN set's PIN file.
pub(super) fn recall(set: &PinSet) -> Option<Recalled> {
    match &set.source {
        Some(Source::File(path)) => pin_files::recall(path),
        _ => None,
    }
}

/// Returns why PIN sets in the database admit nobody.
fn outage() -> Option<String> {
    let why = database::status()?.outage?;
    Some(DatabaseError::Unreachable(why).to_string())
}

/// Returns why a PIN set admits nobody, judging by what memory holds of its PIN file.
fn unusable(set: &PinSet, recalled: &Recalled) -> Option<String> {
    match &recalled.contents {
        Contents::Broken(why) => return Some(why.clone()),
        Contents::TooLarge(limit) => {
            return Some(format!(
                "the PIN file takes more than {limit} bytes of memory"
            ))
        }
        Contents::Entries(_) | Contents::Reading => {}
    }
    let Some(rows) = &recalled.rows else {
        return set.kind_objection(recalled.kind);
    };
    let pepper = &config::current().pepper;
    let answer = Answer::Rows(Arc::clone(rows), recalled.kind);
    let objection = set.objection(&answer, &|key| pepper.key(key).is_some());
    let fatal = |doubt: Doubt| doubt.is_fatal().then(|| doubt.to_string());
    objection.or_else(|| doubts(set, rows).into_iter().find_map(fatal))
}

fn doubts(set: &PinSet, rows: &Rows) -> Vec<Doubt> {
    let in_force = config::current();
    set.doubts(&rows.profile(), &in_force.settings.numbering)
}

/// Returns warnings about a PIN file in memory: rows that can't be checked, and doubts
/// whether it admits anybody.
pub(super) fn warnings(set: &PinSet, recalled: &Recalled) -> Vec<String> {
    let Some(rows) = &recalled.rows else {
        return Vec::new();
    };
    let pepper = &config::current().pepper;
    let unchecked = rows.unchecked(|key| pepper.key(key).is_some());
    let doubts = doubts(set, rows);
    unchecked
        .map(ToString::to_string)
        .chain(doubts.iter().map(ToString::to_string))
        .collect()
}

/// Returns how long ago a time was.
pub(super) fn age(time: SystemTime) -> Duration {
    let age = SystemTime::now().duration_since(time).unwrap_or_default();
    Duration::from_secs(age.as_secs())
}

/// Returns the number of calls with this outcome.
pub(super) fn outcomes(counts: &Counts, status: Status) -> u64 {
    counts.outcomes.get(&status).copied().unwrap_or_default()
}

/// A lock in force.
pub(super) struct Lock {
    pub pin_set: String,
    /// `caller`, `account` or `pinset`.
    pub by: &'static str,
    /// The name of the locked subject, or `None` for an account that no PIN file has.
    pub what: Option<String>,
    /// The endpoint of a locked caller.
    pub endpoint: Option<String>,
    /// Remaining seconds, or `None` if it lasts until it is unlocked.
    pub seconds: Option<u64>,
    /// Number of locks so far.
    pub times: u32,
    pub failures: u32,
}

impl Lock {
    /// Returns the remaining time: `2h05m`, `29m59s`, `7s`, `until unlocked`.
    pub(super) fn left(&self) -> String {
        let Some(seconds) = self.seconds else {
            return "until unlocked".to_owned();
        };
        match (seconds / 3600, seconds / 60 % 60, seconds % 60) {
            (0, 0, seconds) => format!("{seconds}s"),
            (0, minutes, seconds) => format!("{minutes}m{seconds:02}s"),
            (hours, minutes, _) => format!("{hours}h{minutes:02}m"),
        }
    }
}

impl From<Held> for Lock {
    fn from(held: Held) -> Self {
        let now = since_epoch();
        let left = |until: Duration| {
            let left = until.saturating_sub(now);
            left.as_secs() + u64::from(left.subsec_nanos() > 0)
        };
        Self {
            by: held.kind.word(),
            seconds: held.until.map(left),
            pin_set: held.pin_set,
            what: held.what,
            endpoint: held.endpoint,
            times: held.times,
            failures: held.failures,
        }
    }
}

/// Calls `look` with each lock in force, in one PIN set or in all: those in memory, then
/// those in the database.
///
/// # Errors
///
/// The database has not answered.
pub(super) fn each_lock(
    pin_set: Option<&str>,
    mut look: impl FnMut(Held),
) -> Result<(), DatabaseError> {
    lockouts::each(pin_set, &mut look);
    database::each_lock(pin_set, look)
}

/// Returns the locks in force in a PIN set that are meant.
///
/// # Errors
///
/// The database has not answered.
pub(super) fn locks(
    pin_set: &str,
    is_meant: impl Fn(&Held) -> bool,
) -> Result<Vec<Lock>, QueryError> {
    let mut meant = Vec::new();
    each_lock(Some(pin_set), |held| {
        if is_meant(&held) {
            meant.push(held);
        }
    })?;
    meant.sort_unstable();
    Ok(meant.into_iter().map(Lock::from).collect())
}

/// Returns a page of the locks in force, in one PIN set or in all, and the number of all.
/// The first page without a limit is sorted by PIN set, and has at most [`MAX_LIMIT`].
///
/// # Errors
///
/// Fails if there is no PIN set of this name, or the database has not answered.
pub(super) fn lock_page(
    pin_set: Option<&[u8]>,
    request: PageRequest,
    keys: &EntryKeys,
) -> Result<(Vec<(EntryKey, Lock)>, usize), QueryError> {
    let pin_set = pin_set.map(counted_as).transpose()?;
    let mut page = Page::new(PageRequest {
        limit: request.limit.or(Some(MAX_LIMIT)),
        ..request
    });
    each_lock(pin_set.as_deref(), |held| {
        page.add(keys.of(&held.digest), held);
    })?;
    let total = page.total();
    let mut entries = page.entries();
    if request.is_whole() {
        entries.sort_unstable_by(|(_, one), (_, other)| one.cmp(other));
    }
    let locks = entries.into_iter().map(|(key, held)| (key, held.into()));
    Ok((locks.collect(), total))
}

/// Returns the numbers of locks by PIN set and kind: those in memory, then those in the
/// database, unless it does not answer.
pub(super) fn locks_by_kind() -> (BTreeMap<(String, By), u64>, Result<(), DatabaseError>) {
    let mut counts = BTreeMap::new();
    lockouts::each(None, |held| {
        *counts.entry((held.pin_set, held.kind)).or_default() += 1;
    });
    let stored = database::lock_counts().map(|stored| {
        for (name, kind, count) in stored {
            *counts.entry((name, kind)).or_default() += count;
        }
    });
    (counts, stored)
}

/// Returns the number of locks in each PIN set that has any. Those in a database that does
/// not answer are left out.
pub(super) fn lock_counts() -> BTreeMap<String, u64> {
    let mut counts = BTreeMap::new();
    for ((name, _), count) in locks_by_kind().0 {
        *counts.entry(name).or_default() += count;
    }
    counts
}

/// Returns what is locked of this kind, for completion: at most [`MAX_COMPLETIONS`].
pub(super) fn locked(by: &[u8]) -> Vec<String> {
    let mut what = BTreeSet::new();
    each_locked(by, |locked| {
        if what.len() < MAX_COMPLETIONS {
            what.insert(locked);
        }
    });
    what.into_iter().collect()
}

fn each_locked(by: &[u8], mut look: impl FnMut(String)) {
    let _ = each_lock(None, |held| {
        if held.kind.word().as_bytes().eq_ignore_ascii_case(by) {
            held.what.into_iter().for_each(&mut look);
        }
    });
}

/// Unlocks callers by number or endpoint, an account or a PIN set, in one PIN set or in
/// all, and reports it. Returns the number of locks.
///
/// # Errors
///
/// Fails if there is no such kind, no such PIN set, or nothing was locked.
pub(super) fn unlock(
    by: &[u8],
    what: &[u8],
    pin_set: Option<&[u8]>,
    administrator: &Administrator,
) -> Result<usize, QueryError> {
    let pin_set = pin_set.map(counted_as).transpose()?;
    let in_force = config::current();
    let meant = meant(by, what);
    let number = in_force
        .settings
        .numbering
        .normalize_caller(meant.as_bytes());
    let number = number.map(|number| number.to_string());
    let kind = By::ALL
        .into_iter()
        .find(|kind| kind.word().as_bytes().eq_ignore_ascii_case(by));
    let kind = kind.ok_or(QueryError::UnknownKind)?;
    let name;
    let what_is_locked = match kind {
        By::Caller => Unlock::Caller(&meant, number.as_deref()),
        By::Account => Unlock::Account(&meant),
        By::PinSet => {
            name = counted_as(meant.as_bytes())?;
            Unlock::PinSet(&name)
        }
    };
    // The database first: nothing is ended if it does not answer.
    let mut unlocked = database::unlock(what_is_locked, pin_set.as_deref())?;
    let own = lockouts::unlock(what_is_locked, pin_set.as_deref());
    unlocked.locks += own.locks;
    unlocked.is_named |= own.is_named;
    if unlocked.locks == 0 {
        return Err(QueryError::NotLocked {
            kind: String::from_utf8_lossy(by).into_owned(),
            value: String::from_utf8_lossy(what).into_owned(),
        });
    }
    audit::report_change(&ChangeRecord {
        action: Action::Unlock(kind),
        pin_set: pin_set.as_deref(),
        value: match unlocked.is_named {
            true => meant.as_bytes(),
            false => b"",
        },
        count: unlocked.locks,
        by: administrator,
    });
    Ok(unlocked.locks)
}

/// Returns the value that is meant: it may be given as it was shown, escaped.
fn meant(by: &[u8], what: &[u8]) -> String {
    let given = String::from_utf8_lossy(what);
    let mut shown = None;
    if given.contains('\\') {
        each_locked(by, |locked| {
            if escape(locked.as_bytes()) == given {
                shown = Some(locked);
            }
        });
    }
    shown.unwrap_or_else(|| given.into_owned())
}

/// Returns the name by which failures of a PIN set, or of a source without one, are
/// counted.
fn counted_as(name: &[u8]) -> Result<String, QueryError> {
    let lower = in_lower_case(name);
    if config::current()
        .pin_sets()
        .any(|(other, _)| other == lower)
    {
        return Ok(lower);
    }
    let given = String::from_utf8_lossy(name);
    let mut counted = stats::all().into_keys().chain(lockouts::pin_sets());
    counted
        .find(|other| *other == given)
        .ok_or_else(|| unknown(&given))
}

fn in_lower_case(name: &[u8]) -> String {
    String::from_utf8_lossy(name).to_ascii_lowercase()
}

fn unknown(name: &str) -> QueryError {
    config::current().unknown(name).into()
}
