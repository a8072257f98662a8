//! Benchmark of `pinset serve` beside the service of Hipcall's guide, Flask under gunicorn,
//! and a handler of axum that does nothing else, which is the limit: `make bench-service`.
//!
//! Requests per second, their durations and the processor's time, on one machine in one
//! run; all but the limit have their request logs. All services and the requests share the
//! processors of the machine.
#![forbid(unsafe_code)]

use std::env;
use std::fmt::Debug;
use std::time::Duration;

use serde_json::json;

#[path = "service/bare.rs"]
mod bare;
#[path = "service/load.rs"]
mod load;
#[path = "service/services.rs"]
mod services;
#[path = "service/wrk.rs"]
mod wrk;

use load::Answers;
use services::{Journal, Service};
use wrk::Kind;

const CONNECTIONS: u16 = 32;
const WARM_UP: Duration = Duration::from_secs(2);
const ROUND: Duration = Duration::from_secs(5);
const ROUNDS: usize = 3;

/// The promised requests per second, as a share of the limit and as a multiple of the better
/// tuned Flask.
const OF_LIMIT: f64 = 0.6;
const OF_FLASK: f64 = 20.0;
/// The promised processor time of a PIN.
const PROCESSOR: Duration = Duration::from_micros(30);
/// The promised 99th percentile at half the requests per second.
const AT_HALF: Duration = Duration::from_millis(3);

/// The URL of the guide's sounds.
const AUDIO: &str = "https://your-server.example.com/static/audio";

/// Returns the value, or panics, because the benchmark can't continue without it.
fn must<T, E: Debug>(result: Result<T, E>) -> T {
    result.unwrap_or_else(|error| panic!("{error:?}"))
}

/// What was measured of a service with one kind of request: the middle of the rounds.
struct Row {
    name: String,
    kind: Kind,
    round: wrk::Round,
    /// The processor's time for each request.
    processor: Duration,
    /// How many requests of all rounds are not in the log.
    lost: u64,
}

fn main() {
    if env::args().any(|argument| argument == bare::ARGUMENT) {
        return bare::serve();
    }
    let folder = must(tempfile::tempdir());
    let services = [
        Service::bare(),
        Service::ours(folder.path()),
        Service::flask(folder.path(), "sync", Journal::Default),
        Service::flask(folder.path(), "gthread", Journal::Default),
        Service::flask(folder.path(), "gthread", Journal::Wal),
    ];
    println!(
        "{CONNECTIONS} connections, {ROUNDS} rounds of {ROUND:?} each in turn; the middle one:"
    );
    let rows: Vec<Row> = Kind::ALL
        .iter()
        .flat_map(|kind| measured(&services, *kind))
        .collect();
    rows.iter().for_each(print);
    compare(&rows);
    let [_, ours, ..] = &services;
    let pins = rows.iter().find(|row| is(row, &ours.name, Kind::Pin));
    let half = pins.map_or(1.0, |row| row.round.rate / 2.0);
    let most = load::paced(ours.address, CONNECTIONS.into(), half, ROUND, &answers());
    println!("at {half:.0} requests a second, 99 of 100 within {most:.1?} (promised: {AT_HALF:?})");
}

/// Measures all services with one kind of request.
fn measured(services: &[Service], kind: Kind) -> Vec<Row> {
    let round = |service: &Service, time| wrk::round(service.address, CONNECTIONS, time, kind);
    let logged = |service: &Service| service.logged().unwrap_or_default();
    let before: Vec<u64> = services.iter().map(logged).collect();
    let mut sent: Vec<u64> = services
        .iter()
        .map(|service| round(service, WARM_UP).requests)
        .collect();
    let mut rounds: Vec<Vec<(wrk::Round, Duration)>> = vec![Vec::new(); services.len()];
    for _ in 0..ROUNDS {
        for ((service, rounds), sent) in services.iter().zip(&mut rounds).zip(&mut sent) {
            let began = service.processor();
            let measured = round(service, ROUND);
            // What it still writes belongs to the requests.
            service.logged();
            *sent += measured.requests;
            let processor = service.processor().saturating_sub(began);
            let each = processor.div_f64(measured.requests as f64);
            rounds.push((measured, each));
        }
    }
    let mut rows = Vec::new();
    for (((service, mut rounds), before), sent) in services.iter().zip(rounds).zip(before).zip(sent)
    {
        let after = service.logged();
        let lost = after.map_or(0, |after| (before + sent).saturating_sub(after));
        rounds.sort_by(|(one, _), (two, _)| one.rate.total_cmp(&two.rate));
        if let Some((round, processor)) = rounds.get(rounds.len() / 2) {
            rows.push(Row {
                name: service.name.clone(),
                kind,
                round: *round,
                processor: *processor,
                lost,
            });
        }
    }
    rows
}

fn print(row: &Row) {
    let Row {
        name,
        kind,
        round,
        processor,
        lost,
    } = row;
    println!(
        "{name:28} {:6} {:8.0} requests a second, half within {:.1?}, 99 of 100 within {:.1?}, \
         {:.1} µs of a processor each{}",
        kind.name(),
        round.rate,
        round.half,
        round.most,
        processor.as_secs_f64() * 1e6,
        match lost {
            0 => String::new(),
            lost => format!("; {lost} are not logged: the machine is too busy"),
        }
    );
}

fn is(row: &Row, name: &str, kind: Kind) -> bool {
    row.name == name && row.kind == kind
}

/// Prints what is promised beside what was measured.
fn compare(rows: &[Row]) {
    for kind in Kind::ALL {
        let mut rows = rows.iter().filter(|row| row.kind == kind);
        let (Some(limit), Some(ours)) = (rows.next(), rows.next()) else {
            continue;
        };
        let flask = rows.map(|row| row.round.rate).fold(0.0, f64::max);
        println!(
            "{}: {:.2} of the limit (promised: {OF_LIMIT}), {:.1} times the best Flask \
             (promised: {OF_FLASK}), {:.1} µs of a processor (promised for a PIN: {PROCESSOR:?})",
            kind.name(),
            ours.round.rate / limit.round.rate,
            ours.round.rate / flask,
            ours.processor.as_secs_f64() * 1e6
        );
    }
}

fn answers() -> Answers {
    let sound = |name| format!("{AUDIO}/{name}.mp3");
    let gather = json!({
        "min_digits": 1,
        "max_digits": 4,
        "ask": sound("pin_prompt"),
        "variable_name": "pin_code",
    });
    let play = json!({"action": "play", "args": {"url": sound("success")}});
    let connect = json!({"action": "connect", "args": {"destination": "1091"}});
    Answers {
        gather: json!({"version": "1", "seq": [{"action": "gather", "args": gather}]}),
        success: json!({"version": "1", "seq": [play, connect]}),
    }
}
