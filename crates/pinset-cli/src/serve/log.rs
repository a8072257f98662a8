//! The request log: in SQLite, written by one thread, off the path of requests.
//!
//! A queue that is full, or a file that can't be written, keeps no caller
//! waiting and refuses none: what is lost is counted, and told.

use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering::Relaxed};
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::thread::JoinHandle;
use std::time::Duration;

use bytes::Bytes;
use rusqlite::{params, Connection};
use tokio::sync::oneshot;

use crate::failure::{note, Failure};
use crate::serve::{database, state};

mod filter;
pub mod page;

pub use filter::{Filter, Row, PAGE};

/// So many requests wait to be written: some seconds of them.
const WAITING: usize = 50_000;
/// So long they are gathered to be written at once.
const GATHERED: Duration = Duration::from_millis(50);
/// So many rows go at once when they are too old or too many.
const GO_AT_ONCE: u32 = 5_000;
const DAY: i64 = 24 * 60 * 60 * 1000;

const TABLES: &str = "
    CREATE TABLE IF NOT EXISTS log (
        id INTEGER PRIMARY KEY,
        time INTEGER NOT NULL,
        method TEXT NOT NULL,
        path TEXT NOT NULL,
        client TEXT NOT NULL,
        caller TEXT NOT NULL,
        outcome TEXT NOT NULL,
        account TEXT NOT NULL,
        status INTEGER NOT NULL,
        duration INTEGER NOT NULL,
        request TEXT NOT NULL,
        response TEXT NOT NULL
    );
    CREATE INDEX IF NOT EXISTS log_time ON log (time);";

/// A request and its response, without a PIN.
pub struct Entry {
    /// When it came, in milliseconds since the Unix epoch.
    pub time: i64,
    pub method: String,
    pub path: String,
    /// Whose address it came from.
    pub client: String,
    pub caller: String,
    /// What became of it, in a word.
    pub outcome: &'static str,
    /// Whose PIN it was.
    pub account: String,
    pub status: u16,
    /// In microseconds.
    pub duration: u64,
    pub request: String,
    pub response: Bytes,
}

/// What is to be written.
#[derive(Default)]
struct Queue {
    waiting: Mutex<Waiting>,
    /// The first entry after none, or somebody is in a hurry.
    call: Condvar,
}

#[derive(Default)]
struct Waiting {
    entries: Vec<Entry>,
    /// To be told when all of it is written, or lost.
    asked: Vec<oneshot::Sender<()>>,
    /// There is no more.
    stopped: bool,
}

impl Queue {
    fn waiting(&self) -> MutexGuard<'_, Waiting> {
        self.waiting.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// What there is to write, gathered for a while unless it is wanted at once.
    fn take(&self) -> Waiting {
        let nothing = |waiting: &mut Waiting| waiting.entries.is_empty() && !waiting.is_wanted();
        let waiting = self
            .call
            .wait_while(self.waiting(), nothing)
            .unwrap_or_else(PoisonError::into_inner);
        // Nobody who adds an entry wakes us meanwhile: that takes longer than adding.
        let (mut waiting, _) = self
            .call
            .wait_timeout_while(waiting, GATHERED, |waiting| !waiting.is_wanted())
            .unwrap_or_else(PoisonError::into_inner);
        Waiting {
            entries: std::mem::take(&mut waiting.entries),
            asked: std::mem::take(&mut waiting.asked),
            stopped: waiting.stopped,
        }
    }
}

impl Waiting {
    fn is_wanted(&self) -> bool {
        self.stopped || !self.asked.is_empty()
    }
}

/// What is known of the writing.
#[derive(Default)]
struct Told {
    lost: AtomicU64,
    failing: AtomicBool,
}

/// The request log.
pub struct Log {
    path: PathBuf,
    queue: Arc<Queue>,
    told: Arc<Told>,
}

/// Writes the log.
pub struct Writer {
    thread: JoinHandle<()>,
    queue: Arc<Queue>,
}

impl Log {
    /// Opens the log, and has it written until [`Writer::finish`]. Rows older than `days` go, and all above `rows`.
    ///
    /// # Errors
    ///
    /// The file can't be used.
    pub fn open(path: &Path, days: u32, rows: u32) -> Result<(Self, Writer), Failure> {
        let database = database::open(path, TABLES)?;
        let queue = Arc::new(Queue::default());
        let told = Arc::new(Told::default());
        let mut work = Work {
            path: path.to_owned(),
            database,
            told: Arc::clone(&told),
            days,
            rows,
        };
        let thread = std::thread::Builder::new().name("log".to_owned());
        let queued = Arc::clone(&queue);
        let thread = thread.spawn(move || work.run(&queued));
        let thread = thread.map_err(Failure::told)?;
        let writer = Writer {
            thread,
            queue: Arc::clone(&queue),
        };
        let path = path.to_owned();
        Ok((Self { path, queue, told }, writer))
    }

