//! State that survives a restart: lockouts, and the attempts of calls.
//!
//! Decisions use the state in memory; changes are written to SQLite within a second.

use std::collections::HashMap;
use std::path::Path;
use std::sync::Arc;
use std::thread::JoinHandle;
use std::time::Duration;

use parking_lot::{Condvar, Mutex};
use pinset::lockout::{Capacity, Lockouts};
use pinset::timestamp::since_epoch;
use rusqlite::{params, Connection};

use crate::common::database;
use crate::common::error::{note, At, CommandError};
use crate::serve::tally::{Key, Tallies, Tally};

/// Time between a change and its write.
const WRITE_DELAY: Duration = Duration::from_secs(1);
/// Maximum number of rows that are built while the lockouts are locked.
const MAX_ROWS_PER_LOCK: usize = 10;
/// Number of rows that could not be written at which no more changes are taken.
/// Until they are written, the lockouts hold the changes, and their number is bounded.
const MAX_UNWRITTEN: usize = 10_000;
/// Time after its last attempt at which a call is removed.
const CALL_LIFETIME: Duration = Duration::from_secs(60 * 60);

const TABLES: &str = "
    CREATE TABLE IF NOT EXISTS lockouts (key TEXT PRIMARY KEY, value TEXT NOT NULL) WITHOUT ROWID;
    CREATE TABLE IF NOT EXISTS calls (
        key BLOB PRIMARY KEY, tries INTEGER NOT NULL, until INTEGER NOT NULL
    ) WITHOUT ROWID;";

/// The attempts of calls, by service and `uuid`.
#[derive(Default)]
struct Calls {
    known: Tallies,
    /// Those that have changed since they were written, and whether they had a row then.
    changed: HashMap<Key, bool>,
}

struct StateShared {
    lockouts: Mutex<Lockouts>,
    calls: Mutex<Calls>,
    signal: Mutex<WriterSignal>,
    wakeup: Condvar,
}

/// The task of the writer.
#[derive(Clone, Copy, Default)]
struct WriterSignal {
    /// Write after [`WRITE_DELAY`].
    write: bool,
    /// Write now, and stop.
    stop: bool,
}

/// The state in memory, and the signal to its writer.
pub(super) struct State {
    shared: Arc<StateShared>,
}

/// The thread that writes the state.
pub(super) struct StateWriter {
    thread: JoinHandle<()>,
    shared: Arc<StateShared>,
}

impl State {
    /// Loads the stored state, and stores changes until [`StateWriter::finish`].
    ///
    /// # Errors
    ///
    /// Fails if the file can't be used.
    pub(super) fn open(path: &Path) -> Result<(Self, StateWriter), CommandError> {
        let database = database::open(path, TABLES)?;
        let shared = Arc::new(StateShared {
            lockouts: Mutex::new(Lockouts::new(Capacity::DEFAULT)),
            calls: Mutex::default(),
            signal: Mutex::default(),
            wakeup: Condvar::new(),
        });
        shared.restore(&database).at(path)?;
        let mut pending = PendingChanges {
            shared: Arc::clone(&shared),
            database,
            lockouts: HashMap::new(),
            calls: HashMap::new(),
            failing: false,
        };
        let path = path.to_owned();
        let thread = std::thread::Builder::new().name("state".to_owned());
        let thread = thread.spawn(move || {
            let say = |why: &rusqlite::Error| note(CommandError::at(&path, why));
            while pending.shared.wait() {
                if pending.write(&say) {
                    // Changes that could not be written are retried.
                    pending.shared.signal.lock().write = true;
                }
            }
            if pending.write(&say) {
                // Changes that were not taken while too many rows were unwritten.
                pending.write(&say);
            }
        });
        let writer = StateWriter {
            thread: thread.map_err(CommandError::new)?,
            shared: Arc::clone(&shared),
        };
        Ok((Self { shared }, writer))
    }

    /// Runs `what` with the lockouts locked, which must take some microseconds only.
    pub(super) fn lockouts<T>(&self, what: impl FnOnce(&mut Lockouts, Duration) -> T) -> T {
        what(&mut self.shared.lockouts.lock(), since_epoch())
    }

    /// Schedules a write of what has changed.
    pub(super) fn changed(&self) {
        let mut signal = self.shared.signal.lock();
        // A writer with a pending write is not woken: that would be the slowest step here.
        if !std::mem::replace(&mut signal.write, true) {
            self.shared.wakeup.notify_one();
        }
    }

    /// Takes one of the `most` attempts of a call, whose key is of service and `uuid`.
    /// Returns `false` if none is left.
    pub(super) fn take_try(&self, call: Key, most: u32) -> bool {
        let now = since_epoch().as_secs();
        let mut calls = self.shared.calls.lock();
        let tries = calls.tries(&call, now);
        if tries >= most {
            return false;
        }
        calls.put(call, tries + 1, now);
        drop(calls);
        self.changed();
        true
    }

