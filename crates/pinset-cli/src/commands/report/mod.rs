//! `pinset report`: who called when, and for how long.

mod audit_log;
mod cdr;
mod gather;
mod input;
mod output;
mod row;
mod selection;
mod store;
mod totals;

use std::path::{Path, PathBuf};

use pinset::timestamp::{Moment, Zone};

use crate::common::config_file::ConfigFile;
use crate::common::csv::push_row;
use crate::common::error::{note, CommandError};
use crate::common::numbering_args::Numbers;
use audit_log::{Line, Outcomes, LONGEST_CALL};
use cdr::{Parser, Record, Records};
use input::{Input, Kind};
use output::Target;
use row::{Row, COLUMNS};
use rusqlite::types::Value;
use selection::{Selection, SortColumn};
use store::Store;
use totals::Totals;

/// The exit code when something was left out.
const LEFT_OUT: u8 = 1;

/// Tells who called when and for how long, as csv: the calls of Asterisk's
/// CDR, by identity, and totals for each.
///
/// The identity is the account code of the CDR; with the audit log among the
/// files it is who was admitted by Authenticate(), and there is the PIN set.
#[derive(Debug, clap::Args)]
#[command(after_help = "\
Times: 2026-11-01, 2026-11-01 08:00, 2026-11-01 08:00:30: local, or with Z or
+03:00 behind them. A call counts by its start: at --from or later, before --to,
or on the day of --to if that is a day. Both may be left out.

Calls and log go together by uniqueid: cdr.conf needs loguniqueid = yes. The
records of a call are one row: by the channel that authenticated, or by linkedid
(newcdrcolumns = yes). Its billed time is the time in which any of its channels
was answered.

Records are sorted in a temporary file in TMPDIR, else /var/tmp, of about the size
of the CDR.

No PIN is printed, but where it is the account code: option a of Authenticate()
with a plain list, and account_code = pin.

Exit code: 0 all told; 1 lines were left out, calls could not be looked up in the
log, or a log has no outcome; 3 an error, the report is not whole.")]
pub struct Report {
    /// Asterisk's Master.csv, and its log with the level AUTHENTICATE, in any
    /// order; -: standard input
    #[arg(required = true, value_name = "FILE")]
    files: Vec<PathBuf>,
    /// From this day or time on
    #[arg(long, value_name = "TIME", value_parser = from_which)]
    from: Option<Moment>,
    /// To the end of this day, or up to this time
    #[arg(long, value_name = "TIME", value_parser = until_which)]
    to: Option<Moment>,
    /// The times of the CDR are UTC (usegmtime = yes of cdr.conf)
    #[arg(long)]
    utc: bool,
    /// Write the calls to a new file, with mode 0600
    #[arg(long, value_name = "FILE")]
    output: Option<PathBuf>,
    /// The totals: into a new file, with mode 0600; without one, on standard
    /// output in place of the calls
    #[arg(long, value_name = "FILE", num_args = 0..=1, require_equals = true, default_missing_value = "-")]
    totals: Option<PathBuf>,
    /// Totals of each day by itself, by the start of the calls
    #[arg(long, requires = "totals")]
    by_day: bool,
    /// Sort the calls by this column; without it they stand as in the CDR
    #[arg(long, value_enum, value_name = "COLUMN")]
    sort: Option<SortColumn>,
    /// The last first
    #[arg(long, requires = "sort")]
    reverse: bool,
    /// Replace the files of --output and --totals that are there
    #[arg(long)]
    force: bool,
    #[command(flatten)]
    selection: Selection,
    #[command(flatten)]
    config: ConfigFile,
    #[command(flatten)]
    numbers: Numbers,
}

fn from_which(text: &str) -> Result<Moment, &'static str> {
    Moment::from_which(text, &Zone::of_the_machine()).ok_or("no such day or time")
}

fn until_which(text: &str) -> Result<Moment, &'static str> {
    Moment::until_which(text, &Zone::of_the_machine()).ok_or("no such day or time")
}

