//! The ledger of uses: lookup, journal and write of each, one after the other.
//!
//! Everything here may block for as long as the disk does, so it runs on a
//! thread of ours and never on a channel's.

use std::ffi::CStr;
use std::io::{self, ErrorKind};
use std::num::NonZeroU32;
use std::time::{Duration, Instant, SystemTime};

use pinset::timestamp::since_epoch;
use pinset::use_journal::{uses, Effect, UseRecord};
use zeroize::Zeroizing;

use super::journal::{self, Journal};
use crate::asterisk::astdb::{self, Presence};
use crate::asterisk::log::{log, log_once};

/// The family of the markers. No `_` and no `%` in it: see
/// [`astdb::delete_own_family`].
const MARKERS: &CStr = c"authenticate-rs";
/// A marker's value before the write, and after it.
const BEFORE: &[u8] = b"using";
const AFTER: &[u8] = b"used";
/// The marker of a lookup: the numbers of uses begin at 1.
const LOOKUP_MARKER: &[u8] = b"0";

/// Asterisk commits within a second of a write; this long after it, a commit
/// has been tried.
const COMMITTED_AFTER: Duration = Duration::from_secs(3);
/// A use that may not be on disk yet; one of a key, the latest.
struct Pending {
    record: UseRecord,
    marker: Vec<u8>,
    since: Instant,
    /// Time of the last write to the database's file before this use was written.
    written_before: Option<SystemTime>,
}

impl Pending {
    /// Returns whether a commit has failed, and the write with it.
    fn is_undone(&self) -> bool {
        !astdb::own_value_is(MARKERS.to_bytes(), &self.marker, AFTER)
    }
}

/// Pending uses, and the journal that holds them.
pub(super) struct Ledger {
    journal: Option<Journal>,
    pending: Vec<Pending>,
    /// The next marker's number.
    number: u64,
    /// Schedules a call of [`Ledger::look`]; returns false if that is not possible.
    look_later: fn() -> bool,
    looking: bool,
}

impl Ledger {
    /// Creates a ledger without a journal, which refuses every use.
    pub(super) const fn new(look_later: fn() -> bool) -> Self {
        Self {
            journal: None,
            pending: Vec::new(),
            number: 0,
            look_later,
            looking: false,
        }
    }

    /// Returns whether uses can be counted at all.
    pub(super) fn has_journal(&self) -> bool {
        self.journal.is_some()
    }

    /// Uses a one-time PIN up. Returns true if it was there, so that it admits no other
    /// call, and false if there is no such PIN. `wanted` returns false once the caller has
    /// given up waiting.
    ///
    /// # Errors
    ///
    /// Fails if the use is not certain: no caller may be admitted.
    pub(super) fn use_up(
        &mut self,
        family: &[u8],
        key: &[u8],
        wanted: &dyn Fn() -> bool,
    ) -> io::Result<bool> {
        // In this order: a commit that fails between the two takes the marker too.
        if !astdb::exists(family, key) || self.undone(family, key) == Some(Effect::Removed) {
            return Ok(false);
        }
        self.enter(family, key, Effect::Removed, wanted)?;
        Ok(true)
    }

    /// Counts one more use of a row. Returns true if it is counted and on disk, so that
    /// the caller may be admitted, and false if the row has had `limit` uses. `wanted` is
    /// as in [`Ledger::use_up`].
    ///
    /// # Errors
    ///
    /// Fails if the use is not certain: no caller may be admitted, and the use may be
    /// counted all the same. The error may hold family and key.
    pub(super) fn count(
        &mut self,
        family: &[u8],
        key: &[u8],
        limit: NonZeroU32,
        wanted: &dyn Fn() -> bool,
    ) -> io::Result<bool> {
        // In this order, as in `use_up`.
        let mut uses = uses_of(family, key)?;
        match self.undone(family, key) {
            Some(Effect::Counted(known)) => uses = uses.max(known),
            Some(Effect::Set(known)) => uses = known,
            Some(Effect::Removed) | None => {}
        }
        if uses >= u64::from(limit.get()) {
            return Ok(false);
        }
        // Until a reset is on disk, what follows must not count on from what was before.
        let effect = match self.pending(family, key) {
            Some(Effect::Set(_)) => Effect::Set(uses + 1),
            _ => Effect::Counted(uses + 1),
        };
        self.enter(family, key, effect, wanted)?;
        Ok(true)
    }

    /// Sets the uses of a row back to zero, also if their number is none. Returns whether
    /// there were any.
    ///
    /// # Errors
    ///
    /// Fails if that is not certain.
    pub(super) fn reset(&mut self, family: &[u8], key: &[u8]) -> io::Result<bool> {
        let is_undone = self.undone(family, key).is_some();
        let there = is_undone || astdb::exists(family, key);
        if there {
            self.enter(family, key, Effect::Set(0), &|| true)?;
        }
        Ok(there)
    }

