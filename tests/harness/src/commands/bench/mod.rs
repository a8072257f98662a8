//! `harness bench`: the cost of a call, on the stock module and on ours.

mod growth;

use std::fs::File;
use std::io::{BufWriter, Write};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::thread;
use std::time::{Duration, Instant};

use anyhow::{bail, ensure, Context, Result};
use harness::{Call, Module, Outcome, Pbx};

use growth::Growth;

#[path = "../../../../../crates/pinset/benches/made/mod.rs"]
mod made;

/// How much to measure.
#[derive(Debug, Clone, clap::Args)]
pub(crate) struct Arguments {
    /// Rounds for each list, each of them on both modules in turn.
    #[arg(long, default_value_t = 3)]
    rounds: usize,
    /// Calls a round.
    #[arg(long, default_value_t = 100)]
    calls: usize,
    /// Calls at once.
    #[arg(long, default_value_t = 20)]
    at_once: usize,
    /// Leave out lists of more lines than this.
    #[arg(long, default_value_t = 10_000_000)]
    lines: u64,
    /// Plots the cost against this instead, into charts in docs/.
    #[arg(long)]
    growth: Option<Growth>,
}

/// What the caller's PIN is compared with.
struct List {
    name: String,
    /// What goes between the parentheses of `Authenticate`.
    args: String,
    /// How many lines the file has that is named there, if one is.
    lines: u64,
}

impl List {
    fn new(name: &str, args: &str) -> Self {
        Self {
            name: name.to_owned(),
            args: args.to_owned(),
            lines: 0,
        }
    }

    /// A file of this many lines, plain or md5.
    fn file(format: &str, lines: u64) -> Self {
        let option = if format == "md5" { ",m" } else { "" };
        Self {
            name: format!("{format}, {lines} lines"),
            args: format!("/pins/{format}-{lines}{option}"),
            lines,
        }
    }
}

/// The numbers of lines in the table.
const LINES: [u64; 4] = [10, 100_000, 1_000_000, 10_000_000];

/// The lists of the table.
fn lists() -> Vec<List> {
    let others = [
        List::new("literal", LAST),
        List::new("astdb family", "/pin,d"),
    ];
    let files = LINES
        .iter()
        .flat_map(|lines| ["plain", "md5"].map(|format| List::file(format, *lines)));
    others.into_iter().chain(files).collect()
}

/// The caller's PIN stands in the last line.
const LAST: &str = "1234";
const LAST_MD5: &str = "alice:81dc9bdb52d04dc20036dbd8313ed055";

/// More lines than this the stock module is not asked to read: it takes
/// seconds of processor time for an md5 list of a million.
const MAX_LINES_FOR_STOCK: u64 = 1_000_000;

/// From this many lines on, few calls with the stock module: it would take all
/// processors, for minutes.
const LARGE: u64 = 100_000;
const LARGE_CALLS: usize = 6;
const LARGE_AT_ONCE: usize = 2;

/// A clock tick of `/proc/PID/stat`, in milliseconds.
const TICK: f64 = 10.0;

/// Asterisk is at rest if it takes no more than two ticks in this time: it
/// makes no index.
const REST: Duration = Duration::from_millis(500);
const REST_TICKS: u64 = 2;

/// The longest time until it is at rest.
const REST_TIMEOUT: Duration = Duration::from_secs(120);

/// An index is built only of a file that has not changed for this time.
const INDEX_DELAY: Duration = Duration::from_secs(2);

struct Round {
    /// Milliseconds of processor time a call.
    cpu: f64,
    /// Seconds from the last key to the answer, one for each call.
    delays: Vec<f64>,
}

pub(crate) fn run(arguments: &Arguments) -> Result<()> {
    let stock = start(Module::Theirs)?;
    let ours = start(Module::Ours)?;
    if let Some(growth) = arguments.growth {
        return growth::run(growth, &growth::documents(), [&stock, &ours], arguments);
    }
    println!(
        "{} rounds of {} calls, {} at once, each: prompt, {LAST}#, thank-you",
        arguments.rounds, arguments.calls, arguments.at_once
    );
    let large = arguments.of(LARGE);
    println!(
        "10^5 and 10^6 lines: {} calls, {} at once; the PIN is in the last line\n",
        large.calls, large.at_once
    );
    println!(
        "                       CPU a call, ms             last key to answer, ms (median, 95 %)"
    );
    println!("                         stock    ours ours/stock stock             ours");
    for list in lists().iter().filter(|list| list.lines <= arguments.lines) {
        measure(&stock, &ours, list, &arguments.of(list.lines))?;
    }
    Ok(())
}

impl Arguments {
    /// The number of calls that makes sense for a file with this many lines.
    fn of(&self, lines: u64) -> Self {
        let (calls, at_once) = match lines {
            LARGE..=MAX_LINES_FOR_STOCK => (LARGE_CALLS, LARGE_AT_ONCE),
            _ => (self.calls, self.at_once),
        };
        Self {
            calls: self.calls.min(calls),
            at_once: self.at_once.min(at_once),
            ..self.clone()
        }
    }

