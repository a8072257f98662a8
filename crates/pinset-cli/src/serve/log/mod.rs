//! The request log: an SQLite file that one thread writes, off the path of requests.
//!
//! A full queue or an unwritable file neither delays nor rejects a caller: lost entries
//! are counted and reported.

use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering::Relaxed};
use std::sync::Arc;
use std::thread::JoinHandle;
use std::time::Duration;

use parking_lot::{Condvar, Mutex};
use tokio::sync::oneshot;

use crate::common::database;
use crate::common::error::{note, At, CommandError};

mod entry;
mod filter;
pub(super) mod page;
mod table;

pub(super) use entry::{CallEnd, Entry, HANGUP, UNAUTHORIZED};
pub(super) use filter::{Filter, LogRow};
use table::{LogTable, TABLES};

/// Maximum number of requests that wait to be written, some seconds of them; of those
/// without credentials; and of the bytes of all.
const MAX_WAITING: usize = 50_000;
const MAX_WAITING_UNAUTHORIZED: usize = 1_000;
const MAX_WAITING_BYTES: usize = 64 << 20;
/// Time in which entries are collected to be written at once.
const BATCH_DELAY: Duration = Duration::from_millis(50);

/// The queue of entries to write.
#[derive(Default)]
struct LogQueue {
    waiting: Mutex<QueuedEntries>,
    /// Signals the first entry in an empty queue, a flush or the end.
    wakeup: Condvar,
}

#[derive(Default)]
struct QueuedEntries {
    entries: Vec<Entry>,
    /// Number of entries without credentials.
    unauthorized: usize,
    bytes: usize,
    /// Notified when all entries are written or lost.
    flushes: Vec<oneshot::Sender<()>>,
    /// No more entries will come.
    stopped: bool,
}

impl LogQueue {
    /// Waits for entries and returns them, collected for [`BATCH_DELAY`] unless a flush
    /// or the end is pending.
    fn take(&self) -> QueuedEntries {
        let nothing =
            |waiting: &mut QueuedEntries| waiting.entries.is_empty() && !waiting.is_urgent();
        let mut waiting = self.waiting.lock();
        self.wakeup.wait_while(&mut waiting, nothing);
        // Adding an entry does not wake this thread meanwhile: that costs more than adding.
        let is_early = |waiting: &mut QueuedEntries| !waiting.is_urgent();
        self.wakeup
            .wait_while_for(&mut waiting, is_early, BATCH_DELAY);
        QueuedEntries {
            entries: std::mem::take(&mut waiting.entries),
            unauthorized: std::mem::take(&mut waiting.unauthorized),
            bytes: std::mem::take(&mut waiting.bytes),
            flushes: std::mem::take(&mut waiting.flushes),
            stopped: waiting.stopped,
        }
    }
}

impl QueuedEntries {
    fn is_urgent(&self) -> bool {
        self.stopped || !self.flushes.is_empty()
    }

    /// Adds an entry. Returns `false` if there is no room for it.
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

/// Status of the writer.
#[derive(Default)]
struct WriteStatus {
    lost: AtomicU64,
    /// Whether the queue has been full.
    full: AtomicBool,
    failing: AtomicBool,
}

/// The request log.
pub(super) struct RequestLog {
    path: PathBuf,
    queue: Arc<LogQueue>,
    status: Arc<WriteStatus>,
}

/// The thread that writes the log.
pub(super) struct LogWriter {
    thread: JoinHandle<()>,
    queue: Arc<LogQueue>,
}

impl RequestLog {
    /// Opens the log, and writes entries until [`LogWriter::finish`]. Rows older than
    /// `days`, and the oldest above `rows`, are removed.
    ///
    /// # Errors
    ///
    /// Fails if the file can't be used.
    pub(super) fn open(
        path: &Path,
        days: u32,
        rows: u32,
    ) -> Result<(Self, LogWriter), CommandError> {
        let database = database::open(path, TABLES)?;
        let queue = Arc::new(LogQueue::default());
        let status = Arc::new(WriteStatus::default());
        let mut work = WriteLoop {
            path: path.to_owned(),
            status: Arc::clone(&status),
            table: LogTable::new(database, days, rows).at(path)?,
            has_reported_full: false,
        };
        let thread = std::thread::Builder::new().name("log".to_owned());
        let queued = Arc::clone(&queue);
        let thread = thread.spawn(move || work.run(&queued));
        let thread = thread.map_err(CommandError::new)?;
        let writer = LogWriter {
            thread,
            queue: Arc::clone(&queue),
        };
        let path = path.to_owned();
        Ok((
            Self {
                path,
                queue,
                status,
            },
            writer,
        ))
    }

