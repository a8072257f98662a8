//! `pinset check`: checking of PIN files.

mod report;

use std::fs::File;
use std::io::{self, Read, Write};
use std::path::{Path, PathBuf};

use clap::ValueEnum;
use indicatif::{ProgressBar, ProgressStyle};
use pinset::list::Format;

use crate::common::config_file::ConfigFileArgs;
use crate::common::error::CommandError;
use crate::common::numbering_args::NumberingArgs;
use crate::common::pin_list::{DatabaseArgs, PinList};
use crate::pin_files::check::{examine, examine_database, CheckedPinSets, Rules, Verdict};
use report::{ListReport, Reports};

/// Checks PIN files as the module reads them.
///
/// Lines are reported by number. No PIN and no line of a file is ever printed.
#[derive(Debug, clap::Args)]
#[command(after_help = "\
Weak PINs: repeated patterns, runs (up or down by one or two), years from 1900 to
2099, dates of eight digits, and the most common PINs. In an MD5 file, weak PINs of
up to six digits are found, and all PINs of up to six digits that were hashed with a
line end (echo without -n).

Odds: assumes that all PINs of a length are equally likely. Warns if, at three
attempts per call, fewer than 10000 calls admit every second fraudster. The lengths
in an MD5 file are unknown, so there are no odds.

CSV files: invalid rows, weak PINs that are not hashed, rows with the same account
and caller, and Argon2id rows that nobody can use because they have no caller and
an account that can't be entered on a telephone. The numbering options determine
whether a caller is a usable number.

With --config: reports PIN sets that admit nobody, or not all callers, because of
the file.

Exit code: 0 clean; 1 warnings only: weak or duplicate PINs, rows that nobody can
use, PIN sets that can't admit all callers, odds, a last line without a line end,
an empty file, a world-writable file; 2 invalid lines, or a file that can't be
read; 3 a wrong command line. For several files, the worst.")]
pub(crate) struct Check {
    /// PIN files
    #[arg(required = true, value_name = "FILE")]
    files: Vec<PathBuf>,
    /// Format of the files; auto: by the first line that is not blank, which in a
    /// CSV file is a header with account and secret
    #[arg(long, value_enum, default_value_t)]
    format: FormatArg,
    /// Print JSON (the fields are in docs/pin-lists.md)
    #[arg(long)]
    json: bool,
    /// Number of lines of each kind to report; all are counted
    #[arg(long, value_name = "N", default_value_t = 20)]
    show: usize,
    #[command(flatten)]
    database: DatabaseArgs,
    #[command(flatten)]
    config: ConfigFileArgs,
    #[command(flatten)]
    numbers: NumberingArgs,
}

#[derive(Clone, Copy, Debug, Default, ValueEnum)]
enum FormatArg {
    Plain,
    Md5,
    #[default]
    Auto,
}

impl FormatArg {
    fn format(self) -> Option<Format> {
        match self {
            Self::Plain => Some(Format::Plain),
            Self::Md5 => Some(Format::Md5),
            Self::Auto => None,
        }
    }
}

/// Smallest size of a list with a progress bar, in bytes.
const MIN_BYTES_FOR_PROGRESS: u64 = 16 << 20;

pub(crate) fn run(arguments: &Check) -> Result<u8, CommandError> {
    let (settings, pin_sets) = arguments.config.settings_and_pin_sets()?;
    let rules = Rules {
        format: arguments.format.format(),
        numbering: arguments.numbers.numbering(&settings)?,
        pin_sets: CheckedPinSets::new(pin_sets, &settings),
        show: arguments.show,
    };
    let paths = arguments.files.iter();
    let reports = match &arguments.database.database {
        Some(_) if rules.format.is_some() => {
            return Err(CommandError::new(
                "--format: not for PIN sets in a database",
            ));
        }
        Some(_) => {
            let check = |name: &PathBuf| check_stored(name, &arguments.database, &rules);
            paths.map(check).collect::<Result<_, _>>()?
        }
        None => paths.map(|path| check(path, &rules)).collect(),
    };
    let worst = print(reports, arguments.json).map_err(CommandError::Output)?;
    Ok(worst.exit_code())
}

/// Prints the reports and returns the worst verdict.
fn print(reports: Vec<ListReport>, json: bool) -> io::Result<Verdict> {
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

/// Checks a PIN set in a database.
fn check_stored(
    name: &Path,
    database: &DatabaseArgs,
    rules: &Rules,
) -> Result<ListReport, CommandError> {
    let mut list = PinList::lock(name, database, &rules.numbering)?;
    let text = list.text()?;
    let ids = list.ids();
    // Other commands need not wait for the check.
    drop(list);
    let name = name.display().to_string();
    let examined = examine_database(&name.to_lowercase(), &text, &ids, rules);
    Ok(ListReport::new(name, examined))
}

/// Checks the list at `path`.
fn check(path: &Path, rules: &Rules) -> ListReport {
    let file = path.display().to_string();
    ListReport::new(file, examine(path, rules, &with_progress))
}

/// Returns the bytes of a file, with a progress bar on a terminal if it is large.
fn with_progress(file: File, bytes: u64) -> Box<dyn Read> {
    if bytes < MIN_BYTES_FOR_PROGRESS {
        return Box::new(file);
    }
    let bar = ProgressBar::new(bytes).with_message("reading");
    let bar = match ProgressStyle::with_template("{msg} {wide_bar} {percent}%") {
        Ok(style) => bar.with_style(style),
        Err(_) => bar,
    };
    Box::new(bar.wrap_read(file))
}
