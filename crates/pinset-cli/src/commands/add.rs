//! `pinset add`: one PIN more in a list.

use std::path::{Path, PathBuf};

use clap::ValueEnum;
use pinset::credential::table::Rows;
use pinset::list::format::csv::Column;
use pinset::list::{read, Format, Gives, Kind, Stamp};
use pinset::{Numbering, Pin};
use zeroize::Zeroizing;

use crate::common::atomic_file::Locked;
use crate::common::config_file::ConfigFile;
use crate::common::csv_list::{fault, in_memory, kind, same_caller, Sheet, Values};
use crate::common::error::{note, At, CommandError};
use crate::common::new_list::NewList;
use crate::common::numbering_args::Numbers;
use crate::common::pin_input::{self, Asked};
use crate::common::reach::{is_out_of_reach, OUT_OF_REACH, REMEDY};
use crate::common::secret_args::{Form, Forms, Maker};

/// The exit code when the list has the PIN already.
const THERE: u8 = 1;

/// Adds a PIN to a list, and makes the list if there is none.
///
/// The PIN is asked for at the terminal, twice and without being shown, or is
/// the one line of standard input. All else in the list stays as it is.
#[derive(Debug, clap::Args)]
#[command(after_help = "\
A new list, and one with nothing in it, is a csv list if --account is given,
and else a plain one. A new list belongs to the user who runs this and to the
group of its folder, or to that of --group, with mode 0640.

Refused: a PIN that the same account has for the same number. And one that
another account has, unless --force is given: a caller who is known by the PIN
alone would be taken for the other. PINs hashed with Argon2id are not compared
with those of other accounts: nobody is known by them alone.

PINs of Asterisk's own database are put there with its command line: database
put FAMILY KEY VALUE. The file of the database is never touched.

Exit code: 0 added; 1 the list has it already; 3 an error, nothing is changed.")]
pub struct Add {
    /// The list
    #[arg(value_name = "FILE")]
    file: PathBuf,
    /// Whose PIN it is; for csv and md5 lists
    #[arg(long)]
    account: Option<String>,
    /// The number that calls
    #[arg(long, value_name = "NUMBER")]
    caller: Option<String>,
    /// A name, for people
    #[arg(long)]
    name: Option<String>,
    /// 0 to 255
    #[arg(long)]
    level: Option<String>,
    /// From when on it admits: 2026-11-22, or '2026-11-22 13:30'
    #[arg(long, value_name = "DATE")]
    valid_from: Option<String>,
    /// Until when it admits; of a day, until its end
    #[arg(long, value_name = "DATE")]
    valid_until: Option<String>,
    /// How many calls it admits
    #[arg(long, value_name = "N")]
    max_uses: Option<String>,
    /// In place of the context of on_success
    #[arg(long)]
    context: Option<String>,
    /// What the list is; auto: by what is in it
    #[arg(long, value_enum, default_value_t)]
    format: Wanted,
    /// Also a PIN that another account has
    #[arg(long)]
    force: bool,
    #[command(flatten)]
    new_list: NewList,
    #[command(flatten)]
    config: ConfigFile,
    #[command(flatten)]
    forms: Forms,
    #[command(flatten)]
    numbers: Numbers,
}

#[derive(Clone, Copy, PartialEq, Eq, Debug, Default, ValueEnum)]
enum Wanted {
    Plain,
    Md5,
    Csv,
    #[default]
    Auto,
}

/// What becomes of the list.
enum Outcome {
    Text(Zeroizing<Vec<u8>>),
    /// Why it stays as it is.
    There(String),
}

pub fn run(arguments: &Add) -> Result<u8, CommandError> {
    let settings = arguments.config.settings()?;
    let task = Task {
        arguments,
        numbering: arguments.numbers.numbering(&settings)?,
        maker: arguments.forms.maker(&settings)?,
        // Before the list is locked: others need not wait for somebody's fingers.
        pin: pin_input::one(Asked::Twice)?,
    };
    pin_input::warn_if_weak(&task.pin);
    let file = &arguments.file;
    loop {
        if let Some(old) = Locked::open(file).at(file)? {
            if Stamp::of(old.about()).is_world_writable() {
                note(format!(
                    "warning: {}: everybody may write to it: PIN sets refuse it",
                    file.display()
                ));
            }
            return match task.added(old.contents().at(file)?)? {
                Outcome::Text(text) => old.replace(&text).at(file).map(|()| 0),
                Outcome::There(why) => {
                    note(format!("{}: {why}", file.display()));
                    Ok(THERE)
                }
            };
        }
        if let Outcome::Text(text) = task.added(Zeroizing::default())? {
            if arguments.new_list.create(file, &text)? {
                return Ok(0);
            }
        }
        // Somebody made it meanwhile.
    }
}

struct Task<'a> {
    arguments: &'a Add,
    numbering: Numbering,
    maker: Maker,
    pin: Pin,
}

