//! Lists with columns (RFC 4180: commas, a header).
//!
//! An error of the file as such, even one field too many, refuses the whole list,
//! because the column of a value is then unknown. An invalid value refuses its row
//! alone.

mod error;
mod records;

use std::io::Read;
use std::num::NonZeroU32;

use crate::dialplan::{is_name, MAX_NAME_BYTES};
use crate::timestamp::{Moment, Zone};
use records::{CsvRecord, Records};

pub use error::{CsvError, CsvErrorKind, InvalidValue, ValueError};

/// A column.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Column {
    /// The account of the row. Needed.
    Account,
    /// The PIN, or its hash. Needed.
    Secret,
    /// The number that calls.
    Caller,
    /// A name for people.
    Name,
    /// For `required_level`.
    Level,
    /// From when on the row admits.
    ValidFrom,
    /// Until when the row admits.
    ValidUntil,
    /// How many calls the row admits.
    MaxUses,
    /// Takes the place of the context of `on_success`.
    Context,
    /// Whether the row admits at all.
    Enabled,
}

impl Column {
    /// All there are, in the order they are declared.
    pub const ALL: [Self; 10] = [
        Self::Account,
        Self::Secret,
        Self::Caller,
        Self::Name,
        Self::Level,
        Self::ValidFrom,
        Self::ValidUntil,
        Self::MaxUses,
        Self::Context,
        Self::Enabled,
    ];

    /// Its name in the header.
    pub fn name(self) -> &'static str {
        match self {
            Self::Account => "account",
            Self::Secret => "secret",
            Self::Caller => "caller",
            Self::Name => "name",
            Self::Level => "level",
            Self::ValidFrom => "valid_from",
            Self::ValidUntil => "valid_until",
            Self::MaxUses => "max_uses",
            Self::Context => "context",
            Self::Enabled => "enabled",
        }
    }

    /// The column of this name, in upper or lower case.
    fn named(name: &str) -> Option<Self> {
        let mut all = Self::ALL.into_iter();
        all.find(|column| column.name().eq_ignore_ascii_case(name))
    }
}

/// A row whose values are right. It has no `Debug`, as it may hold a PIN; what
/// it borrows from is wiped.
pub struct Row<'a> {
    /// The line it starts in, from 1.
    pub line: u64,
    /// Whose it is: 1 to [`MAX_NAME_BYTES`] bytes, no control characters.
    pub account: &'a str,
    /// The PIN or its hash, as it stands there: not empty.
    pub secret: &'a str,
    /// The number that calls, as it stands there.
    pub caller: Option<&'a str>,
    /// A name for people. It may hold line ends.
    pub name: Option<&'a str>,
    /// For `required_level`; 0 if none is given.
    pub level: u8,
    /// It admits from this moment on.
    pub from: Option<Moment>,
    /// It admits until just before this moment.
    pub until: Option<Moment>,
    /// How many calls it admits, or `None` for any number.
    pub max_uses: Option<NonZeroU32>,
    /// Takes the place of the context of `on_success`.
    pub context: Option<&'a str>,
    /// Whether it admits at all.
    pub enabled: bool,
}

/// The rows of a list, one by one. A list of any size is read in the same
/// memory, which is wiped when dropped.
pub struct Reader<R> {
    records: Records<R>,
    /// None until the header was read.
    columns: Vec<Column>,
    zone: Zone,
}

impl<R: Read> Reader<R> {
    /// The rows of `list`, from where it stands.
    ///
    /// A last row without a line end counts only if `settled`: a writer may be
    /// at it. `zone` says what dates without an offset mean.
    pub fn new(list: R, settled: bool, zone: &Zone) -> Self {
        Self {
            records: Records::new(list, settled),
            columns: Vec::new(),
            zone: zone.clone(),
        }
    }

    /// The next row, or what is wrong with it; `None` at the end.
    ///
    /// # Errors
    ///
    /// The list can't be read or is broken, and then nothing counts of what was
    /// read before. Who stops early does not hear of what is broken behind.
    pub fn next_row(&mut self) -> Result<Option<Result<Row<'_>, InvalidValue>>, CsvError> {
        if self.columns.is_empty() {
            let Some(header) = self.records.next_record()? else {
                return Ok(None);
            };
            self.columns = columns(&header)?;
        }
        let Some(record) = self.records.next_record()? else {
            return Ok(None);
        };
        if record.len() != self.columns.len() {
            return Err(CsvError::Invalid(record.line, CsvErrorKind::FieldCount));
        }
        Ok(Some(row(&record, &self.columns, &self.zone)))
    }
}

/// Whether a line is a header with `account` and `secret`, with any separator.
pub(super) fn is_header(line: &[u8]) -> bool {
    // Making a reader takes much longer, and each line of a list may be looked at.
    let has = |column: Column| {
        let name = column.name().as_bytes();
        line.windows(name.len())
            .any(|part| part.eq_ignore_ascii_case(name))
    };
    if !has(Column::Account) || !has(Column::Secret) {
        return false;
    }
    let mut records = Records::of_size(line, true, line.len());
    let header = records.next_record().ok().flatten();
    header.is_some_and(|header| has_needed(header.fields())) || other_separator(line).is_some()
}

