//! `pinset report`: who called when, and for how long.

mod cdr;
mod input;
mod outcomes;
pub mod safe;
mod target;
mod totals;

use std::path::{Path, PathBuf};

use pinset::moment::{Moment, Zone};

use crate::cells::push_row;
use crate::failure::{note, Failure};
use cdr::{Call, Parser, Records};
use input::{Input, Kind};
use outcomes::{Line, Outcomes};
use safe::{safe, shown};
use target::Target;
use totals::Totals;

/// The exit code when something was left out.
const LEFT_OUT: u8 = 1;

/// The columns of the calls.
const COLUMNS: [&str; 11] = [
    "identity",
    "pin_set",
    "caller",
    "called",
    "start",
    "answer",
    "end",
    "duration_seconds",
    "billed_seconds",
    "disposition",
    "uniqueid",
];

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

Calls and log go together by uniqueid: cdr.conf needs loguniqueid = yes.

No PIN is printed, but where it is the account code: option a of Authenticate()
with a plain list, and account_code = pin.

Exit code: 0 all told; 1 lines were left out, or calls could not be looked up in
the log; 3 an error, the report is not whole.")]
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
    /// Only calls of this identity; may be repeated
    #[arg(long = "account", value_name = "IDENTITY")]
    accounts: Vec<String>,
    /// Only calls that this PIN set judged; may be repeated
    #[arg(long = "pinset", value_name = "NAME")]
    pin_sets: Vec<String>,
    /// Write the calls to a new file, with mode 0600
    #[arg(long, value_name = "FILE")]
    output: Option<PathBuf>,
    /// The totals: into a new file, with mode 0600; without one, on standard
    /// output in place of the calls
    #[arg(long, value_name = "FILE", num_args = 0..=1, require_equals = true, default_missing_value = "-")]
    totals: Option<PathBuf>,
}

fn from_which(text: &str) -> Result<Moment, &'static str> {
    Moment::from_which(text, &Zone::of_the_machine()).ok_or("no such day or time")
}

fn until_which(text: &str) -> Result<Moment, &'static str> {
    Moment::until_which(text, &Zone::of_the_machine()).ok_or("no such day or time")
}

pub fn run(arguments: &Report) -> Result<u8, Failure> {
    let (from, to) = (arguments.from, arguments.to);
    if from.zip(to).is_some_and(|(from, to)| from >= to) {
        return Err(Failure::told("--from: it must be before --to"));
    }
    let totals_path = arguments.totals.as_deref();
    let on_screen = totals_path == Some(Path::new("-"));
    let calls = match &arguments.output {
        Some(path) => Some(Target::file(path)?),
        None if on_screen => None,
        None => Some(Target::screen()),
    };
    let totals = match totals_path {
        Some(_) if on_screen => Some(Target::screen()),
        Some(path) => Some(Target::file(path)?),
        None => None,
    };
    let inputs: Vec<Input> = arguments
        .files
        .iter()
        .map(|path| Input::open(path))
        .collect::<Result<_, _>>()?;
    // An empty file may be either: nothing has happened yet.
    let has = |kind| {
        let mut kinds = inputs.iter().map(|input| input.kind);
        kinds.any(|one| one == kind || one == Kind::Empty)
    };
    if !has(Kind::Cdr) {
        return Err(Failure::told(
            "there is no CDR file (Master.csv) among these",
        ));
    }
    let mut outcomes = has(Kind::Log).then(|| Outcomes::new(from, to));
    if outcomes.is_none() && !arguments.pin_sets.is_empty() {
        return Err(Failure::told(
            "--pinset: the CDR has no PIN sets: give the audit log as a FILE, too",
        ));
    }
    let mut left_out = false;
    let (logs, cdrs): (Vec<Input>, Vec<Input>) = inputs
        .into_iter()
        .partition(|input| input.kind == Kind::Log);
    for log in logs {
        left_out |= learn(log, &mut outcomes)?;
    }
    let mut telling = Telling {
        arguments,
        outcomes,
        calls,
        totals: Totals::default(),
        row: Vec::new(),
        unnamed: 0,
    };
    if let Some(calls) = &mut telling.calls {
        push_row(&mut telling.row, COLUMNS, "\n");
        calls.write(&telling.row)?;
    }
    for cdr in cdrs {
        left_out |= telling.tell(cdr)?;
    }
    if telling.unnamed > 0 {
        left_out = true;
        note(format!(
            "{} calls have no uniqueid to look them up by in the log: cdr.conf needs loguniqueid = yes",
            telling.unnamed
        ));
    }
    if let Some(calls) = telling.calls {
        calls.end()?;
    }
    if let Some(mut totals) = totals {
        totals.write(&telling.totals.csv())?;
        totals.end()?;
    }
    Ok(if left_out { LEFT_OUT } else { 0 })
}

