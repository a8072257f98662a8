//! What an administrator asks about a database, and how long its answers take.

use std::time::Duration;

/// How many of the latest queries count.
const MAX_LATENCIES: usize = 1000;

/// How long the latest queries took, in microseconds.
#[derive(Default)]
pub(super) struct Latencies {
    latest: Vec<u32>,
    /// Where the next one goes.
    next: usize,
}

impl Latencies {
    /// Adds one, in place of the oldest.
    pub(super) fn add(&mut self, took: Duration) {
        let took = u32::try_from(took.as_micros()).unwrap_or(u32::MAX);
        match self.latest.get_mut(self.next) {
            Some(oldest) => *oldest = took,
            None => self.latest.push(took),
        }
        self.next = (self.next + 1) % MAX_LATENCIES;
    }

    /// Returns the median and the 99th percentile, in microseconds.
    pub(super) fn percentiles(&self) -> Option<[u32; 2]> {
        let mut sorted = self.latest.clone();
        sorted.sort_unstable();
        let at = |percent: usize| sorted.get((sorted.len() * percent / 100).min(sorted.len() - 1));
        (!sorted.is_empty()).then(|| [50, 99].map(|percent| at(percent).copied().unwrap_or(0)))
    }
}

/// What an administrator asks about a database.
pub(crate) struct Status {
    /// The server of the latest connection: `db1:5432`; empty before there was one.
    pub server: String,
    /// `primary` or `standby`; empty before there was a connection, or if the server does
    /// not say so (before PostgreSQL 14).
    pub role: &'static str,
    /// How many connections there are, and may be.
    pub connections: u32,
    /// How many there may be at most.
    pub max_connections: u32,
    /// Why queries fail at once, if they do.
    pub outage: Option<String>,
    /// How many queries wait for a connection.
    pub waiting: usize,
    /// How many queries there were, and how many of them failed.
    pub queries: u64,
    /// How many of them failed.
    pub failed: u64,
    /// The median and the 99th percentile of the latest queries, in microseconds.
    pub latencies: Option<[u32; 2]>,
}

impl Status {
    /// Returns whether the server is reached: `yes`, `no`, or `not tried yet`.
    pub(crate) fn reached(&self) -> &'static str {
        match &self.outage {
            Some(_) => "no",
            None if self.server.is_empty() => "not tried yet",
            None => "yes",
        }
    }
}
