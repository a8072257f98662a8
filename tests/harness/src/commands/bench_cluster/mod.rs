//! `harness bench-cluster`: PIN sets in PostgreSQL, beside Asterisk's own ways to the same
//! table and the server's own benchmark program.

mod driver;
mod limit;
mod setup;

use std::time::Duration;

use anyhow::Result;
use harness::Pbx;

use driver::{drive, Figures, Load};
use setup::{network, Database};

/// How much to measure.
#[derive(Debug, clap::Args)]
pub(crate) struct Arguments {
    /// Seconds for each figure.
    #[arg(long, default_value_t = 4)]
    seconds: u64,
    /// Rows of the table, besides those that are looked up.
    #[arg(long, default_value_t = 1_000_000)]
    rows: u64,
    /// `database_connections`.
    #[arg(long, default_value_t = 4)]
    connections: u32,
    /// Only these ways: parts of their names.
    #[arg(long)]
    only: Option<String>,
}

/// How many entries there are at once.
const AT_ONCE: [usize; 3] = [1, 16, 64];

/// The delay each way.
const DELAYS: [Duration; 2] = [Duration::ZERO, Duration::from_micros(500)];

/// Rows that are looked up: their accounts and PINs are numbers from this on.
const FIRST_PIN: u64 = 100_000;
const PINS: u64 = 10_000;

/// The time from one entry of a caller to the next, for figures of a machine that is not
/// busy all the time: 4,000 a second of 64 callers.
const PACE: Duration = Duration::from_millis(16);

/// Limits.
const TIMES_REALTIME: f64 = 10.0;
const MAX_P99: Duration = Duration::from_millis(5);
const MIN_ENTRIES: f64 = 2_000.0;

/// A way to the table, by an AMI action of a session for each entry at a time.
struct Way {
    name: &'static str,
    /// The action; `NUMBER` is a PIN and an account, `CALLER` a number of its own.
    action: &'static str,
    /// What the response has.
    answer: &'static str,
    needs_odbc: bool,
}

const fn way(name: &'static str, action: &'static str, answer: &'static str) -> Way {
    let needs_odbc = false;
    Way {
        name,
        action,
        answer,
        needs_odbc,
    }
}

const fn odbc(name: &'static str, action: &'static str, answer: &'static str) -> Way {
    let needs_odbc = true;
    Way {
        needs_odbc,
        ..way(name, action, answer)
    }
}

const OURS: &str = "look-up, ours";
const PACED: &str = "the same, every 16 ms each";
const REALTIME: &str = "look-up, Realtime, pgsql";
const ENTRY: &str = "entry, ours";

const WAYS: [Way; 6] = [
    way(
        OURS,
        "AuthenticateVerify\r\nPinSet: open\r\nSecret: NUMBER\r\nCaller: CALLER",
        "Status: SUCCESS",
    ),
    way(
        REALTIME,
        "Getvar\r\nVariable: REALTIME(pins-pgsql,account,NUMBER)",
        "hmac-sha256",
    ),
    odbc(
        "look-up, Realtime, odbc",
        "Getvar\r\nVariable: REALTIME(pins-odbc,account,NUMBER)",
        "hmac-sha256",
    ),
    odbc(
        "look-up, func_odbc",
        "Getvar\r\nVariable: ODBC_PIN(NUMBER)",
        "hmac-sha256",
    ),
    way(
        "no look-up: AMI alone",
        "Getvar\r\nVariable: MD5(NUMBER)",
        "Value: ",
    ),
    way(
        ENTRY,
        "AuthenticateVerify\r\nPinSet: limited\r\nSecret: NUMBER\r\nCaller: CALLER",
        "Status: SUCCESS",
    ),
];

/// What was measured of one way.
struct Line {
    name: &'static str,
    delay: Duration,
    figures: Vec<Option<Figures>>,
}

