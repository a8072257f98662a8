//! The connection that is sent queries before earlier ones are answered.
//!
//! It takes those that only read and come meanwhile. So they wait for the network once, not
//! for the answers of a batch before theirs, and one thread wakes up for many of them.

use std::collections::VecDeque;
use std::os::fd::OwnedFd;
use std::time::Instant;

use super::job::Job;
use super::pool::{Pool, GROWTH_DELAY};
use super::signal::{clear, raise};

/// Queries for a connection.
pub(super) struct Batch<'a> {
    pub(super) jobs: Vec<Job>,
    /// If the connection takes more of them.
    pub(super) reader: Option<Reader<'a>>,
}

/// What all threads know of the reader.
pub(super) struct Reading {
    has_room: bool,
    /// When the latest answer came, or the first query was sent.
    progress: Instant,
    /// Whether its signal is raised.
    is_woken: bool,
}

impl Reading {
    /// Has the reader take a query that is there in a moment. Returns false if it has no
    /// room, or if it gets no answers and there may be another connection.
    pub(super) fn wake(&mut self, signal: &OwnedFd, has_others: bool) -> bool {
        let is_stuck = has_others && self.progress.elapsed() >= GROWTH_DELAY;
        let takes = self.has_room && !is_stuck;
        if takes && !self.is_woken {
            raise(signal);
            self.is_woken = true;
        }
        takes
    }

    fn sleep(&mut self, signal: &OwnedFd) {
        if std::mem::take(&mut self.is_woken) {
            clear(signal);
        }
    }
}

/// The one thread that takes more queries while it waits for answers. It is that until it is
/// dropped.
pub(super) struct Reader<'a> {
    pool: &'a Pool,
    most: usize,
}

impl<'a> Reader<'a> {
    /// `reading` is the pool's, which has none. At most `most` queries have no answer.
    pub(super) fn new(pool: &'a Pool, reading: &mut Option<Reading>, most: usize) -> Self {
        *reading = Some(Reading {
            has_room: true,
            progress: Instant::now(),
            is_woken: false,
        });
        Self { pool, most }
    }

    /// Takes queries that only read, none that is behind one that changes something: then
    /// it is to answer those in flight, and others take what is left.
    pub(super) fn take(&self, in_flight: &VecDeque<Job>, has_answered: bool) -> Vec<Job> {
        let mut state = self.pool.state();
        let state = &mut *state;
        let Some(reading) = &mut state.reading else {
            return Vec::new();
        };
        reading.sleep(self.pool.wake_signal());
        if has_answered || in_flight.is_empty() {
            reading.progress = Instant::now();
        }
        let mut room = self.most.saturating_sub(in_flight.len());
        let mut jobs = Vec::new();
        while room > 0 && state.jobs.front().is_some_and(|job| job.only_reads) {
            jobs.extend(state.jobs.pop_front());
            room -= 1;
        }
        reading.has_room = room > 0;
        if !state.jobs.is_empty() {
            self.pool.notify();
        }
        jobs
    }
}

impl Drop for Reader<'_> {
    fn drop(&mut self) {
        let mut state = self.pool.state();
        if let Some(mut reading) = state.reading.take() {
            reading.sleep(self.pool.wake_signal());
        }
        // It may have been woken for them.
        if !state.jobs.is_empty() {
            self.pool.notify();
        }
    }
}
