//! As many requests as a service answers, by wrk, which takes little of the processors.

use std::net::SocketAddr;
use std::path::Path;
use std::process::Command;
use std::sync::atomic::{AtomicU32, Ordering::Relaxed};
use std::time::Duration;

use crate::must;

/// The requests of a round.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Kind {
    /// The first request of a call.
    Gather,
    /// A request with the right PIN.
    Pin,
}

impl Kind {
    pub(crate) const ALL: [Self; 2] = [Self::Gather, Self::Pin];

    pub(crate) fn name(self) -> &'static str {
        match self {
            Self::Gather => "gather",
            Self::Pin => "pin",
        }
    }
}

/// The result of a round.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Round {
    pub requests: u64,
    /// Requests per second.
    pub rate: f64,
    /// The durations that a half, and 99 of 100, did not exceed.
    pub half: Duration,
    pub most: Duration,
}

/// Sends requests over several connections for this time. Panics if one fails; what the
/// answers say is not looked at.
pub(crate) fn round(service: SocketAddr, connections: u16, time: Duration, kind: Kind) -> Round {
    static ROUNDS: AtomicU32 = AtomicU32::new(0);
    let script = Path::new(env!("CARGO_MANIFEST_DIR")).join("benches/service/requests.lua");
    let output = Command::new("wrk")
        .arg(format!("-c{connections}"))
        .arg(format!("-d{}s", time.as_secs()))
        // As in the guide, Flask takes more than the two seconds after which wrk gives up.
        .args(["-t2", "--timeout", "60s", "-s"])
        .arg(script)
        .arg(format!("http://{service}"))
        .args(["--", kind.name()])
        .arg(ROUNDS.fetch_add(1, Relaxed).to_string())
        .output();
    let output = must(output);
    let text = String::from_utf8_lossy(&output.stdout);
    let words: Vec<&str> = text.lines().last().unwrap_or_default().split(' ').collect();
    let number = |name: &str| {
        let at = words.iter().position(|word| *word == name);
        let number = at.and_then(|at| words.get(at + 1)?.parse::<u64>().ok());
        number.unwrap_or_else(|| panic!("wrk: {text}{}", String::from_utf8_lossy(&output.stderr)))
    };
    assert_eq!(number("errors"), 0, "{text}");
    let requests = number("requests");
    Round {
        requests,
        rate: requests as f64 / number("microseconds") as f64 * 1e6,
        half: Duration::from_micros(number("half")),
        most: Duration::from_micros(number("most")),
    }
}
