//! What must outlive a restart: lockouts, and the tries of calls.
//!
//! Memory decides; what has changed is written to SQLite within a second.

use std::collections::{HashMap, HashSet};
use std::path::Path;
use std::sync::Arc;
use std::thread::JoinHandle;
use std::time::Duration;

use parking_lot::{Condvar, Mutex};
use pinset::lockout::{Capacity, Lockouts};
use pinset::timestamp::since_epoch;
use rusqlite::{params, Connection};

use crate::common::error::{note, At, CommandError};
use crate::serve::database;
use crate::serve::tally::{key, Key, Tallies, Tally};

/// How long after a change it is written.
const WRITE_AFTER: Duration = Duration::from_secs(1);
/// So many rows at a time are made with the lockouts locked.
const AT_ONCE: usize = 10;
/// With so many rows that could not be written, no more changes are taken: until
/// they are written the lockouts hold them, whose number is bounded.
const MOST_UNWRITTEN: usize = 10_000;
/// A call is forgotten so long after its last try.
const CALL: Duration = Duration::from_secs(60 * 60);

const TABLES: &str = "
    CREATE TABLE IF NOT EXISTS lockouts (key TEXT PRIMARY KEY, value TEXT NOT NULL) WITHOUT ROWID;
    CREATE TABLE IF NOT EXISTS calls (
        key BLOB PRIMARY KEY, tries INTEGER NOT NULL, until INTEGER NOT NULL
    ) WITHOUT ROWID;";

/// The tries of calls, by service and `uuid`.
#[derive(Default)]
struct Calls {
    known: Tallies,
    changed: HashSet<Key>,
}

struct Shared {
    lockouts: Mutex<Lockouts>,
    calls: Mutex<Calls>,
    wanted: Mutex<Wanted>,
    call: Condvar,
}

/// What the writer is to do.
#[derive(Clone, Copy, Default)]
struct Wanted {
    /// Write, a second later.
    write: bool,
    /// Write now, for the last time.
    stop: bool,
}

/// The state.
pub struct State {
    shared: Arc<Shared>,
}

/// Writes the state.
pub struct Writer {
    thread: JoinHandle<()>,
    shared: Arc<Shared>,
}

impl State {
    /// Takes in what is stored, and has what changes stored until
    /// [`Writer::finish`].
    ///
    /// # Errors
    ///
    /// The file can't be used.
    pub fn open(path: &Path) -> Result<(Self, Writer), CommandError> {
        let database = database::open(path, TABLES)?;
        let shared = Arc::new(Shared {
            lockouts: Mutex::new(Lockouts::new(Capacity::DEFAULT)),
            calls: Mutex::default(),
            wanted: Mutex::default(),
            call: Condvar::new(),
        });
        shared.restore(&database).at(path)?;
        let mut work = Work {
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
            while work.shared.wait() {
                if work.write(&say) {
                    // What can't be written is tried again.
                    work.shared.wanted.lock().write = true;
                }
            }
            if work.write(&say) {
                // What was not taken while too many rows could not be written.
                work.write(&say);
            }
        });
        let writer = Writer {
            thread: thread.map_err(CommandError::new)?,
            shared: Arc::clone(&shared),
        };
        Ok((Self { shared }, writer))
    }

    /// Does something with the lockouts, which takes some microseconds.
    pub fn lockouts<T>(&self, what: impl FnOnce(&mut Lockouts, Duration) -> T) -> T {
        what(&mut self.shared.lockouts.lock(), since_epoch())
    }

    /// Has what has changed written soon.
    pub fn changed(&self) {
        let mut wanted = self.shared.wanted.lock();
        // Who is to write already is not woken: that takes longer than all else here.
        if !std::mem::replace(&mut wanted.write, true) {
            self.shared.call.notify_one();
        }
    }

    /// Takes one of the tries of a call: false, if it has had as many.
    pub fn take_try(&self, service: &str, uuid: &str, most: u32) -> bool {
        let (key, now) = (key(&[service, uuid]), since_epoch().as_secs());
        let mut calls = self.shared.calls.lock();
        let tries = calls.tries(&key, now);
        if tries >= most {
            return false;
        }
        calls.put(key, tries + 1, now);
        drop(calls);
        self.changed();
        true
    }

    /// Gives one back: it did not count.
    pub fn refund_try(&self, service: &str, uuid: &str) {
        let (key, now) = (key(&[service, uuid]), since_epoch().as_secs());
        let mut calls = self.shared.calls.lock();
        let tries = calls.tries(&key, now);
        if tries == 0 {
            return;
        }
        calls.put(key, tries - 1, now);
        drop(calls);
        self.changed();
    }

    /// How many tries a call has had.
    pub fn tries(&self, service: &str, uuid: &str) -> u32 {
        let calls = self.shared.calls.lock();
        calls.tries(&key(&[service, uuid]), since_epoch().as_secs())
    }
}

