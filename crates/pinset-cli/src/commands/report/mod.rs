//! `pinset report`: calls by identity, from CDR and audit log.

mod input;
mod output;
mod selection_args;

use std::path::{Path, PathBuf};

use pinset::timestamp::{Moment, Zone};

use crate::common::config_file::ConfigFileArgs;
use crate::common::error::{note, CommandError};
use crate::common::numbering_args::NumberingArgs;
use crate::reports::{CallOrder, CallReport, InputKind, Totals};
use input::Input;
use output::Output;
use selection_args::{SelectionArgs, SortColumnArg};

/// The exit code if something was skipped.
const SOME_SKIPPED: u8 = 1;

/// Reports calls by identity as CSV, from Asterisk's CDR, with totals per identity.
///
/// The identity is the account code of the CDR. If the audit log is given, too, it is
/// the one that Authenticate() admitted, and the PIN set is included.
#[derive(Debug, clap::Args)]
#[command(after_help = "\
Times: 2026-11-01, 2026-11-01 08:00 or 2026-11-01 08:00:30: local time, or with a
suffix Z or +03:00. Calls are selected by their start: at --from or later, before
--to, or on the day of --to if that is a day. Both are optional.

Calls are matched with the log by uniqueid: set loguniqueid = yes in cdr.conf. The
records of a call are one row: by the channel that authenticated, or by linkedid
(newcdrcolumns = yes). Its billed time is the time in which any of its channels
was answered.

Records are sorted in a temporary file in TMPDIR, else /var/tmp, of about the size
of the CDR.

No PIN is printed unless it is the account code: option a of Authenticate() with a
plain file, and account_code = pin.

Exit code: 0 complete; 1 lines were skipped, calls could not be looked up in the
log, or a log has no outcome; 3 an error, the report is incomplete.")]
pub(crate) struct Report {
    /// Asterisk's Master.csv, and its log with level AUTHENTICATE, in any order;
    /// - for standard input
    #[arg(required = true, value_name = "FILE")]
    files: Vec<PathBuf>,
    /// Start of the period: a day or time
    #[arg(long, value_name = "TIME", value_parser = from_which)]
    from: Option<Moment>,
    /// End of the period: a day, which is included, or a time
    #[arg(long, value_name = "TIME", value_parser = until_which)]
    to: Option<Moment>,
    /// Times in the CDR are UTC (usegmtime = yes in cdr.conf)
    #[arg(long)]
    utc: bool,
    /// Write the calls to a new file with mode 0600
    #[arg(long, value_name = "FILE")]
    output: Option<PathBuf>,
    /// Write the totals to a new file with mode 0600; without a file, print them
    /// instead of the calls
    #[arg(long, value_name = "FILE", num_args = 0..=1, require_equals = true, default_missing_value = "-")]
    totals: Option<PathBuf>,
    /// Totals per day, by the start of the calls
    #[arg(long, requires = "totals")]
    by_day: bool,
    /// Sort the calls by this column [default: order of the CDR]
    #[arg(long, value_enum, value_name = "COLUMN")]
    sort: Option<SortColumnArg>,
    /// Reverse the order
    #[arg(long, requires = "sort")]
    reverse: bool,
    /// Replace existing files of --output and --totals
    #[arg(long)]
    force: bool,
    #[command(flatten)]
    selection: SelectionArgs,
    #[command(flatten)]
    config: ConfigFileArgs,
    #[command(flatten)]
    numbers: NumberingArgs,
}

fn from_which(text: &str) -> Result<Moment, &'static str> {
    Moment::from_which(text, &Zone::of_the_machine()).ok_or("no such day or time")
}

fn until_which(text: &str) -> Result<Moment, &'static str> {
    Moment::until_which(text, &Zone::of_the_machine()).ok_or("no such day or time")
}

