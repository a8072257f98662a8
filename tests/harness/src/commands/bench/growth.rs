//! How a call's cost grows with the number of PINs, and with calls at once, in charts.

use std::fs;
use std::path::{Path, PathBuf};

use anyhow::{Context, Result};
use clap::ValueEnum;
use harness::{Chart, Pbx, Series};

use super::{put, quantile, round, settle, Arguments, List, Round, MAX_LINES_FOR_STOCK};

/// What the cost is plotted against.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(crate) enum Growth {
    /// The number of PINs.
    Pins,
    /// The number of calls at once.
    Calls,
}

/// Calls at once.
const AT_ONCE: [usize; 9] = [1, 2, 5, 10, 20, 50, 100, 200, 500];

/// The lines of the list that calls at once look into.
const LINES: u64 = 10_000;

/// The least time that is told apart, in milliseconds.
const LEAST: f64 = 0.1;

/// The least calls of a round.
const MIN_CALLS: usize = 20;

/// Measures and writes the charts into `folder`.
pub(super) fn run(
    growth: Growth,
    folder: &Path,
    [stock, ours]: [&Pbx; 2],
    arguments: &Arguments,
) -> Result<()> {
    let mut lines = Vec::new();
    for format in ["plain", "md5"] {
        for (name, pbx) in [("stock", stock), ("ours", ours)] {
            println!("{name}, {format}");
            let mut line = Line::new(format!("{name}, {format}"));
            for (list, arguments) in points(growth, format, arguments) {
                let arguments = match name {
                    "stock" if list.lines > MAX_LINES_FOR_STOCK => continue,
                    "stock" => arguments.of(list.lines),
                    _ => arguments,
                };
                // Calls at once look into the same list.
                if growth == Growth::Pins || line.delays.points.is_empty() {
                    put(pbx, &list)?;
                    settle(pbx, &list)?;
                }
                round(pbx, &list.args, &arguments.warming_up())?;
                let x = match growth {
                    Growth::Pins => list.lines as f64,
                    Growth::Calls => arguments.at_once as f64,
                };
                line.add(x, &round(pbx, &list.args, &arguments)?);
            }
            lines.push(line);
        }
    }
    let (name, x) = match growth {
        Growth::Pins => ("pins", "PINs in the file"),
        Growth::Calls => ("calls", "calls at once"),
    };
    let write = |what: &str, title: &str, series: Vec<Series>| -> Result<()> {
        let path = folder.join(format!("growth-{name}-{what}.svg"));
        let chart = Chart {
            title,
            x,
            series: &series,
        };
        fs::write(&path, chart.svg()).with_context(|| path.display().to_string())
    };
    let (delays, cpu): (Vec<_>, Vec<_>) = lines
        .into_iter()
        .map(|line| (line.delays, line.cpu))
        .unzip();
    write("delay", "Last digit to answer, ms (median)", delays)?;
    write("cpu", "CPU time of a call, ms", cpu)
}

/// The lists, and how many calls.
fn points(growth: Growth, format: &str, arguments: &Arguments) -> Vec<(List, Arguments)> {
    match growth {
        Growth::Pins => (1..=7)
            .map(|power| 10_u64.pow(power))
            .filter(|lines| *lines <= arguments.lines)
            .map(|lines| (List::file(format, lines), arguments.clone()))
            .collect(),
        Growth::Calls => AT_ONCE
            .into_iter()
            .map(|at_once| {
                let calls = at_once.max(MIN_CALLS);
                let arguments = Arguments {
                    at_once,
                    calls,
                    ..arguments.clone()
                };
                (List::file(format, LINES), arguments)
            })
            .collect(),
    }
}

/// What was measured of one module and format.
struct Line {
    delays: Series,
    cpu: Series,
}

impl Line {
    fn new(name: String) -> Self {
        let series = || Series {
            name: name.clone(),
            points: Vec::new(),
        };
        Self {
            delays: series(),
            cpu: series(),
        }
    }

    fn add(&mut self, x: f64, round: &Round) {
        let delay = quantile(round.delays.iter().copied(), 0.5) * 1000.0;
        println!("{x:>10} {delay:>9.2} ms {:>9.2} ms of CPU", round.cpu);
        self.delays.points.push((x, delay.max(LEAST)));
        self.cpu.points.push((x, round.cpu.max(LEAST)));
    }
}

/// The folder of the documents.
pub(super) fn documents() -> PathBuf {
    harness::workspace().join("docs")
}
