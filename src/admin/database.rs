//! The PostgreSQL of PIN sets: command line, AMI and Prometheus.

use std::ffi::CStr;

use pinset::admin::Metric;
use pinset::escape::escape;
use thiserror::Error;

use crate::asterisk::ami::{Action, Class, Fields, Message, Session};
use crate::database::{self, Status};

/// Returns what `authenticate show database` prints.
pub(super) fn show() -> String {
    let Some(status) = database::status() else {
        return "No PIN set has source = database\n".to_owned();
    };
    let or_none = |text: &str| match text {
        "" => "-".to_owned(),
        text => escape(text.as_bytes()),
    };
    let why = match &status.outage {
        Some(why) => format!(": {}", escape(why.as_bytes())),
        None => String::new(),
    };
    let latencies = status.latencies.map(|both| {
        let [median, most] = both.map(|latency| f64::from(latency) / 1000.0);
        format!("{median:.2} ms, 99 % within {most:.2} ms")
    });
    format!(
        "Server: {}\nRole: {}\nReached: {}{why}\nConnections: {} of {}\nWaiting queries: {}\n\
         Queries: {}\nFailed queries: {}\nLatest answers: {}\n",
        or_none(&status.server),
        or_none(status.role),
        status.reached(),
        status.connections,
        status.max_connections,
        status.waiting,
        status.queries,
        status.failed,
        latencies.as_deref().unwrap_or("-"),
    )
}

/// The action `AuthenticateDatabase`.
pub(super) struct Database;

/// No PIN set is in a database.
#[derive(Debug, Error)]
#[error("no PIN set has source = database")]
pub(super) struct NoDatabaseError;

impl Action for Database {
    const NAME: &'static CStr = c"AuthenticateDatabase";
    const CLASS: Class = Class::Reporting;
    type Error = NoDatabaseError;

    fn run(_: &Message<'_>, session: &mut Session<'_>) -> Result<(), NoDatabaseError> {
        let status = database::status().ok_or(NoDatabaseError)?;
        let mut fields = Fields::new();
        fields
            .add("Server", &status.server)
            .add("Role", status.role)
            .add("Reached", status.reached())
            .add("Reason", status.outage.as_deref().unwrap_or_default())
            .number("Connections", status.connections.into())
            .number("MaxConnections", status.max_connections.into())
            .number("Waiting", waiting(&status))
            .number("Queries", status.queries)
            .number("Failed", status.failed);
        if let Some([median, most]) = status.latencies {
            fields
                .number("MedianMicroseconds", median.into())
                .number("P99Microseconds", most.into());
        }
        session.respond(&fields);
        Ok(())
    }
}

fn waiting(status: &Status) -> u64 {
    u64::try_from(status.waiting).unwrap_or(u64::MAX)
}

/// Returns the metrics of the database in Prometheus' text format; none if there is no
/// database.
pub(super) fn metrics() -> String {
    let Some(status) = database::status() else {
        return String::new();
    };
    let metric = |name, kind, help, value: u64| {
        let mut metric = Metric::new(name, kind, help);
        metric.add(&[], value);
        metric.finish()
    };
    let mut latencies = Metric::new(
        "asterisk_authenticate_database_latency_seconds",
        "gauge",
        "Time of the latest 1,000 answers: the median, and the 99th percentile.",
    );
    for (quantile, latency) in ["0.5", "0.99"]
        .iter()
        .zip(status.latencies.iter().flatten())
    {
        let seconds = f64::from(*latency) / 1_000_000.0;
        latencies.add(&[("quantile", quantile)], seconds);
    }
    let is_reached = status.outage.is_none() && !status.server.is_empty();
    [
        metric(
            "asterisk_authenticate_database_up",
            "gauge",
            "Whether the database of PIN sets is reached: 1 or 0.",
            is_reached.into(),
        ),
        metric(
            "asterisk_authenticate_database_connections",
            "gauge",
            "Connections to the database of PIN sets.",
            status.connections.into(),
        ),
        metric(
            "asterisk_authenticate_database_waiting",
            "gauge",
            "Queries that wait for a connection.",
            waiting(&status),
        ),
        metric(
            "asterisk_authenticate_database_queries_total",
            "counter",
            "Queries of PIN sets in a database.",
            status.queries,
        ),
        metric(
            "asterisk_authenticate_database_failures_total",
            "counter",
            "Those of them that had no answer in time.",
            status.failed,
        ),
        latencies.finish(),
    ]
    .concat()
}
