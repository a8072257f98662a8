//! One-time PINs (option `r`): each admits exactly one call, whatever races
//! or crashes.
//!
//! Asterisk commits its database up to a second after a delete, so a crash
//! would bring the PIN back. Before a caller is admitted, a record is
//! therefore synced to a journal of our own, which is replayed when the module
//! is loaded. A record is retired once the delete is on disk. That is known
//! from two things together, a while after the delete: the database's file
//! has been written to since, and a marker that was put into the database
//! together with the delete is still there (a commit that fails is rolled
//! back, and takes both with it).

use std::fs::{self, File, OpenOptions, Permissions};
use std::io::{self, ErrorKind, Write};
use std::os::unix::fs::{MetadataExt, OpenOptionsExt, PermissionsExt};
use std::path::Path;
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant, SystemTime};

use pinset::one_time::{read, Used};
use zeroize::Zeroizing;

use crate::asterisk::database;
use crate::asterisk::log::{log, log_once};
use crate::asterisk::schedule::Schedule;

/// The journal, beside Asterisk's database.
const JOURNAL: &str = "app_authenticate_rs.journal";
/// The family of the markers. No `_` and no `%` in it: see
/// [`database::delete_own_family`].
const MARKERS: &std::ffi::CStr = c"authenticate-rs";
/// A marker's value before the delete, and after it.
const BEFORE: &[u8] = b"using";
const AFTER: &[u8] = b"used";

/// Asterisk commits within a second of the delete; this long after it, a
/// commit has been tried.
const COMMITTED_AFTER: Duration = Duration::from_secs(3);
/// How often we look, in milliseconds, while there is anything to retire.
const LOOK_EVERY: i32 = 1000;

/// A use that may not be on disk yet.
struct Pending {
    used: Used,
    marker: Vec<u8>,
    since: Instant,
    /// When the database's file had last been written to, before the delete.
    written_before: Option<SystemTime>,
}

impl Pending {
    /// Whether a commit has failed, and the delete with it.
    fn is_undone(&self) -> bool {
        !database::own_value_is(MARKERS.to_bytes(), &self.marker, AFTER)
    }
}

struct Ledger {
    journal: Option<File>,
    pending: Vec<Pending>,
    /// The next marker's number.
    number: u64,
    looking: bool,
}