/// Reads a log. Returns whether something of it was left out.
fn learn(log: Input, outcomes: &mut Option<Outcomes>) -> Result<bool, Failure> {
    let mut faults = log.faults();
    log.lines(|number, line| {
        match outcomes::line(line) {
            Line::Outcome(outcome) => {
                if let Some(outcomes) = outcomes {
                    outcomes.add(&outcome);
                }
            }
            Line::Broken => faults.skip(number, "it is no whole outcome"),
            Line::Other => {}
        }
        Ok(())
    })?;
    Ok(faults.end())
}

/// The report in the making.
struct Telling<'a> {
    arguments: &'a Report,
    outcomes: Option<Outcomes>,
    calls: Option<Target>,
    totals: Totals,
    /// A row of the csv, for one after the other.
    row: Vec<u8>,
    /// Calls that can't be looked up.
    unnamed: u64,
}

impl Telling<'_> {
    /// Tells the calls of a file. Returns whether lines of it were left out.
    fn tell(&mut self, cdr: Input) -> Result<bool, Failure> {
        let zone = if self.arguments.utc {
            Zone::utc()
        } else {
            Zone::of_the_machine()
        };
        let mut faults = cdr.faults();
        let mut records = Records::new(Parser::new(zone), |line, call| match call {
            Ok(call) => self.call(&call),
            Err(fault) => {
                faults.skip(line, fault.text());
                Ok(())
            }
        });
        cdr.lines(|number, line| records.line(number, line))?;
        records.end()?;
        Ok(faults.end())
    }

    fn call(&mut self, call: &Call<'_>) -> Result<(), Failure> {
        let Report {
            from,
            to,
            accounts,
            pin_sets,
            ..
        } = self.arguments;
        if from.is_some_and(|from| call.began < from) || to.is_some_and(|to| call.began >= to) {
            return Ok(());
        }
        let told = self
            .outcomes
            .as_ref()
            .and_then(|outcomes| outcomes.of(call));
        let nameless = call.unique_id.is_none() && call.linked_id.is_none();
        self.unnamed += u64::from(nameless && self.outcomes.is_some());
        let pin_set = told.map_or("", |told| &told.pin_set);
        let code = shown(call.account_code);
        // A PIN without an account admits, too; who was refused has none.
        let identity = match told {
            Some(told) if !told.admitted || !told.identity.is_empty() => &*told.identity,
            _ => code.as_str(),
        };
        let wanted =
            |names: &[String], name| names.is_empty() || names.iter().any(|one| one == name);
        if !wanted(accounts, identity) || !wanted(pin_sets, pin_set) {
            return Ok(());
        }
        self.totals.add(identity, call);
        let numbers = [call.duration, call.billed].map(|number| number.to_string());
        let [caller, called, start, answer, end, disposition] = [
            call.source,
            call.destination,
            call.start,
            call.answer,
            call.end,
            call.disposition,
        ]
        .map(shown);
        let unique_id = shown(call.unique_id.unwrap_or_default());
        let cells = [
            identity,
            pin_set,
            &caller,
            &called,
            &start,
            &answer,
            &end,
            &numbers[0],
            &numbers[1],
            &disposition,
            &unique_id,
        ]
        .map(safe);
        self.row.clear();
        push_row(&mut self.row, cells.iter().map(|cell| &**cell), "\n");
        match &mut self.calls {
            Some(calls) => calls.write(&self.row),
            None => Ok(()),
        }
    }
}
