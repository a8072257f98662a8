//! `pinset`: looks after the PIN lists of `Authenticate()`.
#![forbid(unsafe_code)]

mod add;
mod calls;
mod cells;
mod change;
mod check;
mod colours;
mod config_file;
mod convert;
mod digests;
mod dumps;
mod entry;
mod failure;
mod forms;
mod generate;
mod hash;
mod index;
mod new_list;
mod numbers;
mod odds;
mod pepper;
mod reach;
mod remove;
mod report;
mod serve;
mod sheet;
mod source;
mod text;
mod verify;
mod weak;

use std::io::{self, Write};
use std::path::PathBuf;
use std::process::ExitCode;

use clap::{Parser, Subcommand, ValueEnum};
use pinset::list::Format;

use failure::Failure;
use report::{Reports, Verdict};

/// The exit code of a wrong command line, and of what could not be done.
const FAILED: u8 = 3;

/// Looks after the PIN lists of Authenticate().
#[derive(Debug, Parser)]
#[command(name = "pinset", version = env!("PINSET_VERSION"))]
struct Arguments {
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, Subcommand)]
enum Command {
    Add(add::Add),
    Check(Check),
    Convert(convert::Convert),
    Generate(generate::Generate),
    Hash(hash::Hash),
    Pepper(pepper::PepperCommand),
    Remove(remove::Remove),
    Report(calls::Report),
    Serve(serve::Serve),
    Verify(verify::Verify),
}

/// Reads PIN lists as the module would, and tells what is wrong with them.
///
/// Lines are named by number. No PIN and no line of a list is ever printed.
#[derive(Debug, clap::Args)]
#[command(after_help = "\
Weak PINs: the same keys over and over, runs (up or down by one or two), years
from 1900 to 2099, dates of eight digits, and those that everybody tries. In an
md5 list, those of up to six digits are found, and every PIN of up to six
digits whose MD5 was taken with a line end (echo without -n).

Odds: as if every PIN of a length were equally likely to be guessed. A warning
comes where, at three tries a call, fewer than 10000 calls let every second
fraudster in. Of an md5 list the lengths are not known, so there are no odds.

Of csv lists: broken rows, weak PINs that are not hashed, rows with the same account
and caller, and Argon2id rows that nobody can use, as they have no caller and an
account that can't be entered on a telephone. Whether a caller is a usable number
depends on the numbering options.

With --config: what the PIN sets whose source is the list can't do with it, so that
nobody, or not everybody, is admitted.

Exit code: 0 clean; 1 warnings only: weak or duplicate PINs, rows that nobody can
use, a PIN set that can't admit all, odds, a last line without an end, an empty list, one that everybody may write
to; 2 broken lines, or a list that can't be read; 3 a wrong command line. Of several
lists, the worst.")]
struct Check {
    /// The lists
    #[arg(required = true, value_name = "FILE")]
    files: Vec<PathBuf>,
    /// What the lists are; auto: by the first line that is not blank, which of
    /// a csv list is a header with account and secret
    #[arg(long, value_enum, default_value_t)]
    format: Wanted,
    /// Print JSON (the fields are in docs/pin-lists.md)
    #[arg(long)]
    json: bool,
    /// How many lines of each kind are named; all are counted
    #[arg(long, value_name = "N", default_value_t = 20)]
    show: usize,
    #[command(flatten)]
    config: config_file::ConfigFile,
    #[command(flatten)]
    numbers: numbers::Numbers,
}

#[derive(Clone, Copy, Debug, Default, ValueEnum)]
enum Wanted {
    Plain,
    Md5,
    #[default]
    Auto,
}

impl Wanted {
    fn format(self) -> Option<Format> {
        match self {
            Self::Plain => Some(Format::Plain),
            Self::Md5 => Some(Format::Md5),
            Self::Auto => None,
        }
    }
}

fn main() -> ExitCode {
    let arguments = match Arguments::try_parse() {
        Ok(arguments) => arguments,
        Err(error) => {
            let code = if error.use_stderr() { FAILED } else { 0 };
            // Nobody is left to tell if this can't be written.
            let _ = error.print();
            return ExitCode::from(code);
        }
    };
    if let Err(error) = dumps::forbid() {
        failure::note(format!("core dumps can't be ruled out: {error}"));
    }
    let done = match &arguments.command {
        Command::Add(add) => add::run(add),
        Command::Check(check) => run(check).map(Verdict::exit_code),
        Command::Convert(convert) => convert::run(convert),
        Command::Generate(generate) => generate::run(generate),
        Command::Hash(hash) => hash::run(hash),
        Command::Pepper(pepper) => pepper::run(pepper),
        Command::Remove(remove) => remove::run(remove),
        Command::Report(report) => calls::run(report),
        Command::Serve(serve) => serve::run(serve),
        Command::Verify(verify) => verify::run(verify),
    };
    match done {
        Ok(code) => ExitCode::from(code),
        Err(failure) => {
            // A closed pipe is the reader's will.
            let closed = matches!(&failure, Failure::Output(error)
                if error.kind() == io::ErrorKind::BrokenPipe);
            if !closed {
                failure::note(failure);
            }
            ExitCode::from(FAILED)
        }
    }
}

fn run(arguments: &Check) -> Result<Verdict, Failure> {
    let settings = arguments.config.settings()?;
    let rules = check::Rules {
        format: arguments.format.format(),
        numbering: arguments.numbers.numbering(&settings)?,
        pin_sets: check::PinSets::read(&arguments.config, &settings)?,
        show: arguments.show,
    };
    let paths = arguments.files.iter();
    let reports = paths.map(|path| check::check(path, &rules)).collect();
    print(reports, arguments.json).map_err(Failure::Output)
}

/// Prints the reports; returns the worst verdict.
fn print(reports: Vec<report::Report>, json: bool) -> io::Result<Verdict> {
    let verdicts = reports.iter().map(|report| report.verdict);
    let worst = verdicts.max().unwrap_or(Verdict::Clean);
    let mut out = io::stdout().lock();
    if json {
        serde_json::to_writer_pretty(&mut out, &Reports::new(worst, reports))?;
        writeln!(out)?;
    } else {
        for report in &reports {
            write!(out, "{report}")?;
        }
    }
    out.flush()?;
    Ok(worst)
}
