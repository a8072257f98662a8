//! Uses of PINs, counted exactly whatever races or crashes: a one-time PIN
//! (option `r`) admits one call, a row of a list as many as it may.
//!
//! Both live in Asterisk's database: the key of a one-time PIN is removed, the
//! uses of a row are a number. Asterisk commits its database up to a second
//! after a write, so a crash would give the use back. Before a caller is
//! admitted, a record is therefore synced to a journal of our own, which is
//! replayed when the module is loaded. A record is retired once the write is
//! on disk. That is known from two things together, a while after the write:
//! the database's file has been written to since, and a marker that was put
//! into the database together with the write is still there (a commit that
//! fails is rolled back, and takes both with it).

mod journal;

use std::ffi::CStr;
use std::io::{self, ErrorKind};
use std::num::NonZeroU32;
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant, SystemTime};

use pinset::journal::{uses, Effect, Record};
use zeroize::Zeroizing;

use crate::asterisk::database;
use crate::asterisk::log::{log, log_once};
use crate::asterisk::schedule::Schedule;
use journal::Journal;

/// The family of the markers. No `_` and no `%` in it: see
/// [`database::delete_own_family`].
const MARKERS: &CStr = c"authenticate-rs";
/// A marker's value before the write, and after it.
const BEFORE: &[u8] = b"using";
const AFTER: &[u8] = b"used";
/// The marker of a look-up: their numbers begin at 1.
const WITNESS: &[u8] = b"0";

/// Asterisk commits within a second of a write; this long after it, a commit
/// has been tried.
const COMMITTED_AFTER: Duration = Duration::from_secs(3);
/// How often we look, in milliseconds, while there is anything to retire.
const LOOK_EVERY: i32 = 1000;

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
        !database::own_value_is(MARKERS.to_bytes(), &self.marker, AFTER)
    }
}

struct Ledger {
    journal: Option<Journal>,
    pending: Vec<Pending>,
    /// The next marker's number.
    number: u64,
    looking: bool,
}

/// Held over look-up, journal and write: two callers with one PIN meet here.
static LEDGER: Mutex<Ledger> = Mutex::new(Ledger {
    journal: None,
    pending: Vec::new(),
    number: 0,
    looking: false,
});

static SCHEDULE: Mutex<Option<Schedule>> = Mutex::new(None);

fn ledger() -> MutexGuard<'static, Ledger> {
    LEDGER.lock().unwrap_or_else(PoisonError::into_inner)
}

fn schedule() -> MutexGuard<'static, Option<Schedule>> {
    SCHEDULE.lock().unwrap_or_else(PoisonError::into_inner)
}

/// Replays the journal. To be called once, when the module is loaded.
///
/// A journal that can't be read is said in the log and left as it is: until
/// it can, [`use_up`] and [`count`] refuse.
pub fn start() {
    *schedule() = Schedule::new();
    if let Err(error) = ledger().replay() {
        log!(
            Error,
            "'{}': {error}. One-time PINs (option r) are refused until the module is loaded anew, \
             and so are PINs with a number of uses",
            journal::path().display()
        );
    }
}

/// Stops looking and lets go of everything. What is not retired stays in the
/// journal.
pub fn stop() {
    // Joins the scheduler's thread, which may be waiting for the ledger.
    let schedule = schedule().take();
    drop(schedule);
    let mut ledger = ledger();
    ledger.retire();
    ledger.journal = None;
    ledger.pending = Vec::new();
    ledger.looking = false;
}

/// Uses a PIN up. True: it was there, and no other call gets in by it. False:
/// there is no such PIN. An error: nobody is to be admitted.
pub fn use_up(family: &[u8], key: &[u8]) -> io::Result<bool> {
    let mut ledger = ledger();
    // Before the look-up: what is said must not tell a right PIN from a wrong.
    if ledger.journal.is_none() {
        return Err(no_journal());
    }
    // In this order: a commit that fails between the two takes the marker too.
    if !database::exists(family, key) || ledger.undone(family, key) == Some(Effect::Removed) {
        return Ok(false);
    }
    ledger.enter(family, key, Effect::Removed)?;
    Ok(true)
}

