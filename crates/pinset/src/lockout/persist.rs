//! Lockouts in the database, so that they survive a restart: one row for each key, one line
//! of JSON each. Attempts in flight are not stored.

use std::time::Duration;

use serde::{Deserialize, Serialize};
use thiserror::Error;

use super::bounded_table::TableEntry;
use super::counter::{Count, FailureOwner, MAX_LOCK_MS, UNTIL_UNLOCKED};
use super::failure_times::Cells;
use super::key::{Key, KeyTable};
use super::monotonic_clock::Clock;
use super::trust::Trust;
use super::{account_key, caller_key, Caller, Lockouts};

/// The version of what is written.
const VERSION: u32 = 1;

/// No window is longer, in milliseconds.
const MAX_WINDOW_MS: u64 = 30 * MAX_LOCK_MS;

/// A row to be written, or deleted.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Change {
    /// A letter and hexadecimal digits.
    pub key: String,
    /// One line, without its end, or `None` to delete the row.
    pub value: Option<String>,
}

/// A stored row that this module has not written, or that was changed since.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Error)]
#[error("not written by this module, or changed since")]
pub struct StoredRowError;

/// A row. Times are milliseconds since the Unix epoch.
#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct StoredRow {
    version: u32,
    pin_set: String,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    number: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    endpoint: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    account: Option<String>,
    /// The time of the success of a trusted caller, whose row has no counts.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    success: Option<u64>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    counts: Option<StoredCounts>,
}

#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct StoredCounts {
    /// Times and how many failures came then.
    failures: Vec<(u64, u32)>,
    window: u64,
    /// The end of the lock, or of the last one; 0: there was none.
    until: u64,
    by_hand: bool,
    times: u32,
    consecutive: u32,
    last: u64,
    /// Of an account or a PIN set that is locked: wrong entries of trusted
    /// callers since.
    #[serde(default, skip_serializing_if = "is_zero")]
    reserve: u32,
    /// Of an account, the failures of callers it trusts: those of `failures`
    /// and `consecutive` are the others'.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    trusted_failures: Vec<(u64, u32)>,
    #[serde(default, skip_serializing_if = "is_zero")]
    trusted_consecutive: u32,
}

fn is_zero(number: &u32) -> bool {
    *number == 0
}

impl Lockouts {
    /// Whether there is something to be written.
    pub fn has_changes(&self) -> bool {
        let counts = [&self.callers, &self.accounts, &self.pin_sets];
        let trusted = [&self.trusted, &self.trusted_for_account];
        counts
            .into_iter()
            .any(super::bounded_table::BoundedTable::has_changes)
            || trusted
                .into_iter()
                .any(super::bounded_table::BoundedTable::has_changes)
    }

    /// Takes the rows to be written, at most `most`, each in its newest state. Written
    /// in this order, the database never holds more rows than [`Capacity`] allows.
    /// Each is returned once: a caller that can't write a row has to keep it, and to
    /// write it before later ones.
    ///
    /// [`Capacity`]: super::Capacity
    pub fn take_changes(&mut self, most: usize) -> Vec<Change> {
        let mut changes = Vec::new();
        while changes.len() < most {
            match self.take_change() {
                Some((table, key, value)) => changes.push(Change {
                    key: table.text(&key),
                    value,
                }),
                None => break,
            }
        }
        changes
    }

    fn take_change(&mut self) -> Option<(KeyTable, Key, Option<String>)> {
        let clock = &self.clock;
        let mut counts = [
            (KeyTable::Callers, &mut self.callers),
            (KeyTable::Accounts, &mut self.accounts),
            (KeyTable::PinSets, &mut self.pin_sets),
        ];
        for (table, counts) in &mut counts {
            if let Some(key) = counts.take_gone() {
                return Some((*table, key, None));
            }
        }
        let mut trusted = [
            (KeyTable::Trusted, &mut self.trusted),
            (KeyTable::TrustedForAccount, &mut self.trusted_for_account),
        ];
        for (table, trusted) in &mut trusted {
            if let Some(key) = trusted.take_gone() {
                return Some((*table, key, None));
            }
        }
        for (table, counts) in counts {
            if let Some((key, value)) = counts.take_changed(|count| of_count(count, clock)) {
                return Some((table, key, value));
            }
        }
        for (table, trusted) in trusted {
            if let Some((key, value)) = trusted.take_changed(|trust| of_trust(trust, clock)) {
                return Some((table, key, value));
            }
        }
        None
    }

    /// Loads a row of the database, before the first call. A row that has expired is
    /// deleted with the next changes. State that is held already stays as it is.
    ///
    /// # Errors
    ///
    /// The row is broken, and nothing has changed.
    pub fn restore(&mut self, key: &str, value: &str, now: Duration) -> Result<(), StoredRowError> {
        let (table, key) = KeyTable::of_text(key).ok_or(StoredRowError)?;
        let row: StoredRow = serde_json::from_str(value).map_err(|_| StoredRowError)?;
        if row.version != VERSION {
            return Err(StoredRowError);
        }
        let now = self.now(now);
        let counts = match table {
            KeyTable::Callers => &mut self.callers,
            KeyTable::Accounts => &mut self.accounts,
            KeyTable::PinSets => &mut self.pin_sets,
            KeyTable::Trusted | KeyTable::TrustedForAccount => {
                let trust = trust_of(row, &self.clock, now)
                    .filter(|trust| key_of_trust(trust) == (table, key))
                    .ok_or(StoredRowError)?;
                self.trusted(table).restore(key, trust);
                return Ok(());
            }
        };
        let count = count_of(row, table, &self.clock, now)
            .filter(|count| key_of(count) == key)
            .ok_or(StoredRowError)?;
        counts.restore(key, count);
        Ok(())
    }
}

