//! What Prometheus is told, and what the administrator is.

use std::collections::HashMap;
use std::fmt::Display;
use std::sync::mpsc;
use std::time::{Duration, Instant};

use parking_lot::Mutex;
use pinset::lockout::Kind;
use prometheus_client::encoding::text::encode;
use prometheus_client::encoding::EncodeLabelSet;
use prometheus_client::metrics::counter::Counter;
use prometheus_client::metrics::family::Family;
use prometheus_client::metrics::histogram::Histogram;
use prometheus_client::registry::Registry;

use crate::common::error::note;
use crate::serve::connections::Reason;
use crate::serve::workers::Workers;

/// What was said is not said again within this time.
const AGAIN: Duration = Duration::from_secs(60);
/// The most notes that wait to be written, and the longest wait for that at the end.
const MAX_WAITING_NOTES: usize = 1000;
const FLUSH_TIMEOUT: Duration = Duration::from_secs(2);
/// So many different things are kept in mind.
const IN_MIND: usize = 1000;

#[derive(Clone, PartialEq, Eq, Hash, Debug, EncodeLabelSet)]
struct Request {
    service: String,
    status: u16,
}

#[derive(Clone, PartialEq, Eq, Hash, Debug, EncodeLabelSet)]
struct Verdict {
    service: String,
    outcome: &'static str,
}

#[derive(Clone, PartialEq, Eq, Hash, Debug, EncodeLabelSet)]
struct Lockout {
    service: String,
    kind: &'static str,
}

#[derive(Clone, PartialEq, Eq, Hash, Debug, EncodeLabelSet)]
struct Closed {
    reason: &'static str,
}

/// All that is counted.
pub struct Metrics {
    registry: Registry,
    requests: Family<Request, Counter>,
    outcomes: Family<Verdict, Counter>,
    lockouts: Family<Lockout, Counter>,
    closed: Family<Closed, Counter>,
    durations: Histogram,
    lost: Counter,
    /// What was said, and when.
    said: Mutex<HashMap<String, Instant>>,
    /// Writes what is said: standard error may be a pipe that nobody reads.
    notes: Workers,
}

impl Metrics {
    pub fn new() -> Self {
        let mut registry = Registry::with_prefix("pinset");
        let requests = Family::default();
        let outcomes = Family::default();
        let closed = Family::default();
        let lockouts = Family::default();
        let durations = Histogram::new([
            0.0001, 0.00025, 0.0005, 0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0,
            2.5, 5.0, 10.0,
        ]);
        let lost = Counter::default();
        registry.register(
            "requests",
            "Requests, by service and status",
            requests.clone(),
        );
        registry.register("outcomes", "What calls were answered", outcomes.clone());
        registry.register(
            "connections_closed",
            "Connections closed because there were too many",
            closed.clone(),
        );
        registry.register("lockouts", "Calls ended by a lock", lockouts.clone());
        registry.register(
            "request_duration_seconds",
            "From the head of a request to its answer",
            durations.clone(),
        );
        registry.register(
            "log_lost",
            "Entries of the request log that were lost",
            lost.clone(),
        );
        Self {
            registry,
            requests,
            outcomes,
            closed,
            lockouts,
            durations,
            lost,
            said: Mutex::default(),
            notes: Workers::new(1, MAX_WAITING_NOTES),
        }
    }

    /// A request to a service was answered; `service` is empty for what is none's.
    pub fn answered(&self, service: &str, status: u16, duration: Duration) {
        let service = service.to_owned();
        self.requests
            .get_or_create(&Request { service, status })
            .inc();
        self.durations.observe(duration.as_secs_f64());
    }

    pub fn outcome(&self, service: &str, outcome: &'static str) {
        let service = service.to_owned();
        self.outcomes
            .get_or_create(&Verdict { service, outcome })
            .inc();
    }

    pub fn locked(&self, service: &str, kind: Kind) {
        let (service, kind) = (service.to_owned(), kind.word());
        self.lockouts
            .get_or_create(&Lockout { service, kind })
            .inc();
    }

    /// A connection was closed to make room for another.
    pub fn made_room(&self, reason: Reason) {
        let (reason, why) = match reason {
            Reason::Full => (
                "full",
                "more than [limits] connections: those longest without a request are closed",
            ),
            Reason::Client => (
                "address",
                "an address has more than [limits] connections_per_address: those longest \
                 without a request are closed",
            ),
        };
        self.closed.get_or_create(&Closed { reason }).inc();
        self.say(&why);
    }

    /// A connection was not taken: its client has too many with requests.
    pub fn refused(&self) {
        let reason = "refused";
        self.closed.get_or_create(&Closed { reason }).inc();
        self.say(&"an address has more than [limits] connections_per_address, all with requests");
    }

    /// As Prometheus reads it; `lost`: of the log.
    pub fn text(&self, lost: u64) -> String {
        self.lost.inc_by(lost.saturating_sub(self.lost.get()));
        let mut text = String::new();
        // A String takes all that is written.
        let _ = encode(&mut text, &self.registry);
        text
    }

    /// Tells the administrator, but not over and over.
    pub fn say(&self, what: &impl Display) {
        let text = what.to_string();
        let mut said = self.said.lock();
        let now = Instant::now();
        said.retain(|_, at| now.duration_since(*at) < AGAIN);
        if said.len() < IN_MIND && !said.contains_key(&text) {
            self.note(text.clone());
            said.insert(text, now);
        }
    }

    /// Tells the administrator, without waiting until it is written.
    pub fn note(&self, text: String) {
        // With so many before it that can't be written, it can't be either.
        let _ = self.notes.spawn(move || note(text));
    }

    /// Waits until what was said is written, but not for long.
    pub fn flush(&self) {
        let (done, all) = mpsc::channel();
        if self.notes.spawn(move || drop(done)).is_ok() {
            // It ends by the other end being dropped.
            let _: Result<(), _> = all.recv_timeout(FLUSH_TIMEOUT);
        }
    }
}