    /// Deletes the number of uses of a row that no PIN file has any more, unless the row
    /// has been used since that number was read. Returns whether it is deleted.
    pub(super) fn delete_uses(&mut self, family: &[u8], key: &[u8], uses: &[u8]) -> bool {
        let is_pending = |pending: &Pending| pending.record.is_about(family, key);
        !self.pending.iter().any(is_pending)
            && astdb::own_value_is(family, key, uses)
            && astdb::delete(family, key)
    }

    /// Retires the uses that are on disk, and schedules the next call if any are left.
    pub(super) fn look(&mut self) {
        self.retire();
        self.looking = false;
        self.look_again();
    }

    /// Clears the ledger. The journal's file stays as it is.
    pub(super) fn close(&mut self) {
        let number = self.number;
        *self = Self {
            number,
            ..Self::new(self.look_later)
        };
    }

    /// Replays the journal.
    pub(super) fn replay(&mut self) -> io::Result<()> {
        let (records, broken) = journal::left()?;
        if broken > 0 {
            log!(
                Error,
                "'{}': {broken} invalid lines: PINs that they name may work again",
                journal::path().display()
            );
        }
        astdb::delete_own_family(MARKERS);
        // Should that be rolled back, no marker of an earlier load is ours.
        self.number = u64::try_from(since_epoch().as_micros()).unwrap_or(0);
        let (mut back, mut behind) = (0, 0);
        for record in records {
            let lost = !is_in_force(&record);
            match self.redo(&record) {
                Ok(pending) => self.pending.push(pending),
                Err(error) if is_no_number(&error) => {
                    log!(Error, "{error}: uses of a PIN are not counted again");
                    continue;
                }
                Err(error) => return Err(error),
            }
            match record.effect {
                Effect::Removed => back += u32::from(lost),
                Effect::Counted(_) | Effect::Set(_) => behind += u32::from(lost),
            }
        }
        if back > 0 {
            log!(
                Notice,
                "{back} used one-time PINs were restored by a crash: removed again"
            );
        }
        if behind > 0 {
            log!(
                Notice,
                "uses of {behind} PINs were lost in a crash: counted again"
            );
        }
        self.rewrite()?;
        self.look_again();
        Ok(())
    }

    /// Writes a use to the journal, synced to disk, and then to the database, unless the
    /// caller has given up before that.
    fn enter(
        &mut self,
        family: &[u8],
        key: &[u8],
        effect: Effect,
        wanted: &dyn Fn() -> bool,
    ) -> io::Result<()> {
        let record = UseRecord {
            family: family.to_vec(),
            key: Zeroizing::new(key.to_vec()),
            effect,
        };
        let stale = match &self.journal {
            Some(journal) => journal.is_stale(self.pending.len())?,
            None => return Err(no_journal()),
        };
        if stale {
            self.rewrite()?;
        }
        self.journal.as_mut().ok_or_else(no_journal)?.add(&record)?;
        let applied = if wanted() {
            self.apply(record)
        } else {
            Err(io::Error::other("the caller has given up"))
        };
        match applied {
            Ok(pending) => self.supersede(pending),
            Err(error) => {
                // No caller was admitted: the next load must not replay the use.
                self.rewrite()?;
                return Err(error);
            }
        }
        self.look_again();
        Ok(())
    }

    /// Replaces the pending use of the key: the new record counts on from it.
    fn supersede(&mut self, pending: Pending) {
        let UseRecord { family, key, .. } = &pending.record;
        let same = |older: &Pending| older.record.is_about(family, key);
        if let Some(place) = self.pending.iter().position(same) {
            let older = self.pending.swap_remove(place);
            astdb::delete(MARKERS.to_bytes(), &older.marker);
        }
        self.pending.push(pending);
    }

    /// Applies a record to the database, together with a marker. The marker goes first: if
    /// the database can't be written, Asterisk logs the marker and not the PIN.
    fn apply(&mut self, record: UseRecord) -> io::Result<Pending> {
        self.number += 1;
        let marker = self.number.to_string().into_bytes();
        let written_before = astdb::written();
        let family = MARKERS.to_bytes();
        let write = || match record.effect {
            Effect::Removed | Effect::Set(0) => astdb::delete(&record.family, &record.key),
            Effect::Counted(uses) | Effect::Set(uses) => {
                astdb::put(&record.family, &record.key, uses.to_string().as_bytes())
            }
        };
        // Looked at last: a commit that failed between the two markers is seen.
        let done = astdb::put(family, &marker, BEFORE)
            && write()
            && astdb::put(family, &marker, AFTER)
            && is_in_force(&record);
        if !done {
            return Err(in_database("written"));
        }
        Ok(Pending {
            record,
            marker,
            since: Instant::now(),
            written_before,
        })
    }

    /// Applies a record again. Further uses that the database has counted stay.
    fn redo(&mut self, record: &UseRecord) -> io::Result<Pending> {
        let mut record = record.clone();
        if let Effect::Counted(known) = &mut record.effect {
            *known = uses_of(&record.family, &record.key)?.max(*known);
        }
        self.apply(record)
    }

