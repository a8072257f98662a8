//! Queries that wait for a connection, and the state of the connections.

use std::collections::VecDeque;
use std::ffi::CStr;
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::sync::{Arc, Condvar, Mutex, MutexGuard};
use std::time::{Duration, Instant};

use libpq::{ConnectionString, Library, Parameter, Statement};
use pinset::database::PURGE;
use pinset::escape::escape;
use pinset::verify::ServiceChannel;
use zeroize::Zeroizing;

use super::job::{Answer, Job, Wait};
use super::reader::{Batch, Reader, Reading};
use super::status::{Latencies, Status};
use super::{signal, worker};
use super::{DatabaseError, DatabaseSetupError};
use crate::asterisk::events;
use crate::asterisk::log::log;
use crate::asterisk::thread_pool;
use crate::sync::lock::{lock, wait_while};
use crate::sync::oneshot::{Awaited, Oneshot};

/// Most queries that wait for a connection.
const MAX_WAITING: usize = 1000;

/// How long the oldest query waits for a connection until another one is made. A busy
/// connection is free again sooner, unless it waits for a lock.
pub(super) const GROWTH_DELAY: Duration = Duration::from_millis(20);

/// How long no other connection is tried after one that was refused: the server or its
/// pooler may have no more.
const REFUSAL_PAUSE: Duration = Duration::from_secs(1);

/// How often what counts for nothing any more is deleted, and how many rows at most.
const PURGE_INTERVAL: Duration = Duration::from_secs(600);
const MAX_PURGED: &CStr = c"10000";

/// How long a connection is kept that nobody uses.
const IDLE_TIMEOUT: Duration = Duration::from_secs(60);

/// A database and its connections.
pub(super) struct Pool {
    pub(super) libpq: Library,
    pub(super) string: ConnectionString,
    /// The file's contents, to notice a change.
    text: Zeroizing<Vec<u8>>,
    max_connections: u32,
    /// The pepper's ids and [`fingerprints`](pinset::database::fingerprints).
    pub(super) keys: (String, String),
    state: Mutex<State>,
    changed: Condvar,
    /// Readable when the threads are to end.
    stop: OwnedFd,
    /// Readable when there is something for the [`Reader`].
    wake: OwnedFd,
}

pub(super) struct State {
    pub(super) jobs: VecDeque<Job>,
    pub(super) reading: Option<Reading>,
    /// How many threads there are, and have a connection.
    threads: u32,
    connected: u32,
    /// How many of them wait for queries.
    idle: u32,
    /// The server of the latest connection, for people, and its role.
    server: String,
    role: &'static str,
    /// Why there is no connection, once one could not be made: queries fail at once.
    outage: Option<String>,
    /// A pooler keeps no prepared statements.
    unnamed: bool,
    stopping: bool,
    queries: u64,
    failed: u64,
    latencies: Latencies,
    /// When the next [`PURGE`] is due.
    purge_at: Instant,
    /// When another connection may be tried.
    grows_from: Instant,
}

impl Pool {
    /// A database without connections.
    ///
    /// # Errors
    ///
    /// There is no libpq, or it is no connection string.
    pub(super) fn new(
        text: &[u8],
        max_connections: u32,
        keys: (String, String),
    ) -> Result<Self, DatabaseSetupError> {
        let libpq = Library::load()?;
        let string = ConnectionString::parse(&libpq, text)?;
        Ok(Self {
            libpq,
            string,
            text: Zeroizing::new(text.to_vec()),
            max_connections,
            keys,
            state: Mutex::new(State {
                jobs: VecDeque::new(),
                reading: None,
                threads: 0,
                connected: 0,
                idle: 0,
                server: String::new(),
                role: "",
                outage: None,
                unnamed: false,
                stopping: false,
                queries: 0,
                failed: 0,
                latencies: Latencies::default(),
                purge_at: Instant::now() + PURGE_INTERVAL,
                grows_from: Instant::now(),
            }),
            changed: Condvar::new(),
            stop: signal::new().map_err(DatabaseSetupError::Descriptor)?,
            wake: signal::new().map_err(DatabaseSetupError::Descriptor)?,
        })
    }

    pub(super) fn is_for(&self, text: &[u8], max: u32, keys: &(String, String)) -> bool {
        *self.text == text && self.max_connections == max && self.keys == *keys
    }