pub fn run(arguments: &Report) -> Result<u8, CommandError> {
    let period = (arguments.from, arguments.to);
    if let (Some(from), Some(to)) = period {
        if from >= to {
            return Err(CommandError::new("--from: it must be before --to"));
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
        let row = Row::new(call);
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
    Ok(if gathered.left_out { LEFT_OUT } else { 0 })
}

/// Where the calls and the totals go.
fn targets(arguments: &Report) -> Result<(Option<Target>, Option<Target>), CommandError> {
    let totals = arguments.totals.as_deref();
    let on_screen = totals == Some(Path::new("-"));
    let calls = match &arguments.output {
        Some(path) => Some(Target::file(path, arguments.force)?),
        None if on_screen => None,
        None => Some(Target::screen()),
    };
    let totals = match totals {
        Some(_) if on_screen => Some(Target::screen()),
        Some(path) => Some(Target::file(path, arguments.force)?),
        None => None,
    };
    Ok((calls, totals))
}

/// Reads logs and CDR.
fn gather(arguments: &Report, inputs: Vec<Input>) -> Result<Gathering<'_>, CommandError> {
    let there_is = |kind| inputs.iter().any(|input| input.kind == kind);
    // An empty file may be either: nothing has happened yet.
    let (cdr, log) = (there_is(Kind::Cdr), there_is(Kind::Log));
    let empty = there_is(Kind::Empty);
    if !cdr && !empty {
        return Err(CommandError::new(
            "there is no CDR file (Master.csv) among these",
        ));
    }
    if !log && !empty && !arguments.selection.pin_sets.is_empty() {
        return Err(CommandError::new(
            "--pinset: the CDR has no PIN sets: give the audit log as a FILE, too",
        ));
    }
    let mut gathering = Gathering {
        arguments,
        outcomes: (log || empty).then(|| Outcomes::new(arguments.from, arguments.to)),
        store: Store::new()?,
        unnamed: 0,
        left_out: false,
    };
    let (logs, cdrs): (Vec<Input>, Vec<Input>) = inputs
        .into_iter()
        .partition(|input| input.kind == Kind::Log);
    for log in logs {
        gathering.left_out |= gathering.read_log(log)?;
    }
    for file in cdrs {
        if cdr && !log && file.kind == Kind::Empty {
            Input::no_outcome(file.path());
            gathering.left_out = true;
        }
        gathering.left_out |= gathering.read_cdr(file)?;
    }
    if gathering.unnamed > 0 {
        gathering.left_out = true;
        note(format!(
            "{} calls have no uniqueid to look them up by in the log: cdr.conf needs loguniqueid = yes",
            gathering.unnamed
        ));
    }
    Ok(gathering)
}

/// Records and outcomes, as they are read.
struct Gathering<'a> {
    arguments: &'a Report,
    outcomes: Option<Outcomes>,
    store: Store,
    /// Records that can't be looked up.
    unnamed: u64,
    /// Whether something was left out.
    left_out: bool,
}

impl Gathering<'_> {
    /// Reads a log. Returns whether something of it was left out.
    fn read_log(&mut self, log: Input) -> Result<bool, CommandError> {
        let path = log.path().to_owned();
        let mut faults = log.faults();
        let mut found = false;
        log.lines(|number, line| {
            match audit_log::line(line) {
                Line::Outcome(outcome) => {
                    found = true;
                    if let Some(outcomes) = &mut self.outcomes {
                        outcomes.add(&outcome);
                    }
                }
                Line::Broken => faults.skip(number, "it is no whole outcome"),
                Line::Other => {}
            }
            Ok(())
        })?;
        if !found {
            Input::no_outcome(&path);
        }
        Ok(faults.end() || !found)
    }

    /// Reads the records of a CDR file. Returns whether lines of it were left
    /// out.
    fn read_cdr(&mut self, cdr: Input) -> Result<bool, CommandError> {
        let zone = if self.arguments.utc {
            Zone::utc()
        } else {
            Zone::of_the_machine()
        };
        let mut faults = cdr.faults();
        let mut records = Records::new(Parser::new(zone), |line, record| match record {
            Ok(record) => self.add(&record),
            Err(error) => {
                faults.skip(line, &error.to_string());
                Ok(())
            }
        });
        cdr.lines(|number, line| records.line(number, line))?;
        records.end()?;
        Ok(faults.end())
    }

    /// Adds a record that may belong to a call of the period.
    fn add(&mut self, record: &Record<'_>) -> Result<(), CommandError> {
        let Report { from, to, .. } = self.arguments;
        let early = |from: Moment| record.began < from.seconds() - LONGEST_CALL;
        let late = |to: Moment| record.began >= to.seconds() + LONGEST_CALL;
        if from.is_some_and(early) || to.is_some_and(late) {
            return Ok(());
        }
        let told = self
            .outcomes
            .as_ref()
            .and_then(|outcomes| outcomes.of(record));
        let linked = record.linked_id.or(record.unique_id);
        self.unnamed += u64::from(linked.is_none() && self.outcomes.is_some());
        let id = told.map(|told| &*told.channel).or(linked);
        self.store.add(id.unwrap_or_default(), record)
    }
}
