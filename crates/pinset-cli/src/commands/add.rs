//! `pinset add`: adding a PIN to a list.

use std::path::{Path, PathBuf};

use clap::ValueEnum;
use pinset::credential::table::Rows;
use pinset::list::format::csv::Column;
use pinset::list::{read, FileKind, Format, Gives, Stamp};
use pinset::{Numbering, Pin};
use zeroize::Zeroizing;

use crate::common::atomic_file::LockedFile;
use crate::common::csv_list::{check_values, kind, load, same_caller, CsvList, RowValues};
use crate::common::error::{note, At, CommandError};
use crate::common::new_row_args::NewCallerRowArgs;
use crate::common::pin_input::{self, Prompts};
use crate::common::reach::{is_out_of_reach, OUT_OF_REACH, REMEDY};
use crate::common::secret_args::{SecretForm, SecretMaker};

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
    /// Name, for information only
    #[arg(long)]
    name: Option<String>,
    /// Level, 0 to 255
    #[arg(long)]
    level: Option<String>,
    /// Start of validity: 2026-11-22, or '2026-11-22 13:30'
    #[arg(long, value_name = "DATE")]
    valid_from: Option<String>,
    /// End of validity; a day is included
    #[arg(long, value_name = "DATE")]
    valid_until: Option<String>,
    /// Maximum number of calls
    #[arg(long, value_name = "N")]
    max_uses: Option<String>,
    /// Context to use instead of that of on_success
    #[arg(long)]
    context: Option<String>,
    /// Format of the file; auto: detected from its contents
    #[arg(long, value_enum, default_value_t)]
    format: NewListFormat,
    /// Add the PIN even if another account has it
    #[arg(long)]
    force: bool,
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

/// The result for the list.
enum AddResult {
    Text(Zeroizing<Vec<u8>>),
    /// The reason why the list stays unchanged.
    AlreadyThere(String),
}

pub(crate) fn run(arguments: &Add) -> Result<u8, CommandError> {
    let (numbering, maker) = arguments.new_rows.read()?;
    let task = AddTask {
        arguments,
        numbering,
        maker,
        // Before the list is locked, so that other commands don't wait for the input.
        pin: pin_input::read_one(Prompts::Twice)?,
    };
    pin_input::warn_if_weak(&task.pin);
    let file = &arguments.file;
    loop {
        if let Some(old) = LockedFile::open(file).at(file)? {
            if Stamp::of(old.metadata()).is_world_writable() {
                note(format!(
                    "warning: {}: world-writable: PIN sets refuse it",
                    file.display()
                ));
            }
            return match task.added(old.contents().at(file)?)? {
                AddResult::Text(text) => old.replace(&text).at(file).map(|()| 0),
                AddResult::AlreadyThere(why) => {
                    note(format!("{}: {why}", file.display()));
                    Ok(ALREADY_THERE)
                }
            };
        }
        if let AddResult::Text(text) = task.added(Zeroizing::default())? {
            if arguments.new_rows.rows.create(file, &text)? {
                return Ok(0);
            }
        }
        // Another process has created it meanwhile.
    }
}

struct AddTask<'a> {
    arguments: &'a Add,
    numbering: Numbering,
    maker: SecretMaker,
    pin: Pin,
}

