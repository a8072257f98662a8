//! `pinset report`: calls by identity, from CDR and audit log.

mod audit_log;
mod call;
mod cdr;
mod input;
mod output;
mod row;
mod selection;
mod store;
mod totals;

use std::path::{Path, PathBuf};

use pinset::timestamp::{Moment, Zone};

use crate::common::config_file::ConfigFileArgs;
use crate::common::csv::push_row;
use crate::common::error::{note, CommandError};
use crate::common::numbering_args::NumberingArgs;
use audit_log::{LogLine, Outcomes, MAX_CALL_SECS};
use cdr::{Parser, Record, Records};
use input::{Input, InputKind};
use output::Output;
use row::{ReportRow, COLUMNS};
use rusqlite::types::Value;
use selection::{Selection, SortColumn};
use store::Store;
use totals::Totals;

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
    sort: Option<SortColumn>,
    /// Reverse the order
    #[arg(long, requires = "sort")]
    reverse: bool,
    /// Replace existing files of --output and --totals
    #[arg(long)]
    force: bool,
    #[command(flatten)]
    selection: Selection,
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
    let gathered = gather(arguments, inputs)?;
    let store = &gathered.store;
    let mut sums = Totals::new(arguments.by_day);
    store.calls(gathered.outcomes.as_ref(), |first, call| {
        let row = ReportRow::new(call);
        if !arguments.selection.has(&row, &numbering, period) {
            return Ok(());
        }
        sums.add(&row);
        if calls.is_none() {
            return Ok(());
        }
        let key = arguments
            .sort
            .map_or(Value::Null, |column| column.key(&row));
        store.keep(&key, first, &row.csv())
    })?;
    if let Some(mut target) = calls {
        let mut header = Vec::new();
        push_row(&mut header, COLUMNS, "\n");
        target.write(&header)?;
        store.rows(arguments.reverse, |row| target.write(row))?;
        target.end()?;
    }
    if let Some(mut target) = totals {
        target.write(&sums.csv())?;
        target.end()?;
    }
    Ok(if gathered.is_incomplete {
        SOME_SKIPPED
    } else {
        0
    })
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

/// Reads logs and CDR files.
fn gather(arguments: &Report, inputs: Vec<Input>) -> Result<Gathering<'_>, CommandError> {
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
    let mut gathering = Gathering {
        arguments,
        outcomes: (log || empty).then(|| Outcomes::new(arguments.from, arguments.to)),
        store: Store::new()?,
        unnamed: 0,
        is_incomplete: false,
    };
    let (logs, cdrs): (Vec<Input>, Vec<Input>) = inputs
        .into_iter()
        .partition(|input| input.kind == InputKind::Log);
    for log in logs {
        gathering.is_incomplete |= gathering.read_log(log)?;
    }
    for file in cdrs {
        if cdr && !log && file.kind == InputKind::Empty {
            Input::no_outcome(file.path());
            gathering.is_incomplete = true;
        }
        gathering.is_incomplete |= gathering.read_cdr(file)?;
    }
    if gathering.unnamed > 0 {
        gathering.is_incomplete = true;
        note(format!(
            "{} calls have no uniqueid to look them up in the log: set loguniqueid = yes in cdr.conf",
            gathering.unnamed
        ));
    }
    Ok(gathering)
}

/// The records and outcomes that have been read.
struct Gathering<'a> {
    arguments: &'a Report,
    outcomes: Option<Outcomes>,
    store: Store,
    /// Number of records that can't be looked up in the log.
    unnamed: u64,
    /// Whether something was skipped.
    is_incomplete: bool,
}

impl Gathering<'_> {
    /// Reads a log. Returns whether lines were skipped or it has no outcome.
    fn read_log(&mut self, log: Input) -> Result<bool, CommandError> {
        let path = log.path().to_owned();
        let mut skipped = log.skipped();
        let mut found = false;
        log.lines(|number, line| {
            match audit_log::line(line) {
                LogLine::Outcome(outcome) => {
                    found = true;
                    if let Some(outcomes) = &mut self.outcomes {
                        outcomes.add(&outcome);
                    }
                }
                LogLine::Broken => skipped.skip(number, "incomplete outcome"),
                LogLine::Other => {}
            }
            Ok(())
        })?;
        if !found {
            Input::no_outcome(&path);
        }
        Ok(skipped.end() || !found)
    }

    /// Reads the records of a CDR file. Returns whether lines were skipped.
    fn read_cdr(&mut self, cdr: Input) -> Result<bool, CommandError> {
        let zone = if self.arguments.utc {
            Zone::utc()
        } else {
            Zone::of_the_machine()
        };
        let mut skipped = cdr.skipped();
        let mut records = Records::new(Parser::new(zone), |line, record| match record {
            Ok(record) => self.add(&record),
            Err(error) => {
                skipped.skip(line, &error.to_string());
                Ok(())
            }
        });
        cdr.lines(|number, line| records.line(number, line))?;
        records.end()?;
        Ok(skipped.end())
    }

    /// Adds a record that may belong to a call of the period.
    fn add(&mut self, record: &Record<'_>) -> Result<(), CommandError> {
        let Report { from, to, .. } = self.arguments;
        let early = |from: Moment| record.began < from.seconds() - MAX_CALL_SECS;
        let late = |to: Moment| record.began >= to.seconds() + MAX_CALL_SECS;
        if from.is_some_and(early) || to.is_some_and(late) {
            return Ok(());
        }
        let outcome = self
            .outcomes
            .as_ref()
            .and_then(|outcomes| outcomes.of(record));
        let linked = record.linked_id.or(record.unique_id);
        self.unnamed += u64::from(linked.is_none() && self.outcomes.is_some());
        let id = outcome.map(|outcome| &*outcome.channel).or(linked);
        self.store.add(id.unwrap_or_default(), record)
    }
}