    pub(super) fn state(&self) -> MutexGuard<'_, State> {
        lock(&self.state)
    }

    /// What an administrator asks.
    pub(crate) fn status(&self) -> Status {
        let state = self.state();
        Status {
            server: state.server.clone(),
            role: state.role,
            connections: state.connected,
            max_connections: self.max_connections,
            outage: state.outage.clone(),
            waiting: state.jobs.len(),
            queries: state.queries,
            failed: state.failed,
            latencies: state.latencies.percentiles(),
        }
    }

    /// Runs a query while the caller is served. Returns `None` if the caller has hung
    /// up.
    ///
    /// # Errors
    ///
    /// There is no answer, or the database has refused the query.
    pub(super) fn query<H: ServiceChannel + ?Sized>(
        self: &Arc<Self>,
        host: &mut H,
        statement: &'static Statement,
        parameters: Vec<Parameter>,
        wait: Wait,
    ) -> Option<Answer> {
        let waiting = Arc::new(Oneshot::new());
        let job = Job::new(statement, parameters, wait, Some(Arc::downgrade(&waiting)));
        let (asked, deadline) = (job.queued, job.deadline);
        let answer = match self.put(job) {
            Ok(()) => match self.answer_of(&waiting, host, deadline) {
                Awaited::Value(answer) => answer,
                Awaited::Timeout => Err(DatabaseError::Timeout(wait.timeout)),
                Awaited::HungUp => return None,
            },
            Err(error) => Err(error),
        };
        let is_purge_due = {
            let mut state = self.state();
            state.queries += 1;
            state.failed += u64::from(answer.is_err());
            if answer.is_ok() {
                state.latencies.add(asked.elapsed());
            }
            let is_due = state.purge_at <= Instant::now();
            if is_due {
                state.purge_at = Instant::now() + PURGE_INTERVAL;
            }
            is_due
        };
        if is_purge_due {
            let most = Zeroizing::new(MAX_PURGED.to_owned());
            self.send(&PURGE, vec![Some(most)], wait.timeout);
        }
        Some(answer)
    }

    /// Waits for an answer until `deadline`. Has another connection made if the query
    /// waits for one.
    fn answer_of<H: ServiceChannel + ?Sized>(
        self: &Arc<Self>,
        waiting: &Oneshot<Answer>,
        host: &mut H,
        deadline: Instant,
    ) -> Awaited<Answer> {
        loop {
            let soon = Instant::now() + GROWTH_DELAY;
            if soon >= deadline {
                return waiting.wait_while_servicing(host, deadline);
            }
            match waiting.wait_while_servicing(host, soon) {
                Awaited::Timeout if self.grow(&mut self.state()) => {}
                Awaited::Timeout => return waiting.wait_while_servicing(host, deadline),
                awaited => return awaited,
            }
        }
    }

    /// Has a query run, and waits for nothing. One that fails is logged.
    pub(super) fn send(
        self: &Arc<Self>,
        statement: &'static Statement,
        parameters: Vec<Parameter>,
        timeout: Duration,
    ) {
        let left = timeout;
        let job = Job::new(statement, parameters, Wait { timeout, left }, None);
        // Without a connection it stays undone.
        let _ = self.put(job);
    }

    fn put(self: &Arc<Self>, job: Job) -> Result<(), DatabaseError> {
        let mut state = self.state();
        if let Some(why) = &state.outage {
            return Err(DatabaseError::Unreachable(why.clone()));
        }
        if state.jobs.len() >= MAX_WAITING {
            return Err(DatabaseError::Full);
        }
        if state.threads > 0 {
            self.grow(&mut state);
        } else if !self.start_thread(&mut state) {
            return Err(DatabaseError::NoThread);
        }
        let has_others = state.idle > 0 || state.threads < self.max_connections;
        let reading = state.reading.as_mut().filter(|_| job.only_reads);
        let is_taken = reading.is_some_and(|reading| reading.wake(&self.wake, has_others));
        state.jobs.push_back(job);
        if !is_taken {
            self.changed.notify_one();
        }
        Ok(())
    }

    /// Makes the first connection, if there is none.
    pub(super) fn connect(self: &Arc<Self>) {
        let mut state = self.state();
        if state.threads == 0 {
            self.start_thread(&mut state);
        }
    }

    /// Starts another thread if the oldest query has waited for long and no thread is
    /// connecting. Returns whether to look again later.
    fn grow(self: &Arc<Self>, state: &mut State) -> bool {
        let waits = state.jobs.front().is_some_and(has_waited);
        if !waits || state.threads >= self.max_connections {
            return false;
        }
        if state.connected == state.threads && state.grows_from <= Instant::now() {
            self.start_thread(state);
        }
        true
    }

    /// Starts a thread, unless there are enough.
    fn start_thread(self: &Arc<Self>, state: &mut State) -> bool {
        if state.threads >= self.max_connections {
            return false;
        }
        if state.stopping && state.threads > 0 {
            return false;
        }
        // After an unload that was refused, or for a call that has begun before a reload.
        signal::clear(&self.stop);
        state.stopping = false;
        let pool = Arc::clone(self);
        let started = thread_pool::start_unheld(move || worker::run(&pool));
        state.threads += u32::from(started);
        started
    }

    /// Lets all threads end when nobody waits for a query.
    pub(super) fn retire(&self) {
        let mut state = self.state();
        state.stopping = state.threads > 0;
        self.changed.notify_all();
    }

    /// Lets all threads end, at the latest when their connecting has: what they wait for
    /// is wanted by nobody any more.
    pub(super) fn stop(&self) {
        self.retire();
        signal::raise(&self.stop);
    }

    /// Whether no thread is left, waiting for at most this time.
    pub(super) fn has_ended(&self, within: Duration) -> bool {
        let running = |state: &mut State| state.threads > 0;
        let (_state, timed_out) = wait_while(&self.changed, self.state(), within, running);
        !timed_out
    }

    /// Whether no more queries come.
    pub(super) fn is_over(&self) -> bool {
        let state = self.state();
        state.stopping && state.jobs.is_empty()
    }

    /// What becomes readable when the threads are to end.
    pub(super) fn stop_signal(&self) -> BorrowedFd<'_> {
        self.stop.as_fd()
    }

    /// What becomes readable when there is something for the [`Reader`].
    pub(super) fn wake_signal(&self) -> &OwnedFd {
        &self.wake
    }

    /// Has a thread that waits look for queries.
    pub(super) fn notify(&self) {
        self.changed.notify_one();
    }

    /// Waits for queries: one, or at most `most` that only read. None: the thread is to
    /// end, for there were none for a while, or no more will come.
    ///
    /// A query that changes something may wait for a lock, so it is alone on its
    /// connection meanwhile.
    pub(super) fn take(&self, most: usize) -> Batch<'_> {
        let none = |state: &mut State| state.jobs.is_empty() && !state.stopping;
        let mut state = self.state();
        state.idle += 1;
        let (mut state, _) = wait_while(&self.changed, state, IDLE_TIMEOUT, none);
        state.idle -= 1;
        let mut jobs: Vec<Job> = state.jobs.pop_front().into_iter().collect();
        let mut reader = None;
        if jobs.iter().all(|job| job.only_reads) {
            let mut next = 0;
            while jobs.len() < most && next < state.jobs.len() {
                match state.jobs.get(next).is_some_and(|job| job.only_reads) {
                    true => jobs.extend(state.jobs.remove(next)),
                    false => next += 1,
                }
            }
            let reads_more = !jobs.is_empty() && most > 1 && state.reading.is_none();
            reader = reads_more.then(|| Reader::new(self, &mut state.reading, most));
        }
        Batch { jobs, reader }
    }

    /// Puts queries back that were not sent.
    pub(super) fn put_back(&self, jobs: Vec<Job>) {
        let mut state = self.state();
        for job in jobs.into_iter().rev() {
            state.jobs.push_front(job);
        }
        self.changed.notify_all();
    }

    /// Notes a connection to this server, and its role.
    pub(super) fn connected(&self, server: String, role: &'static str) {
        let was_out = {
            let mut state = self.state();
            state.connected += 1;
            state.server.clone_from(&server);
            state.role = role;
            state.outage.take().is_some()
        };
        if was_out {
            log!(Notice, "the database is reached again: {server}");
            events::publish(
                "AuthenticateDatabaseReached",
                [("Server", &*escape(server.as_bytes()))],
            );
        }
    }

    /// Notes that a connection has ended.
    pub(super) fn disconnected(&self) {
        let mut state = self.state();
        state.connected = state.connected.saturating_sub(1);
    }

    /// Notes that a connection could not be made. Returns whether the thread is to try
    /// again: one does if there is no connection at all, and until then queries fail at
    /// once.
    pub(super) fn unreachable(&self, why: String) -> bool {
        let mut state = self.state();
        state.grows_from = Instant::now() + REFUSAL_PAUSE;
        if state.stopping || state.connected > 0 {
            return false;
        }
        let lost = std::mem::take(&mut state.jobs);
        let before = state.outage.replace(why.clone());
        // The one that has noted the outage, or the last one left.
        let goes_on = before.is_none() || state.threads == 1;
        drop(state);
        for job in lost {
            job.answer(Err(DatabaseError::Unreachable(why.clone())));
        }
        if before.as_ref() != Some(&why) {
            log!(Error, "the database can't be reached: {why}");
        }
        if before.is_none() {
            events::publish(
                "AuthenticateDatabaseLost",
                [("Reason", &*escape(why.as_bytes()))],
            );
        }
        goes_on
    }

    /// Waits before another try. Returns false if the thread is to end.
    pub(super) fn pause(&self, time: Duration) -> bool {
        let going = |state: &mut State| !state.stopping;
        let (state, _) = wait_while(&self.changed, self.state(), time, going);
        !state.stopping
    }

    /// Notes that a thread ends. Queries that wait and have no other thread fail.
    pub(super) fn ended(&self) {
        let mut state = self.state();
        state.threads = state.threads.saturating_sub(1);
        self.changed.notify_all();
        if state.threads > 0 {
            return;
        }
        state.outage = None;
        let lost = std::mem::take(&mut state.jobs);
        drop(state);
        for job in lost {
            job.answer(Err(DatabaseError::NoThread));
        }
    }

    /// Whether statements are sent without their names.
    pub(super) fn is_unnamed(&self) -> bool {
        self.state().unnamed
    }

    /// Statements are sent without their names from now on, for good.
    pub(super) fn use_unnamed(&self) {
        let was_unnamed = std::mem::replace(&mut self.state().unnamed, true);
        if !was_unnamed {
            log!(
                Notice,
                "the database's pooler keeps no prepared statements: they are sent with each query"
            );
        }
    }
}

fn has_waited(job: &Job) -> bool {
    job.queued.elapsed() >= GROWTH_DELAY
}
