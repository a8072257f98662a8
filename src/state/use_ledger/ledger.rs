//! The ledger of uses: look-up, journal and write of each, one after the other.
//!
//! Everything here may block for as long as the disk does, so it runs on a
//! thread of ours and never on a channel's.

use std::ffi::CStr;
use std::io::{self, ErrorKind};
use std::num::NonZeroU32;
use std::time::{Duration, Instant, SystemTime};

use pinset::timestamp::since_epoch;
use pinset::use_journal::{uses, Effect, Record};
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
/// The marker of a look-up: their numbers begin at 1.
const WITNESS: &[u8] = b"0";

/// Asterisk commits within a second of a write; this long after it, a commit
/// has been tried.
const COMMITTED_AFTER: Duration = Duration::from_secs(3);
/// A use that may not be on disk yet; one of a key, the latest.
struct Pending {
    record: Record,
    marker: Vec<u8>,
    since: Instant,
    /// When the database's file had last been written to, before the write.
    written_before: Option<SystemTime>,
}

impl Pending {
    /// Whether a commit has failed, and the write with it.
    fn is_undone(&self) -> bool {
        !astdb::own_value_is(MARKERS.to_bytes(), &self.marker, AFTER)
    }
}

/// What is pending, and the journal that holds it.
pub struct Ledger {
    journal: Option<Journal>,
    pending: Vec<Pending>,
    /// The next marker's number.
    number: u64,
    /// Schedules a call of [`Ledger::look`]; returns false if that is not possible.
    look_later: fn() -> bool,
    looking: bool,
}

impl Ledger {
    /// A ledger without a journal: it refuses every use.
    pub const fn new(look_later: fn() -> bool) -> Self {
        Self {
            journal: None,
            pending: Vec::new(),
            number: 0,
            look_later,
            looking: false,
        }
    }

    /// Whether uses can be counted at all.
    pub fn has_journal(&self) -> bool {
        self.journal.is_some()
    }

    /// Uses a PIN up. True: it was there, and no other call gets in by it. False:
    /// there is no such PIN. An error: nobody is to be admitted. `wanted` returns
    /// false once the caller has given up waiting.
    pub fn use_up(
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

    /// Counts one more use of a row, unless it has had `limit` of them. True: it
    /// is counted, on disk, and the caller may be admitted. False: the row has had
    /// them all. An error: nobody is to be admitted, and the use may be counted all
    /// the same; family and key can stand in it. `wanted` is as in
    /// [`Ledger::use_up`].
    pub fn count(
        &mut self,
        family: &[u8],
        key: &[u8],
        limit: NonZeroU32,
        wanted: &dyn Fn() -> bool,
    ) -> io::Result<bool> {
        // In this order, as in `use_up`.
        let mut uses = uses_of(family, key)?;
        if let Some(Effect::Counted(known)) = self.undone(family, key) {
            uses = uses.max(known);
        }
        if uses >= u64::from(limit.get()) {
            return Ok(false);
        }
        self.enter(family, key, Effect::Counted(uses + 1), wanted)?;
        Ok(true)
    }

    /// Deletes the number of uses of a row that is in no list any more, unless
    /// the row has been used since that number was read. Returns whether it is
    /// deleted.
    pub fn delete_uses(&mut self, family: &[u8], key: &[u8], uses: &[u8]) -> bool {
        let is_pending = |pending: &Pending| pending.record.is_about(family, key);
        !self.pending.iter().any(is_pending)
            && astdb::own_value_is(family, key, uses)
            && astdb::delete(family, key)
    }

    /// Retires what is on disk, and has this called again if anything is left.
    pub fn look(&mut self) {
        self.retire();
        self.looking = false;
        self.look_again();
    }

    /// Lets go of everything. The journal's file stays as it is.
    pub fn close(&mut self) {
        let number = self.number;
        *self = Self {
            number,
            ..Self::new(self.look_later)
        };
    }

    /// Replays the journal.
    pub fn replay(&mut self) -> io::Result<()> {
        let (records, broken) = journal::left()?;
        if broken > 0 {
            log!(
                Error,
                "'{}' holds {broken} lines that are no record: PINs they meant may work again",
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
                Effect::Counted(_) => behind += u32::from(lost),
            }
        }
        if back > 0 {
            log!(
                Notice,
                "{back} used one-time PINs had come back with a crash: removed again"
            );
        }
        if behind > 0 {
            log!(
                Notice,
                "uses of {behind} PINs had been lost with a crash: counted again"
            );
        }
        self.rewrite()?;
        self.look_again();
        Ok(())
    }

    /// Has a use on disk in the journal and then in the database, unless the
    /// caller has given up before the database is written.
    fn enter(
        &mut self,
        family: &[u8],
        key: &[u8],
        effect: Effect,
        wanted: &dyn Fn() -> bool,
    ) -> io::Result<()> {
        let record = Record {
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
                // Nobody was admitted: the use is not to come with the next load.
                self.rewrite()?;
                return Err(error);
            }
        }
        self.look_again();
        Ok(())
    }