    /// Returns one attempt to a call.
    pub(super) fn refund_try(&self, call: Key) {
        let now = since_epoch().as_secs();
        let mut calls = self.shared.calls.lock();
        let tries = calls.tries(&call, now);
        if tries == 0 {
            return;
        }
        calls.put(call, tries - 1, now);
        drop(calls);
        self.changed();
    }

    /// Returns how many attempts a call has made.
    pub(super) fn tries(&self, call: &Key) -> u32 {
        let calls = self.shared.calls.lock();
        calls.tries(call, since_epoch().as_secs())
    }
}

impl StateWriter {
    /// Waits until everything is written.
    pub(super) fn finish(self) {
        self.shared.signal.lock().stop = true;
        self.shared.wakeup.notify_one();
        // A panic of the thread changes nothing here.
        let _ = self.thread.join();
    }
}

impl Calls {
    fn tries(&self, key: &Key, now: u64) -> u32 {
        self.known.get(key, now).map_or(0, |call| call.count)
    }

    fn put(&mut self, key: Key, tries: u32, now: u64) {
        let Self { known, changed } = self;
        let is_known = known.get(&key, 0).is_some();
        let has_row = *changed.entry(key).or_insert(is_known);
        if tries == 0 {
            known.remove(&key);
            if !has_row {
                // Most calls take one attempt and get it back at once.
                changed.remove(&key);
            }
            return;
        }
        let call = Tally {
            count: tries,
            until: now + CALL_LIFETIME.as_secs(),
        };
        known.put(key, call, now, |gone| {
            changed.insert(gone, true);
        });
    }

    fn forget_old(&mut self, now: u64) {
        let Self { known, changed } = self;
        known.expire(now, |gone| {
            changed.insert(gone, true);
        });
    }
}

impl StateShared {
    /// Waits until something has changed, and then for further changes. Returns
    /// `false` if no more will come.
    fn wait(&self) -> bool {
        let idle = |signal: &mut WriterSignal| !signal.write && !signal.stop;
        let mut signal = self.signal.lock();
        self.wakeup.wait_while(&mut signal, idle);
        let is_early = |signal: &mut WriterSignal| !signal.stop;
        self.wakeup
            .wait_while_for(&mut signal, is_early, WRITE_DELAY);
        signal.write = false;
        !signal.stop
    }

    fn restore(&self, database: &Connection) -> rusqlite::Result<()> {
        let (mut lockouts, mut calls) = (self.lockouts.lock(), self.calls.lock());
        let mut broken = 0_u32;
        let mut rows = database.prepare("SELECT key, value FROM lockouts")?;
        let mut rows = rows.query([])?;
        while let Some(row) = rows.next()? {
            let (key, value): (String, String) = (row.get(0)?, row.get(1)?);
            broken += u32::from(lockouts.restore(&key, &value, since_epoch()).is_err());
        }
        let mut rows = database.prepare("SELECT key, tries, until FROM calls")?;
        let mut rows = rows.query([])?;
        while let Some(row) = rows.next()? {
            let (count, until) = (row.get(1)?, row.get(2)?);
            let call = Tally { count, until };
            calls.known.put(row.get(0)?, call, 0, drop);
        }
        if broken > 0 {
            note(format!("{broken} stored lockouts are invalid and ignored"));
        }
        Ok(())
    }
}

/// Changes that are still to be written: the latest of each key.
struct PendingChanges {
    shared: Arc<StateShared>,
    database: Connection,
    lockouts: HashMap<String, Option<String>>,
    calls: HashMap<Key, Option<Tally>>,
    failing: bool,
}

impl PendingChanges {
    /// Returns `true` if something is still to be written.
    fn write(&mut self, say: &impl Fn(&rusqlite::Error)) -> bool {
        if self.lockouts.len() < MAX_UNWRITTEN {
            self.take_changes();
        }
        let (mut calls, now) = (self.shared.calls.lock(), since_epoch().as_secs());
        calls.forget_old(now);
        for key in std::mem::take(&mut calls.changed).into_keys() {
            self.calls.insert(key, calls.known.get(&key, now));
        }
        drop(calls);
        match self.store() {
            Ok(()) => {
                self.lockouts.clear();
                self.calls.clear();
                self.failing = false;
            }
            Err(why) => {
                if !self.failing {
                    say(&why);
                    note("lockouts are in force and will be written later");
                }
                self.failing = true;
            }
        }
        self.failing || self.shared.lockouts.lock().has_changes()
    }

    fn take_changes(&mut self) {
        loop {
            let changes = self.shared.lockouts.lock().take_changes(MAX_ROWS_PER_LOCK);
            if changes.is_empty() {
                break;
            }
            let changes = changes.into_iter().map(|change| (change.key, change.value));
            self.lockouts.extend(changes);
        }
    }