/// Whether there are `account` and `secret` among the names.
fn has_needed<'a>(names: impl Iterator<Item = &'a str>) -> bool {
    let columns: Vec<_> = names.filter_map(Column::named).collect();
    columns.contains(&Column::Account) && columns.contains(&Column::Secret)
}

/// The separator of a header with `account` and `secret`, if it is not the comma:
/// spreadsheets write semicolons in many countries, and tabs.
pub fn other_separator(header: &[u8]) -> Option<char> {
    let header = std::str::from_utf8(header).ok()?;
    [';', '\t'].into_iter().find(|separator| {
        let names = header.split(*separator);
        has_needed(names.map(|name| name.trim().trim_matches('"')))
    })
}

/// The columns that a header names.
fn columns(header: &CsvRecord<'_>) -> Result<Vec<Column>, CsvError> {
    let broken = |kind| CsvError::Invalid(header.line, kind);
    if let Some(separator) = other_separator(header.text().as_bytes()) {
        return Err(broken(CsvErrorKind::WrongSeparator(separator)));
    }
    let mut columns = Vec::new();
    for (at, name) in header.fields().enumerate() {
        let column =
            Column::named(name).ok_or_else(|| broken(CsvErrorKind::UnknownColumn(at + 1)))?;
        if columns.contains(&column) {
            return Err(broken(CsvErrorKind::DuplicateColumn(column)));
        }
        columns.push(column);
    }
    for needed in [Column::Account, Column::Secret] {
        if !columns.contains(&needed) {
            return Err(broken(CsvErrorKind::MissingColumn(needed)));
        }
    }
    Ok(columns)
}

/// Reads a record with as many fields as there are columns.
fn row<'a>(
    record: &CsvRecord<'a>,
    columns: &[Column],
    zone: &Zone,
) -> Result<Row<'a>, InvalidValue> {
    let mut row = Row {
        line: record.line,
        account: "",
        secret: "",
        caller: None,
        name: None,
        level: 0,
        from: None,
        until: None,
        max_uses: None,
        context: None,
        enabled: true,
    };
    for (column, value) in columns.iter().zip(record.fields()) {
        row.set(*column, value, zone)
            .map_err(|error| InvalidValue {
                line: record.line,
                column: *column,
                error,
            })?;
    }
    let never = row
        .from
        .zip(row.until)
        .is_some_and(|(from, until)| from >= until);
    if never {
        return Err(InvalidValue {
            line: record.line,
            column: Column::ValidUntil,
            error: ValueError::NeverValid,
        });
    }
    Ok(row)
}

impl<'a> Row<'a> {
    fn set(&mut self, column: Column, value: &'a str, zone: &Zone) -> Result<(), ValueError> {
        if has_control(value, column == Column::Name) {
            return Err(ValueError::ControlCharacter);
        }
        if value.is_empty() {
            return match column {
                Column::Account | Column::Secret => Err(ValueError::Empty),
                _ => Ok(()),
            };
        }
        match column {
            Column::Account if value.len() > MAX_NAME_BYTES => return Err(ValueError::TooLong),
            Column::Account => self.account = value,
            Column::Secret => self.secret = value,
            Column::Caller => self.caller = Some(value),
            Column::Name => self.name = Some(value),
            Column::Level => self.level = number(value).ok_or(ValueError::InvalidLevel)?,
            Column::ValidFrom => {
                let from = Moment::from_which(value, zone);
                self.from = Some(from.ok_or(ValueError::InvalidDate)?);
            }
            Column::ValidUntil => {
                let until = Moment::until_which(value, zone);
                self.until = Some(until.ok_or(ValueError::InvalidDate)?);
            }
            Column::MaxUses => self.max_uses = Some(number(value).ok_or(ValueError::InvalidUses)?),
            Column::Context if !is_name(value) => return Err(ValueError::InvalidContext),
            Column::Context => self.context = Some(value),
            Column::Enabled => self.enabled = enabled(value).ok_or(ValueError::InvalidEnabled)?,
        }
        Ok(())
    }
}

/// Whether a value has control characters, other than line ends and tabs if it may have
/// these.
fn has_control(value: &str, lines: bool) -> bool {
    // Nearly all values can be looked through by bytes, some at once if all are.
    let is_other = |byte: u8| !matches!(byte, b' '..=b'~');
    let has_other = value.bytes().fold(false, |any, byte| any | is_other(byte));
    let may_be = |c: char| lines && matches!(c, '\n' | '\r' | '\t');
    has_other && value.contains(|c: char| c.is_control() && !may_be(c))
}

/// A number of digits alone.
fn number<T: std::str::FromStr>(text: &str) -> Option<T> {
    let digits = text.bytes().all(|byte| byte.is_ascii_digit());
    digits.then(|| text.parse().ok()).flatten()
}

/// Whether a row is enabled, by a value that is not empty.
fn enabled(text: &str) -> Option<bool> {
    match text {
        "yes" => Some(true),
        "no" => Some(false),
        _ => None,
    }
}

#[cfg(test)]
mod tests;
