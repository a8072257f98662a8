//! Adding of a PIN to a PIN file.

use pinset::credential::table::TableError;
use pinset::list::format::csv::Column;
use pinset::list::{read, FileKind, Format, Gives};
use pinset::Pin;
use thiserror::Error;
use zeroize::Zeroizing;

use super::duplicates::NewPin;
use super::field_error::FieldError;
use super::warning::Warning;
use super::{Edited, RowRules};
use crate::common::csv_list::{
    check_values, kind, load, same_caller, CsvList, CsvListError, RowValues,
};
use crate::common::reach::is_out_of_reach;
use crate::common::secret_maker::{SecretForm, SecretMaker, SecretMakerError};

/// A row to add.
pub(crate) struct NewRow<'a> {
    /// All columns except the secret.
    pub values: RowValues<'a>,
    pub pin: &'a Pin,
    /// The format that the file must have. If it is `None`, a new file is CSV if there is
    /// an account, else plain.
    pub kind: Option<FileKind>,
    /// The requested form of the secret, or `None` for the default.
    pub form: Option<SecretForm>,
}

/// The reason why a row can't be added.
#[derive(Debug, Error)]
pub(crate) enum AddError {
    #[error(transparent)]
    Field(#[from] FieldError),
    #[error("required for a CSV file")]
    MissingCsvAccount,
    #[error("required for an MD5 file, without : and line ends")]
    InvalidMd5Account,
    #[error("the file has another format")]
    OtherFormat,
    #[error("{} has no such value", name(*.0))]
    NoSuchColumn(Format, Column),
    #[error("{} has no secrets of this form", name(*.0))]
    NoSuchForm(Format),
    #[error(transparent)]
    Secret(#[from] SecretMakerError),
    #[error(transparent)]
    Csv(#[from] CsvListError),
    #[error(transparent)]
    Table(#[from] TableError),
}

impl NewRow<'_> {
    /// Returns the file with this row. An empty text is a new file.
    pub(crate) fn add(
        &self,
        text: Zeroizing<Vec<u8>>,
        rules: &RowRules<'_>,
    ) -> Result<Edited, AddError> {
        let auto = if self.value(Column::Account).is_some() {
            FileKind::Csv
        } else {
            FileKind::Lines(Format::Plain)
        };
        let is = kind(&text);
        let kind = self.kind.or(is).unwrap_or(auto);
        if is.is_some_and(|is| is != kind) {
            return Err(AddError::OtherFormat);
        }
        match kind {
            FileKind::Csv => self.add_row(text, is.is_none(), rules),
            FileKind::Lines(format) => self.add_line(&text, format, rules),
        }
    }

    fn value(&self, wanted: Column) -> Option<&str> {
        let mut all = self.values.iter();
        all.find_map(|(column, value)| (*column == wanted).then_some(*value))
    }

    fn add_row(
        &self,
        text: Zeroizing<Vec<u8>>,
        is_new: bool,
        rules: &RowRules<'_>,
    ) -> Result<Edited, AddError> {
        let RowRules {
            numbering, maker, ..
        } = rules;
        let account = self.value(Column::Account);
        let account = account.ok_or(AddError::MissingCsvAccount)?;
        let secret = maker.make(self.pin)?;
        let mut values = self.values.clone();
        values.insert(1, (Column::Secret, &secret));
        if let Some(error) = check_values(&values, numbering)? {
            return Err(FieldError::of(&error).into());
        }
        let list = if is_new {
            let columns: Vec<Column> = values.iter().map(|(column, _)| *column).collect();
            CsvList::new(&columns)
        } else {
            CsvList::read(text)?
        };
        let rows = load(list.text(), FileKind::Csv, numbering)?;
        let caller = self.value(Column::Caller);
        let has_caller = |line: u64| {
            let mut all = list.rows().iter();
            let row = all.find(|row| row.line == line);
            row.is_some_and(|row| same_caller(row.caller.as_deref(), caller, numbering))
        };
        let mut warnings = Vec::new();
        let new = self.new_pin(account, maker);
        let duplicate = new.duplicate(&rows, has_caller, &mut warnings);
        if let Some(duplicate) = rules.refused(duplicate) {
            return Ok(Edited {
                result: Err(duplicate),
                warnings,
            });
        }
        let is_argon2id = maker.form == SecretForm::Argon2id;
        if is_out_of_reach(account, caller, is_argon2id) {
            warnings.push(Warning::OutOfReach);
        }
        let by_pin = !rows.is_empty() && rows.argon2id() == 0;
        if by_pin && is_argon2id {
            warnings.push(Warning::OnlyArgon2id);
        }
        let text = list.with_rows(&[values]);
        load(&text, FileKind::Csv, numbering)?;
        Ok(Edited {
            result: Ok(text),
            warnings,
        })
    }

    fn add_line(
        &self,
        text: &[u8],
        format: Format,
        rules: &RowRules<'_>,
    ) -> Result<Edited, AddError> {
        let own = match format {
            Format::Plain => SecretForm::Plain,
            Format::Md5 => SecretForm::Md5,
        };
        let has = |column| format == Format::Md5 && column == Column::Account;
        let mut foreign = self.values.iter().filter(|(column, _)| !has(*column));
        if let Some((column, _)) = foreign.next() {
            return Err(AddError::NoSuchColumn(format, *column));
        }
        if self.form.is_some_and(|form| form != own) {
            return Err(AddError::NoSuchForm(format));
        }
        let account = self.value(Column::Account).unwrap_or_default();
        let line = line(account, self.pin, format)?;
        let rows = load(text, FileKind::Lines(format), rules.numbering)?;
        let mut warnings = Vec::new();
        let new = self.new_pin(account, rules.maker);
        let duplicate = new.duplicate(&rows, |_| true, &mut warnings);
        if let Some(duplicate) = rules.refused(duplicate) {
            return Ok(Edited {
                result: Err(duplicate),
                warnings,
            });
        }
        let mut new = Zeroizing::new(Vec::with_capacity(text.len() + line.len() + 1));
        new.extend_from_slice(text);
        if !matches!(new.last(), None | Some(b'\n')) {
            new.push(b'\n');
        }
        new.extend_from_slice(&line);
        Ok(Edited {
            result: Ok(new),
            warnings,
        })
    }

    fn new_pin<'a>(&'a self, account: &'a str, maker: &'a SecretMaker) -> NewPin<'a> {
        NewPin {
            pin: self.pin,
            pepper: &maker.pepper,
            account: account.as_bytes(),
            replaced: None,
        }
    }
}

/// Returns a line of a file without columns.
fn line(account: &str, pin: &Pin, format: Format) -> Result<Zeroizing<Vec<u8>>, AddError> {
    let form = match format {
        Format::Plain => SecretForm::Plain,
        Format::Md5 => SecretForm::Md5,
    };
    let maker = SecretMaker {
        form,
        pepper: pinset::Pepper::default(),
    };
    let secret = maker.make(pin)?;
    let (_, secret) = secret.split_once(':').unwrap_or_default();
    let mut line = Zeroizing::new(Vec::with_capacity(account.len() + secret.len() + 2));
    if format == Format::Md5 {
        line.extend_from_slice(account.as_bytes());
        line.push(b':');
    }
    line.extend_from_slice(secret.as_bytes());
    line.push(b'\n');
    if format == Format::Md5 && !gives(&line, account) {
        return Err(AddError::InvalidMd5Account);
    }
    Ok(line)
}

/// Returns whether a line of an MD5 file belongs to this account.
fn gives(line: &[u8], account: &str) -> bool {
    let found = read(line, Format::Md5, true, |line| match line.gives {
        Gives::Account(found, _) => Some(found == account.as_bytes()),
        _ => None,
    });
    matches!(found, Ok(Some(true)))
}

/// Returns the name of a format, with its article.
fn name(format: Format) -> &'static str {
    match format {
        Format::Plain => "a plain file",
        Format::Md5 => "an MD5 file",
    }
}
