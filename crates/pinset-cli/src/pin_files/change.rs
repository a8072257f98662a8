//! Change of a row of a CSV file in place.

use pinset::credential::table::{Rows, TableError};
use pinset::list::format::csv::Column;
use pinset::list::FileKind;
use pinset::{Numbering, Pin, Secret};
use thiserror::Error;
use zeroize::Zeroizing;

use super::duplicates::NewPin;
use super::field_error::FieldError;
use super::warning::Warning;
use super::{Edited, EditedRow, RowRules};
use crate::common::csv_list::{kind, load, same_caller, CsvList, CsvListError, RowValues};
use crate::common::reach::is_out_of_reach;
use crate::common::secret_maker::{SecretForm, SecretMakerError};

/// Maximum number of lines in the text of [`SelectError::Ambiguous`].
const MAX_LISTED_LINES: usize = 20;

/// The reason why no row is selected.
#[derive(Clone, PartialEq, Eq, Debug, Error)]
pub(crate) enum SelectError {
    #[error("no such row")]
    NoRow,
    /// The lines of the rows, from 1.
    #[error("{} rows, in lines {}", .0.len(), listed(.0))]
    Ambiguous(Vec<u64>),
}

/// The row to change: one that has all given values. It may be invalid.
pub(crate) struct RowSelector<'a> {
    pub account: Option<&'a str>,
    pub caller: Option<&'a str>,
    /// The line in which the row begins, from 1.
    pub line: Option<u64>,
}

impl RowSelector<'_> {
    /// Returns the position of the only row, from 0.
    pub(crate) fn find(&self, list: &CsvList, numbering: &Numbering) -> Result<usize, SelectError> {
        let is_selected = |(row, line): &(usize, u64)| {
            let value = |column| list.value(*row, column);
            self.line.is_none_or(|wanted| wanted == *line)
                && (self.account.is_none() || value(Column::Account).as_deref() == self.account)
                && (self.caller.is_none()
                    || same_caller(value(Column::Caller).as_deref(), self.caller, numbering))
        };
        let lines = list.rows().iter().map(|row| row.line);
        let found: Vec<_> = lines.enumerate().filter(is_selected).collect();
        match found[..] {
            [] => Err(SelectError::NoRow),
            [(row, _)] => Ok(row),
            _ => Err(SelectError::Ambiguous(
                found.into_iter().map(|(_, line)| line).collect(),
            )),
        }
    }
}

fn listed(lines: &[u64]) -> String {
    let first = lines.iter().take(MAX_LISTED_LINES);
    let text: Vec<String> = first.map(u64::to_string).collect();
    let more = if lines.len() > MAX_LISTED_LINES {
        ", …"
    } else {
        ""
    };
    text.join(", ") + more
}