    /// Has an entry written soon.
    pub fn add(&self, entry: Entry) {
        let mut waiting = self.queue.waiting();
        let before = waiting.entries.len();
        if before < WAITING {
            waiting.entries.push(entry);
        }
        drop(waiting);
        match before {
            0 => self.queue.call.notify_one(),
            WAITING => self.told.lose(1, || "the request log can't keep up"),
            _ => {}
        }
    }

    /// Waits until all that was added is written.
    pub async fn flush(&self) {
        let (done, all) = oneshot::channel();
        self.queue.waiting().asked.push(done);
        self.queue.call.notify_one();
        let _ = all.await;
    }

    /// How many entries were lost.
    pub fn lost(&self) -> u64 {
        self.told.lost.load(Relaxed)
    }

    /// Whether the last entries could not be written.
    pub fn is_failing(&self) -> bool {
        self.told.failing.load(Relaxed)
    }

    /// The rows that a filter wants. It blocks.
    ///
    /// # Errors
    ///
    /// The file can't be read, or it takes too long.
    pub fn find(&self, filter: &Filter) -> rusqlite::Result<Vec<Row>> {
        filter.find(&database::look(&self.path)?)
    }
}

impl Writer {
    /// Waits until all is written.
    pub fn finish(self) {
        self.queue.waiting().stopped = true;
        self.queue.call.notify_one();
        // It ends whatever happens.
        let _ = self.thread.join();
    }
}

impl Told {
    fn lose(&self, entries: u64, why: impl FnOnce() -> &'static str) {
        // Once, until it works again.
        if self.lost.fetch_add(entries, Relaxed) == 0 {
            note(format!("{}: entries are lost, and counted", why()));
        }
    }
}

struct Work {
    path: PathBuf,
    database: Connection,
    told: Arc<Told>,
    days: u32,
    rows: u32,
}

impl Work {
    fn run(&mut self, queue: &Queue) {
        loop {
            let taken = queue.take();
            self.write(&taken.entries);
            for done in taken.asked {
                // Who asked may be gone.
                let _ = done.send(());
            }
            if taken.stopped {
                return;
            }
        }
    }

    fn write(&mut self, entries: &[Entry]) {
        let written = self.store(entries).and_then(|()| self.tidy());
        let failed = written.is_err();
        let before = self.told.failing.swap(failed, Relaxed);
        match written {
            Err(why) => {
                self.told.lost.fetch_add(entries.len() as u64, Relaxed);
                if !before {
                    note(Failure::at(
                        &self.path,
                        format!("{why}: requests are not logged"),
                    ));
                }
            }
            Ok(()) if before => {
                let lost = self.told.lost.load(Relaxed);
                let path = self.path.display();
                note(format!(
                    "{path}: requests are logged again; lost so far: {lost}"
                ));
            }
            Ok(()) => {}
        }
    }

    fn store(&mut self, entries: &[Entry]) -> rusqlite::Result<()> {
        let write = self.database.transaction()?;
        {
            let mut insert = write.prepare_cached(
                "INSERT INTO log (time, method, path, client, caller, outcome, account, status, \
                 duration, request, response) VALUES (?1,?2,?3,?4,?5,?6,?7,?8,?9,?10,?11)",
            )?;
            for entry in entries {
                let response = String::from_utf8_lossy(&entry.response);
                insert.execute(params![
                    entry.time,
                    entry.method,
                    entry.path,
                    entry.client,
                    entry.caller,
                    entry.outcome,
                    entry.account,
                    entry.status,
                    entry.duration,
                    entry.request,
                    response,
                ])?;
            }
        }
        write.commit()
    }

    /// Lets rows go that are too old or too many.
    fn tidy(&mut self) -> rusqlite::Result<()> {
        let now = i64::try_from(state::now().as_millis()).unwrap_or(i64::MAX);
        let oldest = now - i64::from(self.days) * DAY;
        let mut old = self.database.prepare_cached(
            "DELETE FROM log WHERE id IN (SELECT id FROM log WHERE time < ?1 LIMIT ?2)",
        )?;
        old.execute(params![oldest, GO_AT_ONCE])?;
        let mut many = self.database.prepare_cached(
            "DELETE FROM log WHERE id IN (SELECT id FROM log \
             WHERE id <= (SELECT max(id) FROM log) - ?1 ORDER BY id LIMIT ?2)",
        )?;
        many.execute(params![self.rows, GO_AT_ONCE])?;
        Ok(())
    }
}
