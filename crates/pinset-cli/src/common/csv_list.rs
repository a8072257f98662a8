//! Editing of CSV files: all rows that are not edited stay the same, byte for byte.

use pinset::credential::table::{Reading, RowError, Rows};
use pinset::list::format::csv::{self, Column};
use pinset::list::{sniff, FileKind};
use pinset::timestamp::Zone;
use pinset::Numbering;
use zeroize::Zeroizing;

use crate::common::csv::{push_row, push_value, rows};
use crate::common::error::CommandError;

/// The values of a new row.
pub(crate) type RowValues<'a> = Vec<(Column, &'a str)>;

/// A CSV file.
pub(crate) struct CsvList {
    text: Zeroizing<Vec<u8>>,
    columns: Vec<Column>,
    /// The offsets of the header and of each row.
    starts: Vec<usize>,
    rows: Vec<CsvRow>,
}

/// Account and caller of a row; both are empty if the row is invalid.
pub(crate) struct CsvRow {
    /// The line in which it begins, from 1.
    pub line: u64,
    pub account: String,
    pub caller: Option<String>,
}

impl CsvList {
    /// Creates a list that only has a header.
    pub(crate) fn new(columns: &[Column]) -> Self {
        let mut text = Zeroizing::new(Vec::new());
        push_row(&mut text, columns.iter().map(|column| column.name()), "\n");
        Self {
            text,
            columns: columns.to_vec(),
            starts: vec![0],
            rows: Vec::new(),
        }
    }

    /// Reads a list as the module does.
    pub(crate) fn read(text: Zeroizing<Vec<u8>>) -> Result<Self, CommandError> {
        let mut lines = Vec::new();
        let mut all = Vec::new();
        let mut reader = csv::Reader::new(&text[..], true, &Zone::of_the_machine());
        while let Some(row) = reader.next_row().map_err(CommandError::new)? {
            let line = row.as_ref().map_or_else(|bad| bad.line, |row| row.line);
            lines.push(line);
            all.push(CsvRow {
                line,
                account: row.as_ref().map_or("", |row| row.account).to_owned(),
                caller: row.ok().and_then(|row| row.caller.map(str::to_owned)),
            });
        }
        drop(reader);
        let mark: &[u8] = b"\xef\xbb\xbf";
        let header = if text.starts_with(mark) {
            mark.len()
        } else {
            0
        };
        let mut starts = vec![header];
        let mut ends = memchr::memchr_iter(b'\n', &text).map(|end| end + 1);
        let mut line = 1;
        for wanted in lines {
            if wanted <= line {
                return Err(CommandError::new(format!(
                    "line {wanted}: two rows in one line: CR line ends are not supported"
                )));
            }
            let skipped = usize::try_from(wanted - line - 1).map_err(CommandError::new)?;
            starts.extend(ends.nth(skipped));
            line = wanted;
        }
        Ok(Self {
            columns: columns(&text)?,
            text,
            starts,
            rows: all,
        })
    }

    /// Returns the rows in order.
    pub(crate) fn rows(&self) -> &[CsvRow] {
        &self.rows
    }

    pub(crate) fn text(&self) -> &[u8] {
        &self.text
    }

    /// Returns the list with these rows appended, and with the columns that they need.
    pub(crate) fn with_rows(&self, values: &[RowValues<'_>]) -> Zeroizing<Vec<u8>> {
        let given = |wanted: &Column| {
            let mut all = values.iter().flatten();
            all.any(|(column, _)| column == wanted) && !self.columns.contains(wanted)
        };
        let more: Vec<Column> = Column::ALL.into_iter().filter(given).collect();
        let room = |values: &RowValues<'_>| {
            let lengths = values.iter().map(|(_, value)| 2 * value.len() + 3);
            lengths.sum::<usize>() + Column::ALL.len() + 2
        };
        let new: usize = values.iter().map(room).sum();
        let size = self.text.len() + (self.starts.len() + 10) * (more.len() + 1) + new + 200;
        let mut text = Zeroizing::new(Vec::with_capacity(size));
        let end = if self.header().ends_with(b"\r\n") {
            "\r\n"
        } else {
            "\n"
        };
        text.extend_from_slice(
            self.text
                .get(..self.starts.first().copied().unwrap_or(0))
                .unwrap_or_default(),
        );
        for (at, row) in self.spans().enumerate() {
            // After the last value: blanks, line ends, blank lines.
            let length = row.trim_ascii_end().len();
            let (row, behind) = row.split_at_checked(length).unwrap_or((row, &[]));
            text.extend_from_slice(row);
            for column in &more {
                text.push(b',');
                if at == 0 {
                    push_value(&mut text, column.name());
                }
            }
            text.extend_from_slice(behind);
        }
        if !text.ends_with(b"\n") {
            text.extend_from_slice(end.as_bytes());
        }
        for row in values {
            let value = |column: &Column| {
                let found = row.iter().find(|(other, _)| other == column);
                found.map_or("", |(_, value)| value)
            };
            push_row(&mut text, self.columns.iter().chain(&more).map(value), end);
        }
        text
    }