/// Counts one more use of a row, unless it has had `limit` of them. True: it
/// is counted, on disk, and the caller may be admitted. False: the row has had
/// them all. An error: nobody is to be admitted, and the use may be counted all
/// the same; family and key can stand in it, so they must hold no PIN.
///
/// The number of uses is the key's value, in decimal; a key that is not there
/// is none. An administrator who deletes the key so sets the row back, and a
/// use after that counts from there. Only within three seconds of a use that
/// came before may a crash, a commit of Asterisk's that fails or loading the
/// module anew bring that use's number back; then the key is to be deleted
/// again.
pub fn count(family: &[u8], key: &[u8], limit: NonZeroU32) -> io::Result<bool> {
    let mut ledger = ledger();
    if ledger.journal.is_none() {
        return Err(no_journal());
    }
    // In this order, as in `use_up`.
    let mut uses = uses_of(family, key)?;
    if let Some(Effect::Counted(known)) = ledger.undone(family, key) {
        uses = uses.max(known);
    }
    if uses >= u64::from(limit.get()) {
        return Ok(false);
    }
    ledger.enter(family, key, Effect::Counted(uses + 1))?;
    Ok(true)
}

/// How many uses the database knows of.
fn uses_of(family: &[u8], key: &[u8]) -> io::Result<u64> {
    if let Some(value) = database::own_value(family, key) {
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
    let written = database::put(markers, WITNESS, BEFORE);
    let there = database::exists(family, key);
    if !written || there || !database::own_value_is(markers, WITNESS, BEFORE) {
        return Err(io::Error::other("Asterisk's database can't be read"));
    }
    database::delete(markers, WITNESS);
    Ok(0)
}

impl Ledger {
    fn replay(&mut self) -> io::Result<()> {
        let (records, broken) = journal::left()?;
        if broken > 0 {
            log!(
                Error,
                "'{}' holds {broken} lines that are no record: PINs they meant may work again",
                journal::path().display()
            );
        }
        database::delete_own_family(MARKERS);
        // Should that be rolled back, no marker of an earlier load is ours.
        let now = SystemTime::now().duration_since(SystemTime::UNIX_EPOCH);
        self.number = now.map_or(0, |now| u64::try_from(now.as_micros()).unwrap_or(0));
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
        self.look_later();
        Ok(())
    }

    /// Has a use on disk in the journal and then in the database.
    fn enter(&mut self, family: &[u8], key: &[u8], effect: Effect) -> io::Result<()> {
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
        match self.apply(record) {
            Ok(pending) => self.supersede(pending),
            Err(error) => {
                // Nobody was admitted: the use is not to come with the next load.
                self.rewrite()?;
                return Err(error);
            }
        }
        self.look_later();
        Ok(())
    }

    /// Takes the place of what was pending for the key: the new record counts
    /// on from it.
    fn supersede(&mut self, pending: Pending) {
        let Record { family, key, .. } = &pending.record;
        let same = |older: &Pending| older.record.is_about(family, key);
        if let Some(place) = self.pending.iter().position(same) {
            let older = self.pending.swap_remove(place);
            database::delete(MARKERS.to_bytes(), &older.marker);
        }
        self.pending.push(pending);
    }

    /// Writes what a record says, a marker beside it. The marker goes first:
    /// should the database refuse to be written, it says so naming the marker,
    /// and not the PIN.
    fn apply(&mut self, record: Record) -> io::Result<Pending> {
        self.number += 1;
        let marker = self.number.to_string().into_bytes();
        let written_before = database::written();
        let family = MARKERS.to_bytes();
        let write = || match record.effect {
            Effect::Removed => database::delete(&record.family, &record.key),
            Effect::Counted(uses) => {
                database::put(&record.family, &record.key, uses.to_string().as_bytes())
            }
        };
        // Looked at last: a commit that failed between the two markers is seen.
        let done = database::put(family, &marker, BEFORE)
            && write()
            && database::put(family, &marker, AFTER)
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

    fn look_later(&mut self) {
        if self.looking || self.pending.is_empty() {
            return;
        }
        self.looking = schedule()
            .as_ref()
            .is_some_and(|schedule| schedule.add(LOOK_EVERY, look));
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
        let written = database::written();
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
                database::delete(MARKERS.to_bytes(), &pending.marker);
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

/// Whether the database says what the record says, or counts beyond it.
fn is_in_force(record: &Record) -> bool {
    match record.effect {
        Effect::Removed => !database::exists(&record.family, &record.key),
        Effect::Counted(known) => database::own_value(&record.family, &record.key)
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

/// The scheduler's call: true to be called again.
fn look() -> bool {
    let mut ledger = ledger();
    ledger.retire();
    ledger.looking = !ledger.pending.is_empty();
    ledger.looking
}