    /// One call from each caller.
    fn warming_up(&self) -> Self {
        Self {
            calls: self.at_once,
            ..self.clone()
        }
    }
}

/// Measures one list and prints its line.
fn measure(stock: &Pbx, ours: &Pbx, list: &List, arguments: &Arguments) -> Result<()> {
    let with_stock = list.lines <= MAX_LINES_FOR_STOCK;
    put(ours, list)?;
    if with_stock {
        put(stock, list)?;
    }
    settle(ours, list)?;
    round(ours, &list.args, &arguments.warming_up())?;
    if with_stock {
        round(stock, &list.args, &arguments.warming_up())?;
    }
    let (mut theirs, mut own) = (Vec::new(), Vec::new());
    for number in 0..arguments.rounds {
        // Whoever goes first in a pair has no advantage by it.
        for turn in 0..2 {
            let (pbx, rounds) = if (number + turn) % 2 == 0 {
                (stock, &mut theirs)
            } else {
                (ours, &mut own)
            };
            if with_stock || std::ptr::eq(pbx, ours) {
                rounds.push(round(pbx, &list.args, arguments)?);
            }
        }
    }
    let cpu = |rounds: &[Round]| quantile(rounds.iter().map(|round| round.cpu), 0.5);
    let ratios = own.iter().zip(&theirs).map(|(o, t)| o.cpu / t.cpu);
    let ratio = quantile(ratios, 0.5);
    let or_dash = |figure: f64| match figure.is_nan() {
        true => "-".to_owned(),
        false => format!("{figure:.2}"),
    };
    println!(
        "{:<22} {:>7} {:>7} {:>10} {:<17} {}",
        list.name,
        or_dash(cpu(&theirs)),
        or_dash(cpu(&own)),
        or_dash(ratio),
        delays(&theirs),
        delays(&own),
    );
    Ok(())
}

fn start(module: Module) -> Result<Pbx> {
    let pbx = Pbx::builder().module(module).start()?;
    pbx.db_put("pin", LAST, "1")?;
    Ok(pbx)
}

/// Writes the list's file, if it has one.
fn put(pbx: &Pbx, list: &List) -> Result<()> {
    let Some(before) = list.lines.checked_sub(1) else {
        return Ok(());
    };
    let path = list.args.trim_end_matches(",m");
    let path = pbx.outside(path).context("no file of the container")?;
    let mut file = BufWriter::new(File::create(path)?);
    let md5 = list.args.ends_with(",m");
    made::write(&mut file, md5, before)?;
    writeln!(file, "{}", if md5 { LAST_MD5 } else { LAST })?;
    Ok(file.flush()?)
}

/// Has our module make its index of a list, if it makes one.
fn settle(pbx: &Pbx, list: &List) -> Result<()> {
    if list.lines > 0 {
        thread::sleep(INDEX_DELAY);
    }
    pbx.call(&Call::new(list.args.as_str()).keys(&format!("{LAST}#")))?;
    let end = Instant::now() + REST_TIMEOUT;
    while Instant::now() < end {
        let before = pbx.cpu_time()?;
        thread::sleep(REST);
        if pbx.cpu_time()? - before <= REST_TICKS {
            return Ok(());
        }
    }
    bail!("{}: Asterisk does not come to rest", list.name)
}

fn round(pbx: &Pbx, args: &str, arguments: &Arguments) -> Result<Round> {
    let begun = AtomicUsize::new(0);
    let caller = || -> Result<Vec<f64>> {
        let mut delays = Vec::new();
        while begun.fetch_add(1, Ordering::Relaxed) < arguments.calls {
            let report = pbx.call(&Call::new(args).keys(&format!("{LAST}#")))?;
            ensure!(
                report.outcome == Outcome::Passed,
                "a call failed: {report:#?}"
            );
            delays.push(report.last_key_to_answer.context("no answer seen")?);
        }
        Ok(delays)
    };
    let before = pbx.cpu_time()?;
    let delays = thread::scope(|scope| {
        let callers: Vec<_> = (0..arguments.at_once)
            .map(|_| scope.spawn(caller))
            .collect();
        let mut delays = Vec::new();
        for caller in callers {
            let caller = caller.join().ok().context("a caller panicked")?;
            delays.extend(caller?);
        }
        Ok::<_, anyhow::Error>(delays)
    })?;
    let ticks = pbx.cpu_time()? - before;
    Ok(Round {
        cpu: ticks as f64 * TICK / arguments.calls as f64,
        delays,
    })
}

fn delays(rounds: &[Round]) -> String {
    if rounds.is_empty() {
        return "-".into();
    }
    let all = || rounds.iter().flat_map(|round| &round.delays).copied();
    format!(
        "{:.2}, {:.2}",
        quantile(all(), 0.5) * 1000.0,
        quantile(all(), 0.95) * 1000.0
    )
}

fn quantile(values: impl Iterator<Item = f64>, which: f64) -> f64 {
    let mut values: Vec<f64> = values.collect();
    values.sort_by(f64::total_cmp);
    let last = values.len().saturating_sub(1);
    let at = (last as f64 * which).round() as usize;
    values.get(at).copied().unwrap_or(f64::NAN)
}