    fn look_again(&mut self) {
        if !self.looking && !self.pending.is_empty() {
            self.looking = (self.look_later)();
        }
    }

    /// Returns the effect on a key that may not be on disk yet.
    fn pending(&self, family: &[u8], key: &[u8]) -> Option<Effect> {
        let pending = self.pending_use(family, key)?;
        Some(pending.record.effect)
    }

    /// Returns what a failed commit of Asterisk has undone of a key: its value in the
    /// database is older, and was not set by an administrator.
    fn undone(&self, family: &[u8], key: &[u8]) -> Option<Effect> {
        let pending = self.pending_use(family, key)?;
        pending.is_undone().then_some(pending.record.effect)
    }

    fn pending_use(&self, family: &[u8], key: &[u8]) -> Option<&Pending> {
        let same = |pending: &&Pending| pending.record.is_about(family, key);
        self.pending.iter().find(same)
    }

    /// Retires uses that are on disk, and applies again those that a failed commit of
    /// Asterisk has undone.
    fn retire(&mut self) {
        if self.journal.is_none() {
            // Not all of it was replayed: what is in the file stays there.
            return;
        }
        let written = astdb::written();
        let mut changed = false;
        for pending in std::mem::take(&mut self.pending) {
            if pending.is_undone() {
                log_undone(&pending.record);
                match self.redo(&pending.record) {
                    Ok(again) => self.pending.push(again),
                    Err(error) if is_no_number(&error) => {
                        log!(Error, "{error}: uses of a PIN are not counted again");
                        changed = true;
                    }
                    Err(_) => self.pending.push(pending),
                }
            } else if pending.since.elapsed() >= COMMITTED_AFTER
                && written != pending.written_before
            {
                changed = true;
                astdb::delete(MARKERS.to_bytes(), &pending.marker);
            } else {
                self.pending.push(pending);
            }
        }
        if changed {
            if let Err(error) = self.rewrite() {
                log!(Error, "{error}");
            }
        }
    }

    /// Rewrites the journal with the pending uses, and syncs it to disk.
    fn rewrite(&mut self) -> io::Result<()> {
        let records = self.pending.iter().map(|pending| &pending.record);
        self.journal = Some(Journal::write(records)?);
        Ok(())
    }
}

/// Returns the number of uses in the database.
fn uses_of(family: &[u8], key: &[u8]) -> io::Result<u64> {
    if let Some(value) = astdb::own_value(family, key) {
        return uses(&value).ok_or_else(|| {
            // Without the digest: that of a short PIN gives it away.
            let account = key
                .rsplitn(2, |byte| *byte == b'/')
                .nth(1)
                .unwrap_or_default();
            let (family, account) = (family.escape_ascii(), account.escape_ascii());
            let what =
                format!("a value in /{family}/{account} of Asterisk's database is no number");
            io::Error::new(ErrorKind::InvalidData, what)
        });
    }
    // There is none, or the database could not be read: that must not be taken
    // for no use. What has been written can be read until it is committed, and
    // so can all else.
    let markers = MARKERS.to_bytes();
    let written = astdb::put(markers, LOOKUP_MARKER, BEFORE);
    let absent = astdb::presence(family, key) == Presence::Absent;
    if !written || !absent || !astdb::own_value_is(markers, LOOKUP_MARKER, BEFORE) {
        return Err(in_database("read"));
    }
    astdb::delete(markers, LOOKUP_MARKER);
    Ok(0)
}

/// Returns whether the database agrees with a record, or counts further uses.
fn is_in_force(record: &UseRecord) -> bool {
    let (family, key) = (&record.family, &record.key);
    let counted = || uses(&astdb::own_value(family, key)?);
    match record.effect {
        Effect::Removed | Effect::Set(0) => astdb::presence(family, key) == Presence::Absent,
        Effect::Counted(known) => counted().is_some_and(|uses| uses >= known),
        Effect::Set(known) => counted() == Some(known),
    }
}

fn log_undone(record: &UseRecord) {
    let family = String::from_utf8_lossy(&record.family);
    let (what, done) = match record.effect {
        Effect::Removed => ("one-time PINs of", "removed"),
        Effect::Counted(_) | Effect::Set(_) => ("uses in", "counted"),
    };
    log_once!(
        Warning,
        "Asterisk could not write its database: {what} family '{family}' are {done} again"
    );
}

/// Returns the error of a database that can't be read or written; Asterisk logs the cause.
fn in_database(done: &str) -> io::Error {
    let file = astdb::file();
    let what = format!(
        "Asterisk's database can't be {done}: check disk and permissions of '{}'",
        file.display()
    );
    io::Error::other(what)
}

fn no_journal() -> io::Error {
    io::Error::other("there is no journal")
}

/// Returns whether the value is no number: then the row admits nobody until the key is
/// deleted.
fn is_no_number(error: &io::Error) -> bool {
    error.kind() == ErrorKind::InvalidData
}
