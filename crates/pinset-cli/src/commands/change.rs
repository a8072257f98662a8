//! `pinset change`: change of a row in place.

use std::io::{self, Write};
use std::path::PathBuf;

use pinset::list::format::csv::Column;
use pinset::{Pepper, Pin};

use crate::commands::add::refusal;
use crate::common::config_file::ConfigFileArgs;
use crate::common::csv_list::RowValues;
use crate::common::error::{note, At, CommandError};
use crate::common::numbering_args::{NumberingArgs, PbxNumbering};
use crate::common::pin_input::{self, Prompts};
use crate::common::pin_list::{DatabaseArgs, PinList};
use crate::common::row_args::{at_option, RowArgs};
use crate::common::secret_args::SecretArgs;
use crate::common::stored_list::RowFilter;
use crate::pin_files::change::{
    csv_list, loaded, ChangeError, ComparedPin, RowChange, RowSelector, SelectError,
};
use crate::pin_files::{FieldError, RowRules};

/// The exit code if nothing was changed.
const UNCHANGED: u8 = 1;

/// Changes a row of a CSV file in place: its values, its PIN, or both.
///
/// The row is the only one with the given account, caller number and line. A new PIN is
/// entered at the terminal, twice and without echo, or is the only line of standard
/// input. Everything else in the file stays unchanged.
#[derive(Debug, clap::Args)]
#[command(after_help = "\
An empty value clears a column: --level ''. Invalid rows can be changed, too, and
must be valid then. A column that the file lacks is added.

A new PIN is refused if pinset add would refuse it.

Exit code: 0 changed; 1 no such row, or the file has the PIN already; 3 an error,
nothing is changed.")]
pub(crate) struct Change {
    /// CSV file
    #[arg(value_name = "FILE")]
    file: PathBuf,
    /// Account of the row
    #[arg(long, required_unless_present_any = ["caller", "line", "id"])]
    account: Option<String>,
    /// Caller number of the row
    #[arg(long, value_name = "NUMBER")]
    caller: Option<String>,
    /// Line in which the row begins
    #[arg(long, value_name = "N", conflicts_with = "database")]
    line: Option<u64>,
    /// Read a new PIN
    #[arg(long)]
    new_pin: bool,
    /// New account
    #[arg(long, value_name = "ACCOUNT")]
    new_account: Option<String>,
    /// New caller number
    #[arg(long, value_name = "NUMBER")]
    new_caller: Option<String>,
    #[command(flatten)]
    values: RowArgs,
    /// Accept a new PIN that another account has
    #[arg(long, requires = "new_pin")]
    force: bool,
    #[command(flatten)]
    database: DatabaseArgs,
    /// Id of the row in the database
    #[arg(long, value_name = "ID", requires = "database")]
    id: Option<u64>,
    #[command(flatten)]
    secret: SecretArgs,
    #[command(flatten)]
    config: ConfigFileArgs,
    #[command(flatten)]
    numbers: NumberingArgs,
}