impl Task<'_> {
    fn file(&self) -> &Path {
        &self.arguments.file
    }

    fn added(&self, text: Zeroizing<Vec<u8>>) -> Result<Outcome, CommandError> {
        let auto = if self.arguments.account.is_some() {
            Kind::Csv
        } else {
            Kind::Lines(Format::Plain)
        };
        let is = kind(&text);
        let kind = match self.arguments.format {
            Wanted::Plain => Kind::Lines(Format::Plain),
            Wanted::Md5 => Kind::Lines(Format::Md5),
            Wanted::Csv => Kind::Csv,
            Wanted::Auto => is.unwrap_or(auto),
        };
        if is.is_some_and(|is| is != kind) {
            return Err(CommandError::at(
                self.file(),
                "--format: it is another kind of list",
            ));
        }
        match kind {
            Kind::Csv => self.row(text, is.is_none()),
            Kind::Lines(format) => self.line(&text, format),
        }
    }

    /// The columns that are given, but the secret.
    fn values(&self) -> Values<'_> {
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

    fn row(&self, text: Zeroizing<Vec<u8>>, is_new: bool) -> Result<Outcome, CommandError> {
        let account = self.arguments.account.as_deref();
        let account =
            account.ok_or_else(|| CommandError::new("--account: a csv list needs one"))?;
        let secret = self.maker.make(&self.pin)?;
        let mut values = self.values();
        values.insert(1, (Column::Secret, &secret));
        if let Some(broken) = fault(&values, &self.numbering)? {
            let name = broken.column.map_or("", Column::name).replace('_', "-");
            return Err(CommandError::new(format!("--{name}: {}", broken.error)));
        }
        let sheet = if is_new {
            let columns: Vec<Column> = values.iter().map(|(column, _)| *column).collect();
            Sheet::new(&columns)
        } else {
            Sheet::read(text).at(self.file())?
        };
        let rows = in_memory(sheet.text(), Kind::Csv, &self.numbering).at(self.file())?;
        let caller = self.arguments.caller.as_deref();
        let same_number = |line: u64| {
            let mut all = sheet.rows().iter();
            let row = all.find(|row| row.line == line);
            row.is_some_and(|row| same_caller(row.caller.as_deref(), caller, &self.numbering))
        };
        if let Some(why) = self.duplicate(&rows, account.as_bytes(), same_number) {
            return Ok(Outcome::There(why));
        }
        if is_out_of_reach(account, caller, self.maker.form == Form::Argon2id) {
            note(format!(
                "warning: the row admits nobody: {OUT_OF_REACH}: {REMEDY}"
            ));
        }
        let by_pin = !rows.is_empty() && rows.argon2id() == 0;
        if by_pin && self.maker.form == Form::Argon2id {
            note("warning: no other row is hashed with Argon2id; with identify = pin it is not found");
        }
        let text = sheet.with(&[values]);
        in_memory(&text, Kind::Csv, &self.numbering).at(self.file())?;
        Ok(Outcome::Text(text))
    }

    fn line(&self, text: &[u8], format: Format) -> Result<Outcome, CommandError> {
        let (name, own) = match format {
            Format::Plain => ("a plain list", Form::Plain),
            Format::Md5 => ("an md5 list", Form::Md5),
        };
        let only_account = format == Format::Md5;
        let foreign = self.values().into_iter();
        let mut foreign = foreign.filter(|(column, _)| !only_account || *column != Column::Account);
        if let Some((column, _)) = foreign.next() {
            let option = column.name().replace('_', "-");
            return Err(CommandError::at(
                self.file(),
                format!("--{option}: {name} has none"),
            ));
        }
        if self
            .arguments
            .forms
            .wanted()
            .is_some_and(|form| form != own)
        {
            return Err(CommandError::at(
                self.file(),
                format!("{name} has no such secrets"),
            ));
        }
        let account = self.arguments.account.as_deref().unwrap_or_default();
        let maker = Maker {
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
                "--account: an md5 list needs one, without : and line ends in it",
            ));
        }
        let rows = in_memory(text, Kind::Lines(format), &self.numbering).at(self.file())?;
        if let Some(why) = self.duplicate(&rows, account.as_bytes(), |_| true) {
            return Ok(Outcome::There(why));
        }
        let mut new = Zeroizing::new(Vec::with_capacity(text.len() + line.len() + 1));
        new.extend_from_slice(text);
        if !matches!(new.last(), None | Some(b'\n')) {
            new.push(b'\n');
        }
        new.extend_from_slice(&line);
        Ok(Outcome::Text(new))
    }

    /// Why the PIN must not be added.
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
            (Some(own), _) => Some(format!("line {} is the same already", own.line)),
            (None, Some(line)) if !self.arguments.force => Some(format!(
                "line {line} has the same PIN for another account (--force adds it all the same)"
            )),
            _ => None,
        }
    }
}

/// Whether a line of an md5 list is one of this account.
fn gives(line: &[u8], account: &str) -> bool {
    let found = read(line, Format::Md5, true, |line| match line.gives {
        Gives::Account(found, _) => Some(found == account.as_bytes()),
        _ => None,
    });
    matches!(found, Ok(Some(true)))
}
