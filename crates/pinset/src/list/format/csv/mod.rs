//! Lists with columns (RFC 4180: commas, a header).
//!
//! What is wrong with the file as such, down to one field too many, refuses
//! the whole list: nobody knows which column a value was meant for. What is
//! wrong with a value refuses its row.

mod records;

use std::fmt;
use std::io::{self, Read};
use std::num::NonZeroU32;

use crate::dialplan::{is_name, MAX_NAME_BYTES};
use crate::timestamp::{Moment, Zone};
use records::{Record, Records};

/// A column.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Column {
    /// Whose row it is. Needed.
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
}

impl Column {
    /// All there are, in the order they are declared.
    pub const ALL: [Self; 9] = [
        Self::Account,
        Self::Secret,
        Self::Caller,
        Self::Name,
        Self::Level,
        Self::ValidFrom,
        Self::ValidUntil,
        Self::MaxUses,
        Self::Context,
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
    /// How many calls it admits; `None`: any number.
    pub max_uses: Option<NonZeroU32>,
    /// Takes the place of the context of `on_success`.
    pub context: Option<&'a str>,
}

/// A value that is wrong: its row admits nobody. The text does not have it.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct BadValue {
    /// The line its row starts in, from 1.
    pub line: u64,
    /// The column it is in.
    pub column: Column,
    /// What is wrong with it.
    pub fault: Fault,
}

/// What is wrong with a value.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Fault {
    /// An account or a secret that is empty.
    Empty,
    /// Over [`MAX_NAME_BYTES`] bytes.
    TooLong,
    /// A character no text has; in a name, line ends and tabs are text.
    Control,
    /// No level.
    NotALevel,
    /// No date.
    NotADate,
    /// Over before it begins.
    NeverValid,
    /// No number of uses.
    NotUses,
    /// No name of a context.
    NotAContext,
}

/// Why nothing of a list counts.
#[derive(Debug)]
pub enum Broken {
    /// It can't be read.
    Unreadable(io::Error),
    /// This is wrong with it, in this line, from 1.
    At(u64, Flaw),
}

/// What is wrong with a list. The text has nothing of the list.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Flaw {
    /// The header has a column there is none of: which one, from 1.
    UnknownColumn(usize),
    /// The header is separated by this character, not by commas.
    SeparatedBy(char),
    /// The header has this column twice.
    ColumnTwice(Column),
    /// The header does not have this column.
    ColumnMissing(Column),
    /// There are more or fewer fields than columns.
    FieldCount,
    /// A quote within a field that does not start with one, or something
    /// behind the quote that closes it.
    QuoteOutOfPlace,
    /// The list ends within quotes.
    QuoteUnclosed,
    /// The list is not in UTF-8.
    NotUtf8,
    /// A row is longer than any.
    TooLong,
}

impl fmt::Display for BadValue {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (line, column) = (self.line, self.column.name());
        write!(f, "line {line}, {column}: {}", self.fault)
    }
}

impl fmt::Display for Fault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Empty => "it is empty",
            Self::TooLong => return write!(f, "it is over {MAX_NAME_BYTES} bytes"),
            Self::Control => "it has a control character in it",
            Self::NotALevel => "it must be a whole number from 0 to 255, or nothing",
            Self::NotADate => {
                "it must be YYYY-MM-DD, or YYYY-MM-DD HH:MM or HH:MM:SS, with Z or +HH:MM behind \
                 a time that is not local, or nothing"
            }
            Self::NeverValid => "it is not after valid_from",
            Self::NotUses => "it must be a whole number from 1 to 4294967295, or nothing",
            Self::NotAContext => {
                "it must be the name of a context, of at most 79 bytes, without blanks and commas"
            }
        })
    }
}

impl fmt::Display for Broken {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Unreadable(error) => write!(f, "{error}"),
            Self::At(line, flaw) => write!(f, "line {line}: {flaw}"),
        }
    }
}

impl fmt::Display for Flaw {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let all = || Column::ALL.map(Column::name).join(", ");
        f.write_str(match self {
            Self::UnknownColumn(at) => {
                return write!(f, "column {at} of the header is none of {}", all());
            }
            Self::SeparatedBy(separator) => {
                let separator = match separator {
                    '\t' => "tabs".to_owned(),
                    other => other.to_string(),
                };
                return write!(
                    f,
                    "the list is separated by {separator}, not by commas: pinset convert changes that"
                );
            }
            Self::ColumnTwice(column) => {
                return write!(f, "the header has {} twice", column.name());
            }
            Self::ColumnMissing(column) => {
                return write!(f, "the header has no {}", column.name());
            }
            Self::FieldCount => "it has more or fewer fields than the header",
            Self::QuoteOutOfPlace => {
                "a quote is out of place: a field with quotes in it has them around it, and those \
                 in it doubled"
            }
            Self::QuoteUnclosed => "a quote is not closed",
            Self::NotUtf8 => "it is not in UTF-8",
            Self::TooLong => return write!(f, "it has over {} characters", records::LONGEST),
        })
    }
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
    pub fn next_row(&mut self) -> Result<Option<Result<Row<'_>, BadValue>>, Broken> {
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
            return Err(Broken::At(record.line, Flaw::FieldCount));
        }
        Ok(Some(row(&record, &self.columns, &self.zone)))
    }
}

