//! Adding of a PIN to a PIN file.

use std::sync::Arc;

use pinset::credential::table::{Rows, TableError};
use pinset::list::format::csv::Column;
use pinset::list::{read, FileKind, Format, Gives};
use pinset::Pin;
use thiserror::Error;
use zeroize::Zeroizing;

use super::duplicates::NewPin;
use super::field_error::FieldError;
use super::warning::Warning;
use super::{Edited, EditedRow, RowRules};
use crate::common::csv_list::{kind, list_of, load, same_caller, CsvList, CsvListError, RowValues};
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
    #[error("{} has no such value", format_name(*.0))]
    NoSuchColumn(Format, Column),
    #[error("{} has no secrets of this form", format_name(*.0))]
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
            FileKind::Csv => {
                let list = csv_list(text, &self.values)?;
                let rows = load(list.text(), FileKind::Csv, rules.numbering)?;
                Ok(self.add_to(&list, &rows, rules)?.edited)
            }
            FileKind::Lines(format) => self.add_line(&text, format, rules),
        }
    }

    fn value(&self, wanted: Column) -> Option<&str> {
        let mut all = self.values.iter();
        all.find_map(|(column, value)| (*column == wanted).then_some(*value))
    }

    /// Returns a CSV file with this row. `rows` are those of the list.
    pub(crate) fn add_to(
        &self,
        list: &CsvList,
        rows: &Rows,
        rules: &RowRules<'_>,
    ) -> Result<EditedRow, AddError> {
        let RowRules {
            numbering, maker, ..
        } = rules;
        let account = self.value(Column::Account);
        let account = account.ok_or(AddError::MissingCsvAccount)?;
        let secret = maker.make(self.pin)?;
        let mut values = self.values.clone();
        values.insert(1, (Column::Secret, &secret));
        let row = list_of(&values)?;
        let alone = load(row.text(), FileKind::Csv, numbering)?;
        if let Some(error) = alone.broken().first() {
            return Err(FieldError::of(error).into());
        }
        let caller = self.value(Column::Caller);
        let has_caller = |line: u64| {
            let row = list.row_in_line(line).and_then(|row| list.rows().get(row));
            row.is_some_and(|row| same_caller(row.caller.as_deref(), caller, numbering))
        };
        let mut warnings = Vec::new();
        let new = self.new_pin(account, maker);
        let duplicate = new.duplicate(rows, has_caller, &mut warnings);
        if let Some(duplicate) = rules.refused(duplicate) {
            let result = Err(duplicate);
            let edited = Edited { result, warnings };
            return Ok(EditedRow { edited, row });
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
        let result = Ok(text);
        let edited = Edited { result, warnings };
        Ok(EditedRow { edited, row })
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

/// Returns the CSV file to which a row with these values is added. An empty text is a new
/// file.
pub(crate) fn csv_list(
    text: Zeroizing<Vec<u8>>,
    values: &RowValues<'_>,
) -> Result<CsvList, AddError> {
    match kind(&text) {
        Some(FileKind::Csv) => Ok(CsvList::read(text)?),
        Some(FileKind::Lines(_)) => Err(AddError::OtherFormat),
        None => {
            let mut columns: Vec<Column> = values.iter().map(|(column, _)| *column).collect();
            columns.insert(1.min(columns.len()), Column::Secret);
            Ok(CsvList::new(&columns))
        }
    }
}

/// Returns a line of a file without columns. A plain file has no accounts.
pub(super) fn line(
    account: &str,
    pin: &Pin,
    format: Format,
) -> Result<Zeroizing<Vec<u8>>, AddError> {
    let form = match format {
        Format::Plain => SecretForm::Plain,
        Format::Md5 => SecretForm::Md5,
    };
    let maker = SecretMaker {
        form,
        pepper: Arc::default(),
    };
    let secret = maker.make(pin)?;
    let (_, secret) = secret.split_once(':').unwrap_or_default();
    match format {
        Format::Plain => Ok(joined(&[secret, "\n"])),
        Format::Md5 => line_of_md5(account, secret),
    }
}

/// Returns a line of an MD5 file.
pub(super) fn line_of_md5(account: &str, digest: &str) -> Result<Zeroizing<Vec<u8>>, AddError> {
    let line = joined(&[account, ":", digest, "\n"]);
    match gives(&line, account) {
        true => Ok(line),
        false => Err(AddError::InvalidMd5Account),
    }
}

/// Returns a text of these parts, which is not moved while it is made.
fn joined(parts: &[&str]) -> Zeroizing<Vec<u8>> {
    let length = parts.iter().map(|part| part.len()).sum();
    let mut text = Zeroizing::new(Vec::with_capacity(length));
    for part in parts {
        text.extend_from_slice(part.as_bytes());
    }
    text
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
pub(super) fn format_name(format: Format) -> &'static str {
    match format {
        Format::Plain => "a plain file",
        Format::Md5 => "an MD5 file",
    }
}