    /// Takes the place of what was pending for the key: the new record counts
    /// on from it.
    fn supersede(&mut self, pending: Pending) {
        let Record { family, key, .. } = &pending.record;
        let same = |older: &Pending| older.record.is_about(family, key);
        if let Some(place) = self.pending.iter().position(same) {
            let older = self.pending.swap_remove(place);
            astdb::delete(MARKERS.to_bytes(), &older.marker);
        }
        self.pending.push(pending);
    }

    /// Writes what a record says, a marker beside it. The marker goes first:
    /// should the database refuse to be written, it says so naming the marker,
    /// and not the PIN.
    fn apply(&mut self, record: Record) -> io::Result<Pending> {
        self.number += 1;
        let marker = self.number.to_string().into_bytes();
        let written_before = astdb::written();
        let family = MARKERS.to_bytes();
        let write = || match record.effect {
            Effect::Removed => astdb::delete(&record.family, &record.key),
            Effect::Counted(uses) => {
                astdb::put(&record.family, &record.key, uses.to_string().as_bytes())
            }
        };
        // Looked at last: a commit that failed between the two markers is seen.
        let done = astdb::put(family, &marker, BEFORE)
            && write()
            && astdb::put(family, &marker, AFTER)
            && is_in_force(&record);
        if !done {
            return Err(io::Error::other("Asterisk's database can't be written"));
        }
        Ok(Pending {
            record,
            marker,
            since: Instant::now(),
            written_before,
        })
    }

    /// Writes a record anew. Uses that the database has counted beyond it stay.
    fn redo(&mut self, record: &Record) -> io::Result<Pending> {
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

    /// What a failed commit of Asterisk's has undone of a key: what the
    /// database says of it is older, and not what somebody has put there.
    fn undone(&self, family: &[u8], key: &[u8]) -> Option<Effect> {
        let same = |pending: &&Pending| pending.record.is_about(family, key);
        let pending = self.pending.iter().find(same)?;
        pending.is_undone().then_some(pending.record.effect)
    }

    /// Retires what is on disk; writes anew what a failed commit of Asterisk's
    /// has undone.
    fn retire(&mut self) {
        if self.journal.is_none() {
            // Not all of it was replayed: what is in the file stays there.
            return;
        }
        let written = astdb::written();
        let mut changed = false;
        for pending in std::mem::take(&mut self.pending) {
            if pending.is_undone() {
                say_undone(&pending.record);
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
                log!(Error, "'{}': {error}", journal::path().display());
            }
        }
    }

    /// Writes the journal anew with what is pending, and has it on disk.
    fn rewrite(&mut self) -> io::Result<()> {
        let records = self.pending.iter().map(|pending| &pending.record);
        self.journal = Some(Journal::write(records)?);
        Ok(())
    }
}

/// How many uses the database knows of.
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
    let written = astdb::put(markers, WITNESS, BEFORE);
    let absent = astdb::presence(family, key) == Presence::Absent;
    if !written || !absent || !astdb::own_value_is(markers, WITNESS, BEFORE) {
        return Err(io::Error::other("Asterisk's database can't be read"));
    }
    astdb::delete(markers, WITNESS);
    Ok(0)
}

/// Whether the database says what the record says, or counts beyond it.
fn is_in_force(record: &Record) -> bool {
    match record.effect {
        Effect::Removed => astdb::presence(&record.family, &record.key) == Presence::Absent,
        Effect::Counted(known) => astdb::own_value(&record.family, &record.key)
            .and_then(|value| uses(&value))
            .is_some_and(|uses| uses >= known),
    }
}

fn say_undone(record: &Record) {
    let family = String::from_utf8_lossy(&record.family);
    let (what, done) = match record.effect {
        Effect::Removed => ("one-time PINs of", "removed"),
        Effect::Counted(_) => ("uses in", "counted"),
    };
    log_once!(
        Warning,
        "Asterisk could not write its database: {what} family '{family}' are {done} again"
    );
}

fn no_journal() -> io::Error {
    io::Error::other("there is no journal")
}

/// Whether somebody has put something else there: a row that admits nobody
/// until the key is deleted.
fn is_no_number(error: &io::Error) -> bool {
    error.kind() == ErrorKind::InvalidData
}