impl AddTask<'_> {
    fn file(&self) -> &Path {
        &self.arguments.file
    }

    fn added(&self, text: Zeroizing<Vec<u8>>) -> Result<AddResult, CommandError> {
        let auto = if self.arguments.account.is_some() {
            FileKind::Csv
        } else {
            FileKind::Lines(Format::Plain)
        };
        let is = kind(&text);
        let kind = match self.arguments.format {
            NewListFormat::Plain => FileKind::Lines(Format::Plain),
            NewListFormat::Md5 => FileKind::Lines(Format::Md5),
            NewListFormat::Csv => FileKind::Csv,
            NewListFormat::Auto => is.unwrap_or(auto),
        };
        if is.is_some_and(|is| is != kind) {
            return Err(CommandError::at(
                self.file(),
                "--format: the file has another format",
            ));
        }
        match kind {
            FileKind::Csv => self.row(text, is.is_none()),
            FileKind::Lines(format) => self.line(&text, format),
        }
    }

    /// Returns the given columns except the secret.
    fn values(&self) -> RowValues<'_> {
        let Add {
            account,
            caller,
            name,
            level,
            valid_from,
            valid_until,
            max_uses,
            context,
            ..
        } = self.arguments;
        [
            (Column::Account, account),
            (Column::Caller, caller),
            (Column::Name, name),
            (Column::Level, level),
            (Column::ValidFrom, valid_from),
            (Column::ValidUntil, valid_until),
            (Column::MaxUses, max_uses),
            (Column::Context, context),
        ]
        .into_iter()
        .filter_map(|(column, value)| Some((column, value.as_deref()?)))
        .collect()
    }

    fn row(&self, text: Zeroizing<Vec<u8>>, is_new: bool) -> Result<AddResult, CommandError> {
        let account = self.arguments.account.as_deref();
        let account =
            account.ok_or_else(|| CommandError::new("--account: required for a CSV file"))?;
        let secret = self.maker.make(&self.pin)?;
        let mut values = self.values();
        values.insert(1, (Column::Secret, &secret));
        if let Some(broken) = check_values(&values, &self.numbering)? {
            let name = broken.column.map_or("", Column::name).replace('_', "-");
            return Err(CommandError::new(format!("--{name}: {}", broken.error)));
        }
        let sheet = if is_new {
            let columns: Vec<Column> = values.iter().map(|(column, _)| *column).collect();
            CsvList::new(&columns)
        } else {
            CsvList::read(text).at(self.file())?
        };
        let rows = load(sheet.text(), FileKind::Csv, &self.numbering).at(self.file())?;
        let caller = self.arguments.caller.as_deref();
        let same_number = |line: u64| {
            let mut all = sheet.rows().iter();
            let row = all.find(|row| row.line == line);
            row.is_some_and(|row| same_caller(row.caller.as_deref(), caller, &self.numbering))
        };
        if let Some(why) = self.duplicate(&rows, account.as_bytes(), same_number) {
            return Ok(AddResult::AlreadyThere(why));
        }
        if is_out_of_reach(account, caller, self.maker.form == SecretForm::Argon2id) {
            note(format!(
                "warning: the row admits nobody: {OUT_OF_REACH}: {REMEDY}"
            ));
        }
        let by_pin = !rows.is_empty() && rows.argon2id() == 0;
        if by_pin && self.maker.form == SecretForm::Argon2id {
            note("warning: no other row is hashed with Argon2id: identify = pin does not find this one");
        }
        let text = sheet.with_rows(&[values]);
        load(&text, FileKind::Csv, &self.numbering).at(self.file())?;
        Ok(AddResult::Text(text))
    }

    fn line(&self, text: &[u8], format: Format) -> Result<AddResult, CommandError> {
        let (name, own) = match format {
            Format::Plain => ("a plain file", SecretForm::Plain),
            Format::Md5 => ("an MD5 file", SecretForm::Md5),
        };
        let only_account = format == Format::Md5;
        let foreign = self.values().into_iter();
        let mut foreign = foreign.filter(|(column, _)| !only_account || *column != Column::Account);
        if let Some((column, _)) = foreign.next() {
            let option = column.name().replace('_', "-");
            return Err(CommandError::at(
                self.file(),
                format!("--{option}: {name} has no such value"),
            ));
        }
        if self
            .arguments
            .new_rows
            .rows
            .form()
            .is_some_and(|form| form != own)
        {
            return Err(CommandError::at(
                self.file(),
                format!("{name} has no secrets of this form"),
            ));
        }
        let account = self.arguments.account.as_deref().unwrap_or_default();
        let maker = SecretMaker {
            form: own,
            pepper: pinset::Pepper::default(),
        };
        let secret = maker.make(&self.pin)?;
        let (_, secret) = secret.split_once(':').unwrap_or_default();
        let mut line = Zeroizing::new(Vec::with_capacity(account.len() + secret.len() + 2));
        if format == Format::Md5 {
            line.extend_from_slice(account.as_bytes());
            line.push(b':');
        }
        line.extend_from_slice(secret.as_bytes());
        line.push(b'\n');
        if format == Format::Md5 && !gives(&line, account) {
            return Err(CommandError::new(
                "--account: required for an MD5 file, without : and line ends",
            ));
        }
        let rows = load(text, FileKind::Lines(format), &self.numbering).at(self.file())?;
        if let Some(why) = self.duplicate(&rows, account.as_bytes(), |_| true) {
            return Ok(AddResult::AlreadyThere(why));
        }
        let mut new = Zeroizing::new(Vec::with_capacity(text.len() + line.len() + 1));
        new.extend_from_slice(text);
        if !matches!(new.last(), None | Some(b'\n')) {
            new.push(b'\n');
        }
        new.extend_from_slice(&line);
        Ok(AddResult::Text(new))
    }

    /// Returns the reason why the PIN must not be added.
    fn duplicate(
        &self,
        rows: &Rows,
        account: &[u8],
        same_number: impl Fn(u64) -> bool,
    ) -> Option<String> {
        let pepper = &self.maker.pepper;
        let mut found = rows.by_pin(&self.pin, pepper);
        for id in found.missing() {
            note(format!(
                "warning: rows with secrets of key {id} can't be compared without it (--pepper)"
            ));
        }
        let other = found.find(|row| row.account != account).map(|row| row.line);
        let mut own = rows
            .by_account(account)
            .chain(rows.by_pin(&self.pin, pepper));
        let own = own.find(|row| {
            row.account == account
                && same_number(row.line)
                && row.secret.verify(&self.pin, pepper) == Ok(true)
        });
        match (own, other) {
            (Some(own), _) => Some(format!("line {} has the same PIN already", own.line)),
            (None, Some(line)) if !self.arguments.force => Some(format!(
                "line {line} has the same PIN for another account (--force adds it anyway)"
            )),
            _ => None,
        }
    }
}

/// Returns whether a line of an MD5 file belongs to this account.
fn gives(line: &[u8], account: &str) -> bool {
    let found = read(line, Format::Md5, true, |line| match line.gives {
        Gives::Account(found, _) => Some(found == account.as_bytes()),
        _ => None,
    });
    matches!(found, Ok(Some(true)))
}
