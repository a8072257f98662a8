//! `pinset add`: adding a PIN to a list.

use std::path::{Path, PathBuf};

use clap::ValueEnum;
use pinset::list::format::csv::Column;
use pinset::list::{FileKind, Format, Stamp};

use crate::common::atomic_file::LockedFile;
use crate::common::error::{note, CommandError};
use crate::common::new_row_args::NewCallerRowArgs;
use crate::common::pin_input::{self, Prompts};
use crate::common::pin_list::{DatabaseArgs, PinList};
use crate::common::row_args::{at_option, RowArgs};
use crate::common::stored_list::RowFilter;
use crate::pin_files::add::{AddError, NewRow};
use crate::pin_files::{DuplicatePin, FieldError, RowRules};

/// The exit code if the list has the PIN already.
const ALREADY_THERE: u8 = 1;

/// Adds a PIN to a PIN file, and creates the file if there is none.
///
/// The PIN is entered at the terminal, twice and without echo, or is the only line of
/// standard input. Everything else in the file stays unchanged.
#[derive(Debug, clap::Args)]
#[command(after_help = "\
A new or empty file becomes a CSV file if --account is given, else a plain file.
A new file belongs to the user who runs this and to the group of its folder, or
to that of --group, with mode 0640.

Refused: a PIN that the same account has for the same number, and, unless --force
is given, a PIN of another account, because a caller identified by the PIN alone
could be taken for the other. PINs hashed with Argon2id are not compared with
those of other accounts: they never identify a caller by the PIN alone.

PINs in Asterisk's own database are added on its command line: database put
FAMILY KEY VALUE. The file of the database is never changed.

Exit code: 0 added; 1 the file has it already; 3 an error, nothing is changed.")]
pub(crate) struct Add {
    /// PIN file
    #[arg(value_name = "FILE")]
    file: PathBuf,
    /// Account of the PIN; for CSV and MD5 files
    #[arg(long)]
    account: Option<String>,
    /// Caller number
    #[arg(long, value_name = "NUMBER")]
    caller: Option<String>,
    #[command(flatten)]
    values: RowArgs,
    /// Format of the file; auto: detected from its contents
    #[arg(long, value_enum, default_value_t)]
    format: NewListFormat,
    /// Add the PIN even if another account has it
    #[arg(long)]
    force: bool,
    #[command(flatten)]
    database: DatabaseArgs,
    #[command(flatten)]
    new_rows: NewCallerRowArgs,
}

#[derive(Clone, Copy, PartialEq, Eq, Debug, Default, ValueEnum)]
enum NewListFormat {
    Plain,
    Md5,
    Csv,
    #[default]
    Auto,
}

impl NewListFormat {
    fn kind(self) -> Option<FileKind> {
        match self {
            Self::Plain => Some(FileKind::Lines(Format::Plain)),
            Self::Md5 => Some(FileKind::Lines(Format::Md5)),
            Self::Csv => Some(FileKind::Csv),
            Self::Auto => None,
        }
    }
}

pub(crate) fn run(arguments: &Add) -> Result<u8, CommandError> {
    let database = &arguments.database;
    database.check_form(arguments.new_rows.rows.form())?;
    let (numbering, maker) = arguments.new_rows.read()?;
    let pbx = arguments.new_rows.pbx_numbering(&numbering);
    database.check_caller("--caller", arguments.caller.as_deref(), pbx)?;
    // Before the list is locked, so that other commands don't wait for the input.
    let pin = pin_input::read_one(Prompts::Twice)?;
    pin_input::warn_if_weak(&pin);
    let row = NewRow {
        values: arguments
            .values
            .values(arguments.account.as_deref(), arguments.caller.as_deref()),
        pin: &pin,
        kind: arguments.format.kind(),
        form: arguments.new_rows.rows.form(),
    };
    let rules = RowRules {
        numbering: &numbering,
        maker: &maker,
        shared_pins: arguments.force,
    };
    let filter = RowFilter {
        accounts: arguments.account.as_deref().into_iter().collect(),
        callers: arguments.caller.as_deref().into_iter().collect(),
        pin: Some((&pin, &maker.pepper)),
        id: None,
    };
    let file = &arguments.file;
    loop {
        let mut list = PinList::lock(file, database, &numbering)?;
        if let Some(old) = list.file() {
            warn_if_world_writable(old, file);
        }
        let text = list.text_for(&filter)?;
        let added = row
            .add(text, &rules)
            .map_err(|error| failed(file, &list, &error))?;
        for warning in &added.warnings {
            note(format!("warning: {warning}"));
        }
        let text = match added.result {
            Ok(text) => text,
            Err(duplicate) => {
                note(format!("{}: {}", file.display(), refusal(&list, duplicate)));
                return Ok(ALREADY_THERE);
            }
        };
        let create = |path: &Path, text: &[u8]| arguments.new_rows.rows.create(path, text);
        if list.save(text, create, |_| {})? {
            return Ok(0);
        }
        // Another process has created it meanwhile.
    }
}

/// Prints a warning if every user of the machine can change the list.
fn warn_if_world_writable(list: &LockedFile, path: &Path) {
    if Stamp::of(list.metadata()).is_world_writable() {
        note(format!(
            "warning: {}: world-writable: PIN sets refuse it",
            path.display()
        ));
    }
}

/// Returns the error with the option or the file that it is about.
fn failed(file: &Path, list: &PinList, error: &AddError) -> CommandError {
    match error {
        AddError::Field(FieldError { column, error }) => at_option("", *column, error),
        AddError::MissingCsvAccount | AddError::InvalidMd5Account => {
            at_option("", Column::Account, error)
        }
        AddError::NoSuchColumn(_, column) => CommandError::at(file, at_option("", *column, error)),
        AddError::OtherFormat => CommandError::at(file, format!("--format: {error}")),
        AddError::Secret(_) => CommandError::new(error),
        AddError::NoSuchForm(_) | AddError::Csv(_) | AddError::Table(_) => {
            CommandError::at(file, list.message(error))
        }
    }
}

/// Returns why a PIN is not added.
pub(super) fn refusal(list: &PinList, duplicate: DuplicatePin) -> String {
    let remedy = match duplicate {
        DuplicatePin::SameRow(_) => "",
        DuplicatePin::OtherAccount(_) => " (--force adds it anyway)",
    };
    duplicate.text(list.row_name(duplicate.line())) + remedy
}