/// The reason why a row can't be changed.
#[derive(Debug, Error)]
pub(crate) enum ChangeError {
    #[error("not a CSV file: pinset convert makes one of it")]
    NotCsv,
    #[error(transparent)]
    Field(#[from] FieldError),
    #[error(transparent)]
    Secret(#[from] SecretMakerError),
    #[error(transparent)]
    Csv(#[from] CsvListError),
    #[error(transparent)]
    Table(#[from] TableError),
}

/// Reads a CSV file to change.
pub(crate) fn csv_list(text: Zeroizing<Vec<u8>>) -> Result<CsvList, ChangeError> {
    match kind(&text) {
        Some(FileKind::Csv) => Ok(CsvList::read(text)?),
        Some(FileKind::Lines(_)) | None => Err(ChangeError::NotCsv),
    }
}

/// Returns the rows of a list, with which a new PIN is compared.
pub(crate) fn loaded(list: &CsvList, numbering: &Numbering) -> Result<Rows, ChangeError> {
    Ok(load(list.text(), FileKind::Csv, numbering)?)
}

/// New values of a row.
pub(crate) struct RowChange<'a> {
    /// All changed columns except the secret. An empty value clears a column.
    pub values: RowValues<'a>,
    /// The new PIN, if it changes.
    pub pin: Option<ComparedPin<'a>>,
}

/// A new PIN, and the rows of the list, with which it is compared.
pub(crate) struct ComparedPin<'a> {
    pub pin: &'a Pin,
    pub rows: &'a Rows,
}

impl RowChange<'_> {
    /// Returns the list with the changed row, whose position is from 0. The row must be
    /// valid then.
    pub(crate) fn change(
        &self,
        list: &CsvList,
        row: usize,
        rules: &RowRules<'_>,
    ) -> Result<EditedRow, ChangeError> {
        let RowRules {
            numbering, maker, ..
        } = rules;
        let pin = self.pin.as_ref();
        let secret = pin.map(|pin| maker.make(pin.pin)).transpose()?;
        let mut values = self.values.clone();
        values.extend(secret.as_deref().map(|secret| (Column::Secret, &**secret)));
        let new = changed_alone(list, row, &values, numbering)?;
        let mut warnings = Vec::new();
        if let Some(ComparedPin { pin, rows }) = pin {
            let value = |column| new.value(0, column);
            let account = value(Column::Account).unwrap_or_default();
            let has_caller = |line: u64| {
                let other = list.row_in_line(line).and_then(|row| list.rows().get(row));
                let other = other.and_then(|other| other.caller.as_deref());
                let caller = value(Column::Caller).filter(|caller| !caller.is_empty());
                same_caller(other, caller.as_deref(), numbering)
            };
            let pin = NewPin {
                pin,
                pepper: &maker.pepper,
                account: account.as_bytes(),
                replaced: list.rows().get(row).map(|row| row.line),
            };
            let duplicate = pin.duplicate(rows, has_caller, &mut warnings);
            if let Some(duplicate) = rules.refused(duplicate) {
                let result = Err(duplicate);
                let edited = Edited { result, warnings };
                return Ok(EditedRow { edited, row: new });
            }
            if maker.form == SecretForm::Argon2id && !rows.is_empty() && rows.argon2id() == 0 {
                warnings.push(Warning::OnlyArgon2id);
            }
        }
        if is_row_out_of_reach(&new, 0) {
            warnings.push(Warning::OutOfReach);
        }
        let result = Ok(with_changed(list, &[row], &values, numbering)?);
        let edited = Edited { result, warnings };
        Ok(EditedRow { edited, row: new })
    }
}

/// Returns the list with the same new values, none of them a secret, in several rows, whose
/// positions are from 0 and in order. Each must be valid then.
///
/// # Errors
///
/// With the row that is to blame, if it is one.
pub(crate) fn change_rows(
    list: &CsvList,
    rows: &[usize],
    values: &RowValues<'_>,
    numbering: &Numbering,
) -> Result<Zeroizing<Vec<u8>>, (Option<usize>, ChangeError)> {
    for row in rows {
        let alone = changed_alone(list, *row, values, numbering);
        alone.map_err(|error| (Some(*row), error))?;
    }
    with_changed(list, rows, values, numbering).map_err(|error| (None, error))
}

/// Returns a changed row by itself: of a list with many invalid rows, not all are reported.
fn changed_alone(
    list: &CsvList,
    row: usize,
    values: &RowValues<'_>,
    numbering: &Numbering,
) -> Result<CsvList, ChangeError> {
    let old = CsvList::read(list.row_alone(row))?;
    let new = CsvList::read(old.with_changed(&[0], values))?;
    let rows = load(new.text(), FileKind::Csv, numbering)?;
    match rows.broken().first() {
        Some(error) => Err(FieldError::of(error).into()),
        None => Ok(new),
    }
}

/// Returns the list with changed rows. A list of valid rows is invalid if too many of them
/// are slow to verify.
fn with_changed(
    list: &CsvList,
    rows: &[usize],
    values: &RowValues<'_>,
    numbering: &Numbering,
) -> Result<Zeroizing<Vec<u8>>, ChangeError> {
    let text = list.with_changed(rows, values);
    load(&text, FileKind::Csv, numbering)?;
    Ok(text)
}

/// Returns whether no caller can use a valid row.
fn is_row_out_of_reach(list: &CsvList, row: usize) -> bool {
    let value = |column| list.value(row, column).unwrap_or_default();
    let secret = value(Column::Secret);
    let is_argon2id = Secret::parse(secret.as_bytes()).is_ok_and(|secret| secret.form().is_slow());
    let caller = value(Column::Caller);
    is_out_of_reach(&value(Column::Account), Some(&caller), is_argon2id)
}