pub(crate) fn run(arguments: &Change) -> Result<u8, CommandError> {
    let values = arguments.new_values()?;
    arguments.database.check_form(arguments.secret.form())?;
    let settings = arguments.config.settings()?;
    let numbering = arguments.numbers.numbering(&settings)?;
    let maker = arguments.secret.maker(&settings)?;
    let rules = RowRules {
        numbering: &numbering,
        maker: &maker,
        shared_pins: arguments.force,
    };
    let pbx = PbxNumbering {
        numbering: &numbering,
        is_configured: arguments.config.is_given(),
    };
    let new_caller = arguments.new_caller.as_deref();
    arguments
        .database
        .check_caller("--new-caller", new_caller, pbx)?;
    let file = &arguments.file;
    // Before the list is locked, so that other commands don't wait for the input.
    let pin = arguments.pin()?;
    let mut pins = PinList::lock(file, &arguments.database, &numbering)?.existing()?;
    let filter = arguments.filter(pin.as_ref().map(|pin| (pin, &*maker.pepper)));
    let list = csv_list(pins.text_for(&filter)?).at(file)?;
    let selector = RowSelector {
        account: arguments.account.as_deref(),
        caller: arguments.caller.as_deref(),
        line: match arguments.id {
            // No row has line 0.
            Some(id) => Some(pins.line_of(id).unwrap_or_default()),
            None => arguments.line,
        },
    };
    let row = match selector.find(&list, &numbering) {
        Ok(row) => row,
        Err(error @ SelectError::NoRow) => {
            note(format!("{}: {error}", file.display()));
            return Ok(UNCHANGED);
        }
        Err(SelectError::Ambiguous(lines)) => {
            return Err(CommandError::at(file, ambiguous(&pins, lines)));
        }
    };
    let line = list.rows().get(row).map_or(0, |row| row.line);
    let name = pins.row_name(line);
    let rows = pin.is_some().then(|| loaded(&list, &numbering));
    let rows = rows
        .transpose()
        .map_err(|error| arguments.failed(&pins, &name, &error))?;
    let pin = pin.as_ref().zip(rows.as_ref());
    let change = RowChange {
        values,
        pin: pin.map(|(pin, rows)| ComparedPin { pin, rows }),
    };
    let changed = change.change(&list, row, &rules);
    let changed = changed.map_err(|error| arguments.failed(&pins, &name, &error))?;
    let changed = changed.edited;
    for warning in &changed.warnings {
        note(format!("warning: {warning}"));
    }
    let text = match changed.result {
        Ok(text) => text,
        Err(duplicate) => {
            note(format!("{}: {}", file.display(), refusal(&pins, duplicate)));
            return Ok(UNCHANGED);
        }
    };
    pins.save(text, |_, _| Ok(false), |_| {})?;
    let mut out = io::stdout().lock();
    writeln!(out, "{}: {name} changed", file.display()).map_err(CommandError::Output)?;
    Ok(0)
}

/// Returns why several rows are none to change. In a database they have ids.
fn ambiguous(list: &PinList, lines: Vec<u64>) -> String {
    match list.ids_of(&lines) {
        Some(ids) => {
            let error = SelectError::Ambiguous(ids).to_string();
            error.replacen("in lines", "with ids", 1) + ": select one with --caller or --id"
        }
        None => {
            let error = SelectError::Ambiguous(lines);
            format!("{error}: select one with --caller or --line")
        }
    }
}

impl Change {
    /// Returns the rows of a database that decide about the change.
    fn filter<'a>(&'a self, pin: Option<(&'a Pin, &'a Pepper)>) -> RowFilter<'a> {
        let given = |texts: [&'a Option<String>; 2]| {
            let texts = texts.into_iter();
            texts.filter_map(|text| text.as_deref()).collect()
        };
        RowFilter {
            accounts: given([&self.account, &self.new_account]),
            callers: given([&self.caller, &self.new_caller]),
            pin,
            id: self.id,
        }
    }

    /// Returns the new values except the secret.
    fn new_values(&self) -> Result<RowValues<'_>, CommandError> {
        let (account, caller) = (self.new_account.as_deref(), self.new_caller.as_deref());
        let values = self.values.values(account, caller);
        if values.is_empty() && !self.new_pin {
            return Err(CommandError::new(
                "nothing to change: add a new value, such as --level 3, or --new-pin",
            ));
        }
        if self.secret.form().is_some() && !self.new_pin {
            return Err(CommandError::new(
                "--new-pin: required for another form of the secret",
            ));
        }
        Ok(values)
    }

    /// Reads the new PIN, if there is one.
    fn pin(&self) -> Result<Option<Pin>, CommandError> {
        if !self.new_pin {
            return Ok(None);
        }
        let pin = pin_input::read_one(Prompts::Twice)?;
        pin_input::warn_if_weak(&pin);
        Ok(Some(pin))
    }

    /// Returns the error with the option, or with the line of the row, that it is about.
    fn failed(&self, list: &PinList, row: &str, error: &ChangeError) -> CommandError {
        let ChangeError::Field(FieldError { column, error }) = error else {
            return CommandError::at(&self.file, list.message(error));
        };
        let (account, caller) = (self.new_account.as_deref(), self.new_caller.as_deref());
        let values = self.values.values(account, caller);
        let is_given = values.iter().any(|(given, _)| given == column);
        let prefix = match column {
            Column::Account | Column::Caller => "new-",
            _ => "",
        };
        if is_given {
            at_option(prefix, *column, error)
        } else {
            let column = column.name();
            CommandError::at(&self.file, format!("{row}, {column}: {error}"))
        }
    }
}