impl Writer {
    /// Waits until all is written.
    pub fn finish(self) {
        self.shared.wanted.lock().stop = true;
        self.shared.call.notify_one();
        // It ends whatever happens.
        let _ = self.thread.join();
    }
}

impl Calls {
    fn tries(&self, key: &Key, now: u64) -> u32 {
        self.known.get(key, now).map_or(0, |call| call.count)
    }

    fn put(&mut self, key: Key, tries: u32, now: u64) {
        let Self { known, changed } = self;
        changed.insert(key);
        if tries == 0 {
            known.remove(&key);
            return;
        }
        let call = Tally {
            count: tries,
            until: now + CALL.as_secs(),
        };
        known.put(key, call, now, |gone| {
            changed.insert(gone);
        });
    }

    fn forget_old(&mut self, now: u64) {
        let Self { known, changed } = self;
        known.expire(now, |gone| {
            changed.insert(gone);
        });
    }
}

impl Shared {
    /// Waits until something has changed, and for more that may; false: no more
    /// will.
    fn wait(&self) -> bool {
        let idle = |wanted: &mut Wanted| !wanted.write && !wanted.stop;
        let mut wanted = self.wanted.lock();
        self.call.wait_while(&mut wanted, idle);
        let is_early = |wanted: &mut Wanted| !wanted.stop;
        self.call.wait_while_for(&mut wanted, is_early, WRITE_AFTER);
        wanted.write = false;
        !wanted.stop
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
            note(format!("{broken} stored lockouts are none and are ignored"));
        }
        Ok(())
    }
}

/// What is still to be written: the latest of each.
struct Work {
    shared: Arc<Shared>,
    database: Connection,
    lockouts: HashMap<String, Option<String>>,
    calls: HashMap<Key, Option<Tally>>,
    failing: bool,
}

impl Work {
    /// Returns true if something is still to be written.
    fn write(&mut self, say: &impl Fn(&rusqlite::Error)) -> bool {
        if self.lockouts.len() < MOST_UNWRITTEN {
            self.take_changes();
        }
        let (mut calls, now) = (self.shared.calls.lock(), since_epoch().as_secs());
        calls.forget_old(now);
        for key in std::mem::take(&mut calls.changed) {
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
                    note("lockouts are in force, and are written later");
                }
                self.failing = true;
            }
        }
        self.failing || self.shared.lockouts.lock().has_changes()
    }

    fn take_changes(&mut self) {
        loop {
            let changes = self.shared.lockouts.lock().take_changes(AT_ONCE);
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
    use pinset::lockout::{Caller, Judged, Limits, Subject};

    use super::*;

    fn file() -> (tempfile::TempDir, std::path::PathBuf) {
        let folder = tempfile::tempdir().expect("a folder");
        let path = folder.path().join("state.db");
        (folder, path)
    }

    #[test]
    fn tries_outlive_a_restart() {
        let (_folder, path) = file();
        let (state, writer) = State::open(&path).expect("a state");
        assert!(state.take_try("one", "a", 2));
        assert!(state.take_try("one", "a", 2));
        assert!(!state.take_try("one", "a", 2));
        assert!(state.take_try("two", "a", 1));
        assert!(state.take_try("one", "b", 1));
        state.refund_try("one", "b");
        writer.finish();
        let (state, writer) = State::open(&path).expect("a state");
        assert_eq!(state.tries("one", "a"), 2);
        assert!(!state.take_try("one", "a", 2) && !state.take_try("two", "a", 1));
        assert!(state.take_try("one", "b", 1));
        writer.finish();
    }

    /// Wrong entries of these callers.
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
            lockouts.settle(charge, Judged::Wrong, since_epoch());
        }
    }

    #[test]
    fn rows_waiting_for_a_failing_database_are_bounded_and_then_written() {
        const ROUND: usize = 4_000;
        const ROUNDS: usize = 8;
        let mut work = Work {
            shared: Arc::new(Shared {
                lockouts: Mutex::default(),
                calls: Mutex::default(),
                wanted: Mutex::default(),
                call: Condvar::new(),
            }),
            // It has no tables.
            database: Connection::open_in_memory().expect("a database"),
            lockouts: HashMap::new(),
            calls: HashMap::new(),
            failing: false,
        };
        for round in 0..ROUNDS {
            let callers = round * ROUND..(round + 1) * ROUND;
            fail(&mut work.shared.lockouts.lock(), callers);
            assert!(work.write(&|_| {}));
            assert!(work.lockouts.len() < MOST_UNWRITTEN + ROUND);
        }
        work.database.execute_batch(TABLES).expect("tables");
        // The rows that waited, and then what the lockouts held meanwhile.
        assert!(work.write(&|_| {}));
        assert!(!work.write(&|_| {}));
        let rows = work
            .database
            .query_row("SELECT count(*) FROM lockouts", [], |row| row.get(0));
        assert_eq!(rows, Ok(ROUND * ROUNDS));
    }
}
