//! Prometheus metrics, and rate-limited messages on standard error.

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
use crate::common::workers::Workers;
use crate::http::connections::CloseReason;

/// Time within which a warning is not repeated.
const REPEAT_INTERVAL: Duration = Duration::from_secs(60);
/// Maximum number of messages that wait to be written, and the longest wait for them
/// at the end.
const MAX_WAITING_NOTES: usize = 1000;
const FLUSH_TIMEOUT: Duration = Duration::from_secs(2);
/// The outcomes of calls that [`Metrics::add_services`] counts from 0.
const CALL_OUTCOMES: [&str; 5] = ["success", "failure", "expired", "locked", "error"];
/// The reasons why connections are closed.
const CLOSE_REASONS: [&str; 3] = ["full", "address", "refused"];
/// Maximum number of warnings that are remembered.
const MAX_REMEMBERED_WARNINGS: usize = 1000;

#[derive(Clone, PartialEq, Eq, Hash, Debug, EncodeLabelSet)]
struct RequestLabels {
    service: String,
    status: u16,
}

#[derive(Clone, PartialEq, Eq, Hash, Debug, EncodeLabelSet)]
struct OutcomeLabels {
    service: String,
    outcome: &'static str,
}

#[derive(Clone, PartialEq, Eq, Hash, Debug, EncodeLabelSet)]
struct LockoutLabels {
    service: String,
    kind: &'static str,
}

#[derive(Clone, PartialEq, Eq, Hash, Debug, EncodeLabelSet)]
struct CloseLabels {
    reason: &'static str,
}

/// The metrics of the service.
pub(super) struct Metrics {
    registry: Registry,
    requests: Family<RequestLabels, Counter>,
    outcomes: Family<OutcomeLabels, Counter>,
    lockouts: Family<LockoutLabels, Counter>,
    closed: Family<CloseLabels, Counter>,
    durations: Histogram,
    lost: Counter,
    /// The warnings that were printed, and when.
    warned: Mutex<HashMap<String, Instant>>,
    /// Writes messages on a thread of its own: standard error may be a blocked pipe.
    notes: Workers,
}

impl Metrics {
    pub(super) fn new() -> Self {
        let mut registry = Registry::with_prefix("pinset");
        let requests = Family::default();
        let outcomes = Family::default();
        let closed = Family::<CloseLabels, Counter>::default();
        let lockouts = Family::default();
        let durations = Histogram::new([
            0.0001, 0.00025, 0.0005, 0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0,
            2.5, 5.0, 10.0,
        ]);
        let lost = Counter::default();
        for reason in CLOSE_REASONS {
            closed.get_or_create(&CloseLabels { reason }).inc_by(0);
        }
        registry.register(
            "requests",
            "Requests, by service and status",
            requests.clone(),
        );
        registry.register("outcomes", "Answers to calls", outcomes.clone());
        registry.register(
            "connections_closed",
            "Connections closed because there were too many",
            closed.clone(),
        );
        registry.register("lockouts", "Calls ended by a lockout", lockouts.clone());
        registry.register(
            "request_duration_seconds",
            "Time from the head of a request to its answer",
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
            warned: Mutex::default(),
            notes: Workers::new(1, MAX_WAITING_NOTES),
        }
    }

    /// Counts the calls of these services from 0: `increase()` of Prometheus misses the
    /// first call of a counter that begins at 1.
    pub(super) fn add_services<'a>(&self, names: impl Iterator<Item = &'a str>) {
        for name in names {
            for outcome in CALL_OUTCOMES {
                let service = name.to_owned();
                self.outcomes
                    .get_or_create(&OutcomeLabels { service, outcome })
                    .inc_by(0);
            }
            for kind in Kind::ALL.map(Kind::word) {
                let service = name.to_owned();
                self.lockouts
                    .get_or_create(&LockoutLabels { service, kind })
                    .inc_by(0);
            }
        }
    }

    /// Counts a response. `service` is empty for a path of no service.
    pub(super) fn answered(&self, service: &str, status: u16, duration: Duration) {
        let service = service.to_owned();
        self.requests
            .get_or_create(&RequestLabels { service, status })
            .inc();
        self.durations.observe(duration.as_secs_f64());
    }

    pub(super) fn outcome(&self, service: &str, outcome: &'static str) {
        let service = service.to_owned();
        self.outcomes
            .get_or_create(&OutcomeLabels { service, outcome })
            .inc();
    }

    pub(super) fn locked(&self, service: &str, kind: Kind) {
        let (service, kind) = (service.to_owned(), kind.word());
        self.lockouts
            .get_or_create(&LockoutLabels { service, kind })
            .inc();
    }

    /// Counts a connection that was closed for another.
    pub(super) fn connection_evicted(&self, reason: CloseReason) {
        let (reason, why) = match reason {
            CloseReason::Full => (
                "full",
                "more than [limits] connections: those idle longest are closed",
            ),
            CloseReason::Client => (
                "address",
                "an address has more than [limits] connections_per_address: those idle longest are \
                 closed",
            ),
        };
        self.closed.get_or_create(&CloseLabels { reason }).inc();
        self.warn(&why);
    }

    /// Counts a connection that was refused: its client has too many with requests.
    pub(super) fn connection_refused(&self) {
        let reason = "refused";
        self.closed.get_or_create(&CloseLabels { reason }).inc();
        self.warn(&"an address has more than [limits] connections_per_address, all with requests");
    }

    /// Returns the metrics in OpenMetrics format. `lost` is the number of log entries
    /// that were lost.
    pub(super) fn text(&self, lost: u64) -> String {
        self.lost.inc_by(lost.saturating_sub(self.lost.get()));
        let mut text = String::new();
        // Writing to a String can't fail.
        let _ = encode(&mut text, &self.registry);
        text
    }

    /// Prints a warning, unless it was printed within [`REPEAT_INTERVAL`].
    pub(super) fn warn(&self, what: &impl Display) {
        let text = what.to_string();
        let mut warned = self.warned.lock();
        let now = Instant::now();
        warned.retain(|_, at| now.duration_since(*at) < REPEAT_INTERVAL);
        if warned.len() < MAX_REMEMBERED_WARNINGS && !warned.contains_key(&text) {
            self.note(text.clone());
            warned.insert(text, now);
        }
    }

    /// Prints a message, without waiting until it is written.
    pub(super) fn note(&self, text: String) {
        // If the queue is full, standard error is blocked and the message is lost.
        let _ = self.notes.spawn(move || note(text));
    }

    /// Waits until messages are written, at most [`FLUSH_TIMEOUT`].
    pub(super) fn flush(&self) {
        let (done, all) = mpsc::channel();
        if self.notes.spawn(move || drop(done)).is_ok() {
            // Dropping the sender ends the wait.
            let _: Result<(), _> = all.recv_timeout(FLUSH_TIMEOUT);
        }
    }
}