fn key_of_trust(trust: &Trust) -> (KeyTable, Key) {
    Trust::key(&trust.pin_set, &trust.caller, trust.account.as_deref())
}

fn key_of(count: &Count) -> Key {
    let pin_set = count.pin_set.as_str();
    match &count.who {
        FailureOwner::Caller(caller) => caller_key(pin_set, caller),
        FailureOwner::Account(name) => account_key(pin_set, name.as_deref().unwrap_or_default()),
        FailureOwner::PinSet => KeyTable::PinSets.key(&[Some(pin_set)]),
    }
}

fn row(pin_set: &str, caller: Option<&Caller>) -> StoredRow {
    StoredRow {
        version: VERSION,
        pin_set: pin_set.to_owned(),
        number: caller.and_then(Caller::number).map(str::to_owned),
        endpoint: caller.map(|caller| caller.endpoint().to_owned()),
        account: None,
        success: None,
        counts: None,
    }
}

fn of_trust(trust: &Trust, clock: &Clock) -> Option<String> {
    let mut row = row(&trust.pin_set, Some(&trust.caller));
    row.account = trust.account.clone();
    row.success = Some(clock.says(trust.stored));
    serde_json::to_string(&row).ok()
}

fn trust_of(row: StoredRow, clock: &Clock, now: u64) -> Option<Trust> {
    if row.counts.is_some() {
        return None;
    }
    let caller = Caller::restored(row.number, row.endpoint?)?;
    let success = clock.time(row.success?).min(now);
    let mut trust = Trust::new(&row.pin_set, &caller, row.account.as_deref(), success);
    trust.see(now);
    Some(trust)
}

/// Returns `None` for an account that is in no list, or if the row can't be
/// serialized.
fn of_count(count: &Count, clock: &Clock) -> Option<String> {
    let mut row = match &count.who {
        FailureOwner::Caller(caller) => row(&count.pin_set, Some(caller)),
        FailureOwner::Account(None) => return None,
        FailureOwner::Account(_) | FailureOwner::PinSet => row(&count.pin_set, None),
    };
    if let FailureOwner::Account(name) = &count.who {
        row.account = name.clone();
    }
    let by_hand = count.end == UNTIL_UNLOCKED;
    let failures = |cells: &Cells| {
        let cells = cells.iter();
        cells
            .map(|(time, count)| (clock.says(time), count))
            .collect()
    };
    row.counts = Some(StoredCounts {
        failures: failures(&count.cells),
        window: count.window,
        until: match count.times {
            0 => 0,
            _ if by_hand => 0,
            _ => clock.says(count.end).max(1),
        },
        by_hand,
        times: count.times,
        consecutive: count.consecutive,
        last: clock.says(count.last),
        reserve: count.reserve,
        trusted_failures: failures(&count.trusted_cells),
        trusted_consecutive: count.trusted_consecutive,
    });
    serde_json::to_string(&row).ok()
}

fn count_of(row: StoredRow, table: KeyTable, clock: &Clock, now: u64) -> Option<Count> {
    let counts = row.counts.filter(|_| row.success.is_none())?;
    let who = match (table, row.number, row.endpoint, row.account) {
        (KeyTable::Callers, number, Some(endpoint), None) => {
            FailureOwner::Caller(Caller::restored(number, endpoint)?)
        }
        (KeyTable::Accounts, None, None, Some(name)) => FailureOwner::Account(Some(name)),
        (KeyTable::PinSets, None, None, None) => FailureOwner::PinSet,
        _ => return None,
    };
    let is_account = table == KeyTable::Accounts;
    let of_account = counts.by_hand
        || counts.consecutive > 0
        || counts.trusted_consecutive > 0
        || !counts.trusted_failures.is_empty();
    if of_account && !is_account {
        return None;
    }
    let was_locked = counts.until > 0 || counts.by_hand;
    if was_locked != (counts.times > 0) {
        return None;
    }
    if counts.reserve > 0 && !(was_locked && table != KeyTable::Callers) {
        return None;
    }
    let past = |time| clock.time(time).min(now);
    let cells = |failures: Vec<(u64, u32)>| {
        let failures = failures.into_iter();
        Cells::restored(failures.map(|(time, count)| (past(time), count)).collect())
    };
    let mut count = Count::new(&row.pin_set, who);
    count.cells = cells(counts.failures)?;
    count.trusted_cells = cells(counts.trusted_failures)?;
    count.window = counts.window.min(MAX_WINDOW_MS);
    count.end = match (was_locked, counts.by_hand) {
        (false, _) => 0,
        (true, true) => UNTIL_UNLOCKED,
        // The clock may have been set back since.
        (true, false) => clock.time(counts.until).min(now + MAX_LOCK_MS),
    };
    count.locked = count.end > now;
    count.times = counts.times;
    count.consecutive = counts.consecutive;
    count.trusted_consecutive = counts.trusted_consecutive;
    count.last = past(counts.last);
    count.reserve = counts.reserve;
    count.see(now);
    Some(count)
}