/// Held over look-up, journal and delete: two callers with one PIN meet here.
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
/// it can, [`use_up`] refuses.
pub fn start() {
    *schedule() = Schedule::new();
    if let Err(error) = ledger().replay() {
        let path = database::beside(JOURNAL);
        log!(
            Error,
            "'{}': {error}. One-time PINs (option r) are refused until the module is loaded anew",
            path.display()
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
    if !database::exists(family, key) || ledger.came_back(family, key) {
        return Ok(false);
    }
    let used = Used {
        family: family.to_vec(),
        key: Zeroizing::new(key.to_vec()),
    };
    ledger.record(&used)?;
    match ledger.delete(used) {
        Ok(pending) => ledger.pending.push(pending),
        Err(error) => {
            // Nobody was admitted: the PIN is not to go with the next load.
            ledger.rewrite()?;
            return Err(error);
        }
    }
    ledger.look_later();
    Ok(true)
}

impl Ledger {
    fn replay(&mut self) -> io::Result<()> {
        let path = database::beside(JOURNAL);
        let text = match fs::read(&path) {
            Ok(text) => Zeroizing::new(text),
            Err(error) if error.kind() == ErrorKind::NotFound => Zeroizing::default(),
            Err(error) => return Err(error),
        };
        let (records, broken) = read(&text);
        if broken > 0 {
            log!(
                Error,
                "'{}' holds {broken} lines that are no record: PINs they meant may work again",
                path.display()
            );
        }
        database::delete_own_family(MARKERS);
        let mut back = 0;
        for used in records {
            back += u32::from(database::exists(&used.family, &used.key));
            let pending = self.delete(used)?;
            self.pending.push(pending);
        }
        if back > 0 {
            log!(
                Notice,
                "{back} used one-time PINs had come back with a crash: removed again"
            );
        }
        self.rewrite()?;
        self.look_later();
        Ok(())
    }

    /// Appends a record and has it on disk before it returns.
    fn record(&mut self, used: &Used) -> io::Result<()> {
        let journal = self.journal.as_ref().ok_or_else(no_journal)?;
        if journal.metadata()?.nlink() == 0 {
            // Somebody has removed it: what is written there is lost.
            self.rewrite()?;
        }
        let journal = self.journal.as_mut().ok_or_else(no_journal)?;
        let length = journal.metadata()?.len();
        let line = used.line();
        let written = journal
            .write_all(line.as_bytes())
            .and_then(|()| journal.sync_data());
        if written.is_err() {
            // No half line before the next record.
            let _ = journal.set_len(length);
        }
        written
    }

    /// Deletes the key, a marker beside it. The marker goes first: should the
    /// database refuse to be written, it says so naming the marker, and not
    /// the PIN.
    fn delete(&mut self, used: Used) -> io::Result<Pending> {
        self.number += 1;
        let marker = self.number.to_string().into_bytes();
        let written_before = database::written();
        let family = MARKERS.to_bytes();
        let done = database::put(family, &marker, BEFORE)
            && database::delete(&used.family, &used.key)
            && database::put(family, &marker, AFTER)
            && !database::exists(&used.family, &used.key);
        if !done {
            return Err(io::Error::other("Asterisk's database can't be written"));
        }
        Ok(Pending {
            used,
            marker,
            since: Instant::now(),
            written_before,
        })
    }

    fn look_later(&mut self) {
        if self.looking || self.pending.is_empty() {
            return;
        }
        self.looking = schedule()
            .as_ref()
            .is_some_and(|schedule| schedule.add(LOOK_EVERY, look));
    }

    /// Whether the key is there only because a failed commit of Asterisk's has
    /// brought it back; and not because somebody has added it again.
    fn came_back(&self, family: &[u8], key: &[u8]) -> bool {
        let same = |pending: &&Pending| {
            pending.used.family == family && pending.used.key.as_slice() == key
        };
        self.pending.iter().filter(same).any(Pending::is_undone)
    }

    /// Retires what is on disk; deletes anew what a failed commit of
    /// Asterisk's has brought back.
    fn retire(&mut self) {
        if self.journal.is_none() {
            // Not all of it was replayed: what is in the file stays there.
            return;
        }
        let written = database::written();
        let mut changed = false;
        for pending in std::mem::take(&mut self.pending) {
            if pending.is_undone() {
                log_once!(
                    Warning,
                    "Asterisk could not write its database: one-time PINs of family '{}' are \
                     removed again",
                    String::from_utf8_lossy(&pending.used.family)
                );
                let again = self.delete(pending.used.clone()).unwrap_or(pending);
                self.pending.push(again);
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
                let path = database::beside(JOURNAL);
                log!(Error, "'{}': {error}", path.display());
            }
        }
    }

    /// Writes the journal anew with what is pending, and has it on disk.
    fn rewrite(&mut self) -> io::Result<()> {
        let path = database::beside(JOURNAL);
        let fresh = path.with_extension("journal.new");
        let mut file = create(&fresh)?;
        for pending in &self.pending {
            file.write_all(pending.used.line().as_bytes())?;
        }
        file.sync_data()?;
        fs::rename(&fresh, &path)?;
        if let Some(directory) = path.parent() {
            File::open(directory)?.sync_all()?;
        }
        self.journal = Some(file);
        Ok(())
    }
}

fn no_journal() -> io::Error {
    io::Error::other("there is no journal")
}

/// The scheduler's call: true to be called again.
fn look() -> bool {
    let mut ledger = ledger();
    ledger.retire();
    ledger.looking = !ledger.pending.is_empty();
    ledger.looking
}

/// An empty file for Asterisk's user alone, whatever stood there before.
fn create(path: &Path) -> io::Result<File> {
    let file = OpenOptions::new()
        .create(true)
        .append(true)
        .mode(0o600)
        .custom_flags(libc::O_NOFOLLOW)
        .open(path)?;
    file.set_len(0)?;
    file.set_permissions(Permissions::from_mode(0o600))?;
    Ok(file)
}