pub(crate) fn run(arguments: &Report) -> Result<u8, CommandError> {
    let period = (arguments.from, arguments.to);
    if let (Some(from), Some(to)) = period {
        if from >= to {
            return Err(CommandError::new("--from: must be before --to"));
        }
    }
    let numbering = arguments.numbers.numbering(&arguments.config.settings()?)?;
    let (calls, totals) = targets(arguments)?;
    let inputs: Vec<Input> = arguments
        .files
        .iter()
        .map(|path| Input::open(path))
        .collect::<Result<_, _>>()?;
    let (report, is_incomplete) = gather(arguments, inputs)?;
    let selection = arguments.selection.selection(period, numbering);
    let order = CallOrder {
        column: arguments.sort.map(Into::into),
        reverse: arguments.reverse,
    };
    let mut sums = Totals::new(arguments.by_day);
    match calls {
        Some(mut target) => {
            let mut write = |row: &[u8]| target.write(row);
            report.write(&selection, order, &mut sums, Some(&mut write))?;
            target.end()?;
        }
        None => report.write(&selection, order, &mut sums, None)?,
    }
    if let Some(mut target) = totals {
        target.write(&sums.csv())?;
        target.end()?;
    }
    Ok(if is_incomplete { SOME_SKIPPED } else { 0 })
}

/// Returns the outputs of calls and totals.
fn targets(arguments: &Report) -> Result<(Option<Output>, Option<Output>), CommandError> {
    let totals = arguments.totals.as_deref();
    let on_screen = totals == Some(Path::new("-"));
    let calls = match &arguments.output {
        Some(path) => Some(Output::file(path, arguments.force)?),
        None if on_screen => None,
        None => Some(Output::screen()),
    };
    let totals = match totals {
        Some(_) if on_screen => Some(Output::screen()),
        Some(path) => Some(Output::file(path, arguments.force)?),
        None => None,
    };
    Ok((calls, totals))
}

/// Reads logs and CDR files. Returns also whether something was skipped.
fn gather(arguments: &Report, inputs: Vec<Input>) -> Result<(CallReport, bool), CommandError> {
    let there_is = |kind| inputs.iter().any(|input| input.kind == kind);
    // An empty file may be either a CDR file or a log.
    let (cdr, log) = (there_is(InputKind::Cdr), there_is(InputKind::Log));
    let empty = there_is(InputKind::Empty);
    if !cdr && !empty {
        return Err(CommandError::new("no CDR file (Master.csv) given"));
    }
    if !log && !empty && !arguments.selection.pin_sets.is_empty() {
        return Err(CommandError::new(
            "--pinset: the CDR has no PIN sets: add the audit log as a FILE",
        ));
    }
    let mut report = CallReport::new((arguments.from, arguments.to), log || empty)?;
    let mut is_incomplete = false;
    let (logs, cdrs): (Vec<Input>, Vec<Input>) = inputs
        .into_iter()
        .partition(|input| input.kind == InputKind::Log);
    for log in logs {
        is_incomplete |= read_log(&mut report, log)?;
    }
    for file in cdrs {
        if cdr && !log && file.kind == InputKind::Empty {
            Input::no_outcome(file.path());
            is_incomplete = true;
        }
        is_incomplete |= read_cdr(&mut report, file, arguments.utc)?;
    }
    if report.unnamed() > 0 {
        is_incomplete = true;
        note(format!(
            "{} calls have no uniqueid to look them up in the log: set loguniqueid = yes in cdr.conf",
            report.unnamed()
        ));
    }
    Ok((report, is_incomplete))
}

/// Reads a log. Returns whether lines were skipped or it has no outcome.
fn read_log(report: &mut CallReport, log: Input) -> Result<bool, CommandError> {
    let path = log.path().to_owned();
    let mut skipped = log.skipped();
    let found = report.read_log(|look| log.lines(look), |line, why| skipped.skip(line, why))?;
    if !found {
        Input::no_outcome(&path);
    }
    Ok(skipped.end() || !found)
}

/// Reads the records of a CDR file. Returns whether lines were skipped.
fn read_cdr(report: &mut CallReport, cdr: Input, is_utc: bool) -> Result<bool, CommandError> {
    let zone = if is_utc {
        Zone::utc()
    } else {
        Zone::of_the_machine()
    };
    let mut skipped = cdr.skipped();
    report.read_cdr(
        zone,
        |look| cdr.lines(look),
        |line, why| skipped.skip(line, why),
    )?;
    Ok(skipped.end())
}
