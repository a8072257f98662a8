//! Calls for the pages: a database that follows the CDR and the audit log.

mod csv;
mod follow;

use std::path::{Path, PathBuf};
use std::sync::mpsc::{self, RecvTimeoutError};
use std::sync::Arc;
use std::thread::{self, JoinHandle};
use std::time::{Duration, Instant};

use parking_lot::Mutex;
use pinset::timestamp::since_epoch;
use pinset::Numbering;
use tokio::sync::Semaphore;

use super::config::Config;
use crate::common::error::{note, CommandError};
use crate::reports::{CallHistory, FilePosition, HistoryReader, HistorySource, SourceState};
pub(super) use csv::{CsvError, Download};
use follow::Follower;

/// Interval of looks at the files.
const POLL_INTERVAL: Duration = Duration::from_millis(500);
/// Interval of the removal of old calls.
const REMOVAL_INTERVAL: Duration = Duration::from_secs(60 * 60);
/// Longest time of the queries of a page.
const QUERY_TIMEOUT: Duration = Duration::from_secs(5);

/// Number of files that may be downloaded at a time.
const MAX_DOWNLOADS: usize = 8;
/// Number of unread bytes of a file that pages report.
const MIN_REPORTED_BYTES: u64 = 1 << 20;

/// The name of the database, in the folder of the console's.
const DATABASE: &str = "calls.db";

/// The calls, for pages.
pub(super) struct Calls {
    database: PathBuf,
    numbering: Numbering,
    /// Why a file is not followed.
    problems: Arc<Mutex<Problems>>,
    downloads: Arc<Semaphore>,
}

/// The reasons why files are not followed now.
#[derive(Default)]
struct Problems {
    cdr: Option<String>,
    audit_log: Option<String>,
}

impl Problems {
    fn of(&mut self, source: HistorySource) -> &mut Option<String> {
        match source {
            HistorySource::Cdr => &mut self.cdr,
            HistorySource::AuditLog => &mut self.audit_log,
        }
    }
}

/// The thread that follows the files.
pub(super) struct FollowTask {
    stop: mpsc::Sender<()>,
    thread: JoinHandle<()>,
}

impl Calls {
    /// Opens the database, and creates it if it is missing.
    pub(super) fn open(config: &Config) -> Result<Self, CommandError> {
        let database = config.database.with_file_name(DATABASE);
        // Pages read it, so it must have its tables.
        CallHistory::open(&database, config.retention, &config.numbering)?;
        Ok(Self {
            database,
            numbering: config.numbering.clone(),
            problems: Arc::default(),
            downloads: Arc::new(Semaphore::new(MAX_DOWNLOADS)),
        })
    }

    /// Follows the files until the task is stopped.
    pub(super) fn follow(&self, config: &Config) -> Result<FollowTask, CommandError> {
        let (stop, stopped) = mpsc::channel();
        let history = CallHistory::open(&self.database, config.retention, &self.numbering)?;
        // Outcomes first: then most records need not be joined again.
        let followers = [
            (HistorySource::AuditLog, &config.audit_log),
            (HistorySource::Cdr, &config.cdr),
        ];
        let mut work = FollowLoop {
            history,
            followers: followers.map(|(source, path)| Follower {
                source,
                path: path.clone(),
            }),
            problems: Arc::clone(&self.problems),
            stopped,
            is_stopped: false,
        };
        let thread = thread::Builder::new().name("calls".to_owned());
        let thread = thread
            .spawn(move || work.run())
            .map_err(CommandError::new)?;
        Ok(FollowTask { stop, thread })
    }

    /// Opens the database for the queries of a page. Blocks on the disk.
    pub(super) fn reader(&self) -> rusqlite::Result<HistoryReader> {
        HistoryReader::open(&self.database, Some(QUERY_TIMEOUT), &self.numbering)
    }

    /// Returns why a file is not followed now, if that is so.
    pub(super) fn problem(&self, source: HistorySource) -> Option<String> {
        self.problems.lock().of(source).clone()
    }
}

/// Returns how much of a file is not read, in percent, if it is much.
pub(super) fn unread_percent(state: &SourceState, path: impl AsRef<Path>) -> Option<u64> {
    let metadata = std::fs::metadata(path).ok()?;
    let is_same = FilePosition::start(&metadata).is_same_file(&state.position);
    let unread = metadata.len().checked_sub(state.position.offset)?;
    let is_much = is_same && unread >= MIN_REPORTED_BYTES;
    is_much.then(|| unread.saturating_mul(100) / metadata.len().max(1))
}

impl FollowTask {
    /// Stops following the files. What was read is stored.
    pub(super) fn stop(self) {
        // The thread may have ended already, with a panic that was reported.
        let _ = self.stop.send(());
        let _ = self.thread.join();
    }
}

struct FollowLoop {
    history: CallHistory,
    followers: [Follower; 2],
    problems: Arc<Mutex<Problems>>,
    stopped: mpsc::Receiver<()>,
    is_stopped: bool,
}

impl FollowLoop {
    fn run(&mut self) {
        let mut removed: Option<Instant> = None;
        while !self.is_stopped {
            if removed.is_none_or(|at| at.elapsed() >= REMOVAL_INTERVAL) {
                removed = Some(Instant::now());
                if let Err(error) = self.history.remove_old(since_epoch()) {
                    note(format!("old calls can't be removed: {error}"));
                }
            }
            for at in 0..self.followers.len() {
                self.poll(at);
            }
            self.wait();
        }
    }

    /// Reads what is new in a file.
    fn poll(&mut self, at: usize) {
        let Some(follower) = self.followers.get(at) else {
            return;
        };
        let is_stopped = &mut self.is_stopped;
        let stopped = &self.stopped;
        let polled = follower.poll(&mut self.history, &mut || {
            *is_stopped |= stopped.try_recv() != Err(mpsc::TryRecvError::Empty);
            *is_stopped
        });
        let problem = polled.err().map(|error| error.to_string());
        let mut problems = self.problems.lock();
        let before = problems.of(follower.source);
        if let Some(problem) = problem.as_ref().filter(|_| *before != problem) {
            note(format!("calls are not followed: {problem}"));
        }
        *before = problem;
    }

    fn wait(&mut self) {
        if !self.is_stopped {
            let waited = self.stopped.recv_timeout(POLL_INTERVAL);
            self.is_stopped = waited != Err(RecvTimeoutError::Timeout);
        }
    }
}