    /// Queues an entry.
    pub(super) fn add(&self, entry: Entry) {
        let unauthorized = entry.is_unauthorized();
        let entry = entry.bounded();
        let mut waiting = self.queue.waiting.lock();
        let is_first = waiting.entries.is_empty();
        let is_added = waiting.add(entry);
        drop(waiting);
        if !is_added {
            self.status.lose(unauthorized);
        } else if is_first {
            self.queue.wakeup.notify_one();
        }
    }

    /// Waits until all added entries are written. Blocks.
    pub(super) fn flush(&self) {
        let (done, all) = oneshot::channel();
        self.queue.waiting.lock().flushes.push(done);
        self.queue.wakeup.notify_one();
        let _ = all.blocking_recv();
    }

    /// Returns the number of lost entries.
    pub(super) fn lost(&self) -> u64 {
        self.status.lost.load(Relaxed)
    }

    /// Returns whether the last entries could not be written.
    pub(super) fn is_failing(&self) -> bool {
        self.status.failing.load(Relaxed)
    }

    /// Returns the rows that match a filter. Blocks on the disk.
    ///
    /// # Errors
    ///
    /// Fails if the file can't be read or the search takes too long.
    pub(super) fn find(&self, filter: &Filter) -> rusqlite::Result<Vec<LogRow>> {
        filter.find(&database::open_read_only(&self.path)?)
    }
}

impl LogWriter {
    /// Waits until everything is written.
    pub(super) fn finish(self) {
        self.queue.waiting.lock().stopped = true;
        self.queue.wakeup.notify_one();
        // A panic of the thread changes nothing here.
        let _ = self.thread.join();
    }
}

impl WriteStatus {
    /// Counts an entry for which there was no room. Entries without credentials, which
    /// anybody can send, don't count as a full queue.
    fn lose(&self, unauthorized: bool) {
        self.lost.fetch_add(1, Relaxed);
        self.full.fetch_or(!unauthorized, Relaxed);
    }
}

struct WriteLoop {
    path: PathBuf,
    status: Arc<WriteStatus>,
    table: LogTable,
    /// Whether a full queue has been reported.
    has_reported_full: bool,
}

impl WriteLoop {
    fn run(&mut self, queue: &LogQueue) {
        loop {
            let taken = queue.take();
            self.write(&taken.entries);
            for done in taken.flushes {
                // The receiver may be dropped.
                let _ = done.send(());
            }
            if taken.stopped {
                return;
            }
        }
    }

    fn write(&mut self, entries: &[Entry]) {
        if self.status.full.load(Relaxed) && !self.has_reported_full {
            self.has_reported_full = true;
            note("request log: queue full: entries are lost (metric pinset_log_lost_total)");
        }
        let written = self.table.store(entries).and_then(|()| self.table.tidy());
        let failed = written.is_err();
        let before = self.status.failing.swap(failed, Relaxed);
        match written {
            Err(why) => {
                self.status.lost.fetch_add(entries.len() as u64, Relaxed);
                if !before {
                    note(CommandError::at(
                        &self.path,
                        format!("{why}: requests are not logged"),
                    ));
                }
            }
            Ok(()) if before => {
                let lost = self.status.lost.load(Relaxed);
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
            call: CallEnd::default(),
        }
    }

    #[test]
    fn full_queue_keeps_room_for_requests_with_credentials() {
        let mut waiting = QueuedEntries::default();
        while waiting.add(entry(UNAUTHORIZED, 0)) {}
        assert_eq!(waiting.entries.len(), MAX_WAITING_UNAUTHORIZED);
        assert!(waiting.add(entry("success", 0)));
        while waiting.add(entry("success", 1 << 20)) {}
        assert!(waiting.bytes <= MAX_WAITING_BYTES && waiting.entries.len() > 1050);
        assert!(waiting.add(entry("success", 0)));
    }
}