/// Whether a line is a header with `account` and `secret`, with any separator.
pub(super) fn is_header(line: &[u8]) -> bool {
    let mut records = Records::of_size(line, true, line.len());
    let header = records.next_record().ok().flatten();
    header.is_some_and(|header| has_needed(header.fields())) || other_separator(line).is_some()
}

/// Whether there are `account` and `secret` among the names.
fn has_needed<'a>(names: impl Iterator<Item = &'a str>) -> bool {
    let columns: Vec<_> = names.filter_map(Column::named).collect();
    columns.contains(&Column::Account) && columns.contains(&Column::Secret)
}

/// What separates a header with `account` and `secret`, if it is not the comma:
/// spreadsheets write semicolons in many countries, and tabs.
pub fn other_separator(header: &[u8]) -> Option<char> {
    let header = std::str::from_utf8(header).ok()?;
    [';', '\t'].into_iter().find(|separator| {
        let names = header.split(*separator);
        has_needed(names.map(|name| name.trim().trim_matches('"')))
    })
}

/// The columns that a header names.
fn columns(header: &Record<'_>) -> Result<Vec<Column>, Broken> {
    let broken = |flaw| Broken::At(header.line, flaw);
    if let Some(separator) = other_separator(header.text().as_bytes()) {
        return Err(broken(Flaw::SeparatedBy(separator)));
    }
    let mut columns = Vec::new();
    for (at, name) in header.fields().enumerate() {
        let column = Column::named(name).ok_or_else(|| broken(Flaw::UnknownColumn(at + 1)))?;
        if columns.contains(&column) {
            return Err(broken(Flaw::ColumnTwice(column)));
        }
        columns.push(column);
    }
    for needed in [Column::Account, Column::Secret] {
        if !columns.contains(&needed) {
            return Err(broken(Flaw::ColumnMissing(needed)));
        }
    }
    Ok(columns)
}

/// Reads a record with as many fields as there are columns.
fn row<'a>(record: &Record<'a>, columns: &[Column], zone: &Zone) -> Result<Row<'a>, BadValue> {
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
    };
    for (column, value) in columns.iter().zip(record.fields()) {
        row.set(*column, value, zone).map_err(|fault| BadValue {
            line: record.line,
            column: *column,
            fault,
        })?;
    }
    let never = row
        .from
        .zip(row.until)
        .is_some_and(|(from, until)| from >= until);
    if never {
        return Err(BadValue {
            line: record.line,
            column: Column::ValidUntil,
            fault: Fault::NeverValid,
        });
    }
    Ok(row)
}

impl<'a> Row<'a> {
    fn set(&mut self, column: Column, value: &'a str, zone: &Zone) -> Result<(), Fault> {
        let text = |c: char| column == Column::Name && matches!(c, '\n' | '\r' | '\t');
        if value.contains(|c: char| c.is_control() && !text(c)) {
            return Err(Fault::Control);
        }
        if value.is_empty() {
            return match column {
                Column::Account | Column::Secret => Err(Fault::Empty),
                _ => Ok(()),
            };
        }
        match column {
            Column::Account if value.len() > MAX_NAME_BYTES => return Err(Fault::TooLong),
            Column::Account => self.account = value,
            Column::Secret => self.secret = value,
            Column::Caller => self.caller = Some(value),
            Column::Name => self.name = Some(value),
            Column::Level => self.level = number(value).ok_or(Fault::NotALevel)?,
            Column::ValidFrom => {
                let from = Moment::from_which(value, zone);
                self.from = Some(from.ok_or(Fault::NotADate)?);
            }
            Column::ValidUntil => {
                let until = Moment::until_which(value, zone);
                self.until = Some(until.ok_or(Fault::NotADate)?);
            }
            Column::MaxUses => self.max_uses = Some(number(value).ok_or(Fault::NotUses)?),
            Column::Context if !is_name(value) => return Err(Fault::NotAContext),
            Column::Context => self.context = Some(value),
        }
        Ok(())
    }
}

/// A number of digits alone.
fn number<T: std::str::FromStr>(text: &str) -> Option<T> {
    let digits = text.bytes().all(|byte| byte.is_ascii_digit());
    digits.then(|| text.parse().ok()).flatten()
}

#[cfg(test)]
mod tests;