pub(crate) fn run(arguments: &Arguments) -> Result<()> {
    let time = Duration::from_secs(arguments.seconds);
    let is_wanted = |name: &str| {
        arguments
            .only
            .as_ref()
            .is_none_or(|part| name.contains(part))
    };
    println!(
        "{} rows, {} connections of ours, {} of ODBC; {} s for each figure\n\
         with 1, 16 and 64 at once: a second, median and 99th percentile in ms;\n\
         with 64: CPU time of Asterisk for each, in µs\n",
        arguments.rows + PINS,
        arguments.connections,
        setup::ODBC_CONNECTIONS,
        arguments.seconds,
    );
    let database = Database::start(arguments.rows)?;
    let mut lines = Vec::new();
    for delay in DELAYS {
        let host = network(&database, delay)?;
        let pbx = database.pbx(&host, arguments.connections)?;
        let has_odbc = setup::install_odbc(&pbx);
        println!(
            "{} ms of round trip; {:.2} ms measured",
            2.0 * delay.as_secs_f64() * 1000.0,
            limit::round_trip(&database, &host)?
        );
        for way in WAYS.iter().filter(|way| is_wanted(way.name)) {
            if way.needs_odbc && !has_odbc {
                lines.push(show(way.name, delay, AT_ONCE.map(|_| None).into()));
                continue;
            }
            let measure = |at_once, pace| {
                let load = Load {
                    at_once,
                    pace,
                    time,
                };
                drive(&pbx, way, load).map(Some)
            };
            let figures = each(|at_once| measure(at_once, Duration::ZERO))?;
            lines.push(show(way.name, delay, figures));
            if way.name == OURS {
                let figures = vec![None, None, measure(64, PACE)?];
                lines.push(show(PACED, delay, figures));
            }
        }
        for (name, script) in limit::SCRIPTS {
            if is_wanted(name) {
                let measure = |at_once| limit::measure(&database, &host, script, at_once, time);
                let figures = each(|at_once| measure(at_once).map(Some))?;
                lines.push(show(name, delay, figures));
            }
        }
        println!("{}", connections(&pbx)?);
    }
    judge(&lines);
    Ok(())
}

/// Measures with each number at once.
fn each(measure: impl Fn(usize) -> Result<Option<Figures>>) -> Result<Vec<Option<Figures>>> {
    AT_ONCE.into_iter().map(measure).collect()
}

/// Prints a line.
fn show(name: &'static str, delay: Duration, figures: Vec<Option<Figures>>) -> Line {
    let cell = |figures: &Option<Figures>| match figures {
        None => format!("{:>25}", "-"),
        Some(figures) => format!(
            "{:>9.0} {:>7.2} {:>7.2}",
            figures.rate,
            milliseconds(figures.p50),
            milliseconds(figures.p99)
        ),
    };
    let cells: Vec<_> = figures.iter().map(cell).collect();
    let last = figures.last().and_then(Option::as_ref);
    let cpu = last.and_then(|figures| figures.cpu);
    let cpu = cpu.map_or_else(|| "-".to_owned(), |cpu| format!("{cpu:.0}"));
    println!("{name:26}{} | {cpu:>5}", cells.join(" |"));
    Line {
        name,
        delay,
        figures,
    }
}

/// Compares with the limits.
fn judge(lines: &[Line]) {
    let most = |name: &str, delay: Duration| {
        let line = lines
            .iter()
            .find(|line| line.name == name && line.delay == delay)?;
        line.figures.last()?.as_ref()
    };
    let [near, far] = DELAYS;
    let mark = |is_kept: bool| {
        if is_kept {
            ""
        } else {
            "  <-- beyond the limit"
        }
    };
    if let (Some(ours), Some(theirs)) = (most(OURS, far), most(REALTIME, far)) {
        let times = ours.rate / theirs.rate;
        let is_kept = times >= TIMES_REALTIME;
        println!(
            "look-ups, 64 at once, 1 ms: {times:.1} times Realtime; limit: {TIMES_REALTIME}{}",
            mark(is_kept)
        );
    }
    for name in [OURS, PACED] {
        if let Some(Figures { rate, p99, .. }) = most(name, far) {
            println!(
                "99th percentile of {rate:.0} a second: {:.2} ms; limit: {MAX_P99:?}{}",
                milliseconds(*p99),
                mark(*p99 <= MAX_P99)
            );
        }
    }
    if let Some(entries) = most(ENTRY, near) {
        let is_kept = entries.rate >= MIN_ENTRIES;
        println!(
            "entries of one PIN set, 64 at once: {:.0} a second; limit: {MIN_ENTRIES}{}",
            entries.rate,
            mark(is_kept)
        );
    }
}

/// How many connections Asterisk has made, in its own words.
fn connections(pbx: &Pbx) -> Result<String> {
    let shown = pbx.cli("authenticate show database")?;
    let wanted = |line: &&str| {
        let of_interest = ["Connections", "Failed", "Latest"];
        of_interest.iter().any(|start| line.starts_with(start))
    };
    let lines: Vec<_> = shown.lines().filter(wanted).collect();
    Ok(format!("{}\n", lines.join("; ")))
}

fn milliseconds(time: Duration) -> f64 {
    time.as_secs_f64() * 1000.0
}
