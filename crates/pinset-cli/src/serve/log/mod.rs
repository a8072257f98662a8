//! The request log: in SQLite, written by one thread, off the path of requests.
//!
//! A queue that is full, or a file that can't be written, keeps no caller
//! waiting and refuses none: what is lost is counted, and told.

use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering::Relaxed};
use std::sync::Arc;
use std::thread::JoinHandle;
use std::time::Duration;

use parking_lot::{Condvar, Mutex};
use tokio::sync::oneshot;

use crate::common::error::{note, At, CommandError};
use crate::serve::database;

mod entry;
mod filter;
pub mod page;
mod table;

pub use entry::{Call, Entry, HANGUP, UNAUTHORIZED};
pub use filter::{Filter, Row};
use table::{Table, TABLES};

/// The most requests that wait to be written, some seconds of them; of these,
/// the most without credentials; and the most bytes of all.
const MAX_WAITING: usize = 50_000;
const MAX_WAITING_UNAUTHORIZED: usize = 1_000;
const MAX_WAITING_BYTES: usize = 64 << 20;
/// So long they are gathered to be written at once.
const GATHERED: Duration = Duration::from_millis(50);

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
    /// How many of them have no credentials.
    unauthorized: usize,
    bytes: usize,
    /// To be told when all of it is written, or lost.
    asked: Vec<oneshot::Sender<()>>,
    /// There is no more.
    stopped: bool,
}

impl Queue {
    /// What there is to write, gathered for a while unless it is wanted at once.
    fn take(&self) -> Waiting {
        let nothing = |waiting: &mut Waiting| waiting.entries.is_empty() && !waiting.is_wanted();
        let mut waiting = self.waiting.lock();
        self.call.wait_while(&mut waiting, nothing);
        // Nobody who adds an entry wakes us meanwhile: that takes longer than adding.
        let is_early = |waiting: &mut Waiting| !waiting.is_wanted();
        self.call.wait_while_for(&mut waiting, is_early, GATHERED);
        Waiting {
            entries: std::mem::take(&mut waiting.entries),
            unauthorized: std::mem::take(&mut waiting.unauthorized),
            bytes: std::mem::take(&mut waiting.bytes),
            asked: std::mem::take(&mut waiting.asked),
            stopped: waiting.stopped,
        }
    }
}

impl Waiting {
    fn is_wanted(&self) -> bool {
        self.stopped || !self.asked.is_empty()
    }

    /// Adds an entry, unless there is no room for it.
    fn add(&mut self, entry: Entry) -> bool {
        let (unauthorized, bytes) = (usize::from(entry.is_unauthorized()), entry.bytes());
        let fits = self.entries.len() < MAX_WAITING
            && self.unauthorized + unauthorized <= MAX_WAITING_UNAUTHORIZED
            && self.bytes.saturating_add(bytes) <= MAX_WAITING_BYTES;
        if fits {
            self.unauthorized += unauthorized;
            self.bytes += bytes;
            self.entries.push(entry);
        }
        fits
    }
}

/// What is known of the writing.
#[derive(Default)]
struct Told {
    lost: AtomicU64,
    /// The queue has been full.
    full: AtomicBool,
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
    pub fn open(path: &Path, days: u32, rows: u32) -> Result<(Self, Writer), CommandError> {
        let database = database::open(path, TABLES)?;
        let queue = Arc::new(Queue::default());
        let told = Arc::new(Told::default());
        let mut work = Work {
            path: path.to_owned(),
            told: Arc::clone(&told),
            table: Table::new(database, days, rows).at(path)?,
            has_told: false,
        };
        let thread = std::thread::Builder::new().name("log".to_owned());
        let queued = Arc::clone(&queue);
        let thread = thread.spawn(move || work.run(&queued));
        let thread = thread.map_err(CommandError::new)?;
        let writer = Writer {
            thread,
            queue: Arc::clone(&queue),
        };
        let path = path.to_owned();
        Ok((Self { path, queue, told }, writer))
    }

    /// Has an entry written soon.
    pub fn add(&self, entry: Entry) {
        let unauthorized = entry.is_unauthorized();
        let entry = entry.bounded();
        let mut waiting = self.queue.waiting.lock();
        let is_first = waiting.entries.is_empty();
        let is_added = waiting.add(entry);
        drop(waiting);
        if !is_added {
            self.told.lose(unauthorized);
        } else if is_first {
            self.queue.call.notify_one();
        }
    }

    /// Waits until all that was added is written. It blocks.
    pub fn flush(&self) {
        let (done, all) = oneshot::channel();
        self.queue.waiting.lock().asked.push(done);
        self.queue.call.notify_one();
        let _ = all.blocking_recv();
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
        self.queue.waiting.lock().stopped = true;
        self.queue.call.notify_one();
        // It ends whatever happens.
        let _ = self.thread.join();
    }
}

impl Told {
    /// Counts an entry for which there was no room. That is no failure of the log
    /// if it is one that anybody may send.
    fn lose(&self, unauthorized: bool) {
        self.lost.fetch_add(1, Relaxed);
        self.full.fetch_or(!unauthorized, Relaxed);
    }
}

struct Work {
    path: PathBuf,
    told: Arc<Told>,
    table: Table,
    /// It has been reported that the queue was full.
    has_told: bool,
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
        if self.told.full.load(Relaxed) && !self.has_told {
            self.has_told = true;
            note("the request log can't keep up: entries are lost, and counted");
        }
        let written = self.table.store(entries).and_then(|()| self.table.tidy());
        let failed = written.is_err();
        let before = self.told.failing.swap(failed, Relaxed);
        match written {
            Err(why) => {
                self.told.lost.fetch_add(entries.len() as u64, Relaxed);
                if !before {
                    note(CommandError::at(
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
}

#[cfg(test)]
mod tests {
    use super::*;

    fn entry(outcome: &'static str, request: usize) -> Entry {
        Entry {
            time: 0,
            method: "POST".to_owned(),
            path: String::new(),
            client: String::new(),
            caller: String::new(),
            outcome,
            account: String::new(),
            status: 200,
            duration: 0,
            request: "x".repeat(request),
            response: bytes::Bytes::new(),
            service: String::new(),
            uuid: String::new(),
            call: Call::default(),
        }
    }

    #[test]
    fn queue_is_bounded_and_strangers_leave_room() {
        let mut waiting = Waiting::default();
        while waiting.add(entry(UNAUTHORIZED, 0)) {}
        assert_eq!(waiting.entries.len(), MAX_WAITING_UNAUTHORIZED);
        assert!(waiting.add(entry("success", 0)));
        while waiting.add(entry("success", 1 << 20)) {}
        assert!(waiting.bytes <= MAX_WAITING_BYTES && waiting.entries.len() > 1050);
        assert!(waiting.add(entry("success", 0)));
    }
}
