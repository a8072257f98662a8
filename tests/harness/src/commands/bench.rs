//! `harness bench`: what a call costs, on the stock module and on ours.

use std::sync::atomic::{AtomicUsize, Ordering};
use std::thread;

use anyhow::{ensure, Context, Result};
use harness::{Call, Module, Outcome, Pbx};

/// How much to measure.
#[derive(Debug, clap::Args)]
pub(crate) struct Arguments {
    /// Rounds for each list, each of them on both modules in turn.
    #[arg(long, default_value_t = 7)]
    rounds: usize,
    /// Calls a round.
    #[arg(long, default_value_t = 100)]
    calls: usize,
    /// Calls at once.
    #[arg(long, default_value_t = 20)]
    at_once: usize,
}

/// What the caller is compared with: its name, and what goes between the
/// parentheses of `Authenticate`.
const LISTS: &[(&str, &str)] = &[
    ("literal", "1234"),
    ("ten-line file", "/pins/ten"),
    ("astdb family", "/pin,d"),
];

/// A clock tick of `/proc/PID/stat`, in milliseconds.
const TICK: f64 = 10.0;

struct Round {
    /// Milliseconds of processor time a call.
    cpu: f64,
    /// Seconds from the last key to the answer, one for each call.
    delays: Vec<f64>,
}

pub(crate) fn run(arguments: &Arguments) -> Result<()> {
    let stock = start(Module::Theirs)?;
    let ours = start(Module::Ours)?;
    println!(
        "{} rounds of {} calls, {} at once, each: prompt, 1234#, thank-you\n",
        arguments.rounds, arguments.calls, arguments.at_once
    );
    println!("                  CPU a call, ms           last key to answer, ms (median, 95 %)");
    println!("                  stock   ours   ours/stock  stock           ours");
    for (name, args) in LISTS {
        let (mut theirs, mut own) = (Vec::new(), Vec::new());
        // The first round warms both up.
        for number in 0..=arguments.rounds {
            // Whoever goes first in a pair has no advantage by it.
            let pair = if number % 2 == 0 {
                let first = round(&stock, args, arguments)?;
                (first, round(&ours, args, arguments)?)
            } else {
                let first = round(&ours, args, arguments)?;
                (round(&stock, args, arguments)?, first)
            };
            if number > 0 {
                theirs.push(pair.0);
                own.push(pair.1);
            }
        }
        let ratios = own.iter().zip(&theirs).map(|(o, t)| o.cpu / t.cpu);
        println!(
            "{name:<16} {:>6.2} {:>6.2}   {:>6.2}      {:<15} {}",
            quantile(theirs.iter().map(|round| round.cpu), 0.5),
            quantile(own.iter().map(|round| round.cpu), 0.5),
            quantile(ratios, 0.5),
            delays(&theirs),
            delays(&own),
        );
    }
    Ok(())
}

fn start(module: Module) -> Result<Pbx> {
    let pbx = Pbx::builder().module(module).start()?;
    let nine: String = (2000..2009).map(|pin| format!("{pin}\n")).collect();
    pbx.pin_file("ten", nine + "1234\n")?;
    pbx.db_put("pin", "1234", "1")?;
    Ok(pbx)
}

fn round(pbx: &Pbx, args: &str, arguments: &Arguments) -> Result<Round> {
    let begun = AtomicUsize::new(0);
    let caller = || -> Result<Vec<f64>> {
        let mut delays = Vec::new();
        while begun.fetch_add(1, Ordering::Relaxed) < arguments.calls {
            let report = pbx.call(&Call::new(args).keys("1234#"))?;
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