    fn store(&mut self) -> rusqlite::Result<()> {
        if self.lockouts.is_empty() && self.calls.is_empty() {
            return Ok(());
        }
        let write = self.database.transaction()?;
        {
            let mut put = write.prepare_cached("REPLACE INTO lockouts VALUES (?1, ?2)")?;
            let mut delete = write.prepare_cached("DELETE FROM lockouts WHERE key = ?1")?;
            for (key, value) in &self.lockouts {
                match value {
                    Some(value) => put.execute(params![key, value])?,
                    None => delete.execute(params![key])?,
                };
            }
            let mut put = write.prepare_cached("REPLACE INTO calls VALUES (?1, ?2, ?3)")?;
            let mut delete = write.prepare_cached("DELETE FROM calls WHERE key = ?1")?;
            for (key, call) in &self.calls {
                match call {
                    Some(call) => put.execute(params![key, call.count, call.until])?,
                    None => delete.execute(params![key])?,
                };
            }
        }
        write.commit()
    }
}

#[cfg(test)]
mod tests {
    use pinset::lockout::{AttemptResult, Caller, Limits, Subject};

    use super::*;
    use crate::serve::tally::key;

    fn file() -> (tempfile::TempDir, std::path::PathBuf) {
        let folder = tempfile::tempdir().expect("a folder");
        let path = folder.path().join("state.db");
        (folder, path)
    }

    #[test]
    fn attempts_survive_restart() {
        let (_folder, path) = file();
        let [one, two, three] = [["one", "a"], ["two", "a"], ["one", "b"]].map(|call| key(&call));
        let (state, writer) = State::open(&path).expect("a state");
        assert!(state.take_try(one, 2));
        assert!(state.take_try(one, 2));
        assert!(!state.take_try(one, 2));
        assert!(state.take_try(two, 1));
        assert!(state.take_try(three, 1));
        state.refund_try(three);
        writer.finish();
        let (state, writer) = State::open(&path).expect("a state");
        assert_eq!(state.tries(&one), 2);
        assert!(!state.take_try(one, 2) && !state.take_try(two, 1));
        assert!(state.take_try(three, 1));
        writer.finish();
    }

    /// A call that was written with an attempt has a row, which is deleted.
    #[test]
    fn attempt_given_back_before_it_is_written_needs_no_write() {
        let mut calls = Calls::default();
        let [one, two] = [["one", "a"], ["one", "b"]].map(|call| key(&call));
        calls.put(one, 1, 0);
        calls.put(one, 0, 0);
        assert_eq!(calls.changed.len(), 0);
        calls.put(two, 1, 0);
        assert_eq!(std::mem::take(&mut calls.changed).len(), 1);
        calls.put(two, 2, 0);
        calls.put(two, 0, 0);
        assert_eq!(calls.changed.len(), 1);
    }

    /// Records a wrong entry of each caller.
    fn fail(lockouts: &mut Lockouts, callers: std::ops::Range<usize>) {
        let limits = Limits::from(&pinset::PinSet::default());
        for number in callers {
            let caller = Caller::new(Some(number.to_string().as_bytes()), "service-0");
            let subject = Subject {
                pin_set: "service",
                limits: Limits {
                    pin_set: None,
                    ..limits
                },
                caller: &caller,
            };
            let charge = lockouts
                .charge(&subject, 0, since_epoch())
                .expect("a charge");
            lockouts.settle(charge, AttemptResult::Wrong, since_epoch());
        }
    }

    #[test]
    fn unwritten_rows_of_failing_database_are_bounded_and_written_later() {
        const ROUND: usize = 4_000;
        const ROUNDS: usize = 8;
        let mut pending = PendingChanges {
            shared: Arc::new(StateShared {
                lockouts: Mutex::default(),
                calls: Mutex::default(),
                signal: Mutex::default(),
                wakeup: Condvar::new(),
            }),
            // Without tables, each write fails.
            database: Connection::open_in_memory().expect("a database"),
            lockouts: HashMap::new(),
            calls: HashMap::new(),
            failing: false,
        };
        for round in 0..ROUNDS {
            let callers = round * ROUND..(round + 1) * ROUND;
            fail(&mut pending.shared.lockouts.lock(), callers);
            assert!(pending.write(&|_| {}));
            assert!(pending.lockouts.len() < MAX_UNWRITTEN + ROUND);
        }
        pending.database.execute_batch(TABLES).expect("tables");
        // The unwritten rows, and then what the lockouts held meanwhile.
        assert!(pending.write(&|_| {}));
        assert!(!pending.write(&|_| {}));
        let rows = pending
            .database
            .query_row("SELECT count(*) FROM lockouts", [], |row| row.get(0));
        assert_eq!(rows, Ok(ROUND * ROUNDS));
    }
}