    /// Returns the list without the rows for which `goes` returns `true`, and the number
    /// of removed rows.
    pub(crate) fn without_rows(
        &self,
        mut goes: impl FnMut(&CsvRow) -> bool,
    ) -> (Zeroizing<Vec<u8>>, usize) {
        let mut text = Zeroizing::new(Vec::with_capacity(self.text.len()));
        let first = self.starts.get(1).copied().unwrap_or(self.text.len());
        text.extend_from_slice(self.text.get(..first).unwrap_or_default());
        let mut gone = 0;
        for (row, span) in self.rows.iter().zip(self.spans().skip(1)) {
            if goes(row) {
                gone += 1;
            } else {
                text.extend_from_slice(span);
            }
        }
        (text, gone)
    }

    fn header(&self) -> &[u8] {
        self.spans().next().unwrap_or_default()
    }

    /// Returns the text of the header and of each row, up to the next row.
    fn spans(&self) -> impl Iterator<Item = &[u8]> {
        let ends = self.starts.iter().skip(1).copied();
        let ends = ends.chain(std::iter::once(self.text.len()));
        let spans = self.starts.iter().zip(ends);
        spans.map(|(start, end)| self.text.get(*start..end).unwrap_or_default())
    }
}

/// Returns the columns of the header.
fn columns(text: &[u8]) -> Result<Vec<Column>, CommandError> {
    let mut columns = Vec::new();
    rows(text, |_, names| {
        if columns.is_empty() {
            let named = |name: &&str| {
                let mut all = Column::ALL.into_iter();
                all.find(|column| column.name().eq_ignore_ascii_case(name))
            };
            columns = names.iter().filter_map(named).collect();
        }
        Ok(())
    })?;
    Ok(columns)
}

/// Returns the kind of a list, or `None` if it is empty.
pub(crate) fn kind(text: &[u8]) -> Option<FileKind> {
    let text = text.strip_prefix(b"\xef\xbb\xbf").unwrap_or(text);
    if text.trim_ascii().is_empty() {
        return None;
    }
    sniff(text, true).ok()
}

/// Returns the rows of a list as the module loads them.
pub(crate) fn load(
    list: &[u8],
    kind: FileKind,
    numbering: &Numbering,
) -> Result<Rows, CommandError> {
    let zone = Zone::of_the_machine();
    let mut reading = Reading::new(list, kind, true, &zone, numbering, u64::MAX);
    loop {
        if let Some(rows) = reading.step().map_err(CommandError::new)? {
            return Ok(rows);
        }
    }
}

/// Checks the values of a row. Returns the error, or `None` if they are valid.
pub(crate) fn check_values(
    values: &RowValues<'_>,
    numbering: &Numbering,
) -> Result<Option<RowError>, CommandError> {
    let columns: Vec<Column> = values.iter().map(|(column, _)| *column).collect();
    let text = CsvList::new(&columns).with_rows(std::slice::from_ref(values));
    let rows = load(&text, FileKind::Csv, numbering)?;
    Ok(rows.broken().first().copied())
}

/// Returns whether two rows have the same caller number, or both have none.
pub(crate) fn same_caller(one: Option<&str>, other: Option<&str>, numbering: &Numbering) -> bool {
    let number = |text: Option<&str>| text.and_then(|text| numbering.normalize(text.as_bytes()));
    one == other || number(one).is_some_and(|one| number(other) == Some(one))
}
