//! Editing of CSV files: all rows that are not edited stay the same, byte for byte.

use std::borrow::Cow;
use std::ops::Range;

use pinset::credential::table::{Reading, RowError, Rows, TableError};
use pinset::list::format::csv::{self, Column, CsvError};
use pinset::list::{sniff, FileKind};
use pinset::timestamp::Zone;
use pinset::Numbering;
use thiserror::Error;
use zeroize::Zeroizing;

use crate::common::csv::{push_row, push_value};

/// The reason why a CSV file can't be edited. No text contains a value.
#[derive(Debug, Error)]
pub(crate) enum CsvListError {
    #[error(transparent)]
    Invalid(#[from] CsvError),
    #[error("line {0}: two rows in one line: CR line ends are not supported")]
    SharedLine(u64),
}

/// The values of a new row, or the changed ones of a row.
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
    pub(crate) fn read(text: Zeroizing<Vec<u8>>) -> Result<Self, CsvListError> {
        let mut lines = Vec::new();
        let mut all = Vec::new();
        let mut reader = csv::Reader::new(&text[..], true, &Zone::of_the_machine());
        while let Some(row) = reader.next_row()? {
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
                return Err(CsvListError::SharedLine(wanted));
            }
            // The text is in memory, so that its lines can be counted.
            let skipped = usize::try_from(wanted - line - 1).unwrap_or(usize::MAX);
            starts.extend(ends.nth(skipped));
            line = wanted;
        }
        let end = starts.get(1).copied().unwrap_or(text.len());
        Ok(Self {
            columns: columns(text.get(header..end).unwrap_or_default()),
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

    pub(crate) fn into_text(self) -> Zeroizing<Vec<u8>> {
        self.text
    }

    /// Returns the bytes of the header, with what is before the first row.
    pub(crate) fn header(&self) -> Range<u64> {
        let start = self.starts.first().copied().unwrap_or_default();
        start as u64..self.start(0)
    }

    /// Returns the offset of a row, or of the end if there is no such row.
    pub(crate) fn start(&self, row: usize) -> u64 {
        let start = self.starts.get(row + 1).copied();
        start.unwrap_or(self.text.len()) as u64
    }

    pub(crate) fn has(&self, column: Column) -> bool {
        self.columns.contains(&column)
    }

    /// Returns a value of a row, which may be invalid, as it is after unquoting. Returns
    /// `None` if the list lacks the column.
    pub(crate) fn value(&self, row: usize, wanted: Column) -> Option<Cow<'_, str>> {
        let at = self.columns.iter().position(|column| *column == wanted)?;
        fields(self.span(row + 1)).nth(at).map(value)
    }

    /// Returns the bytes of a row, up to the next one.
    pub(crate) fn row_text(&self, row: usize) -> &[u8] {
        self.span(row + 1)
    }

    /// Returns the values of a row, which may be invalid, in the order of [`Column::ALL`].
    /// Those of columns that the list lacks are empty.
    pub(crate) fn values(&self, row: usize) -> [Cow<'_, str>; Column::ALL.len()] {
        let mut values = Column::ALL.map(|_| Cow::Borrowed(""));
        for (column, field) in self.columns.iter().zip(fields(self.span(row + 1))) {
            // Columns are numbered in that order.
            if let Some(place) = values.get_mut(*column as usize) {
                *place = value(field);
            }
        }
        values
    }

    /// Returns the text of the list with no other row than this one.
    pub(crate) fn row_alone(&self, row: usize) -> Zeroizing<Vec<u8>> {
        let (header, row) = (self.span(0), self.span(row + 1));
        let mut text = Zeroizing::new(Vec::with_capacity(header.len() + row.len()));
        text.extend_from_slice(header);
        text.extend_from_slice(row);
        text
    }

    /// Returns the position of the row that begins in a line.
    pub(crate) fn row_in_line(&self, line: u64) -> Option<usize> {
        self.rows.binary_search_by_key(&line, |row| row.line).ok()
    }

    /// Returns the list with these rows appended, and with the columns that they need.
    pub(crate) fn with_rows(&self, values: &[RowValues<'_>]) -> Zeroizing<Vec<u8>> {
        let more = self.missing(values.iter().flatten());
        let mut text = self.rewritten(&more, values.iter().map(room).sum(), None);
        let end = self.line_end();
        if !text.ends_with(b"\n") {
            text.extend_from_slice(end.as_bytes());
        }
        for row in values {
            let value = |column: &Column| given(row, *column).unwrap_or_default();
            push_row(&mut text, self.columns.iter().chain(&more).map(value), end);
        }
        text
    }

    /// Returns the list with these values in some rows, which are counted from 0 and in
    /// order, and with the columns that they need. The other values stay as they are.
    pub(crate) fn with_changed(
        &self,
        rows: &[usize],
        values: &RowValues<'_>,
    ) -> Zeroizing<Vec<u8>> {
        let needed = values.iter().filter(|(_, value)| !value.is_empty());
        let more = self.missing(needed);
        self.rewritten(&more, room(values) * rows.len(), Some((rows, values)))
    }

    /// Returns the columns of these values that the list lacks.
    fn missing<'v>(
        &self,
        values: impl Iterator<Item = &'v (Column, &'v str)> + Clone,
    ) -> Vec<Column> {
        let is_missing = |wanted: &Column| {
            let mut all = values.clone();
            all.any(|(column, _)| column == wanted) && !self.columns.contains(wanted)
        };
        Column::ALL.into_iter().filter(is_missing).collect()
    }

    /// Returns the list with more columns, and with other values in some of its rows. There
    /// is room for `room` more bytes.
    fn rewritten(
        &self,
        more: &[Column],
        room: usize,
        changed: Option<(&[usize], &RowValues<'_>)>,
    ) -> Zeroizing<Vec<u8>> {
        let size = self.text.len() + (self.starts.len() + 10) * (more.len() + 1) + room + 200;
        let mut text = Zeroizing::new(Vec::with_capacity(size));
        let before = self.starts.first().copied().unwrap_or(0);
        text.extend_from_slice(self.text.get(..before).unwrap_or_default());
        let is_changed = |at: usize| {
            let (rows, values) = changed?;
            let row = at.checked_sub(1)?;
            rows.binary_search(&row).ok().map(|_| values)
        };
        for (at, row) in self.spans().enumerate() {
            let values = is_changed(at);
            if more.is_empty() && values.is_none() {
                text.extend_from_slice(row);
                continue;
            }
            // After the last value: blanks, line ends, blank lines.
            let length = row.trim_ascii_end().len();
            let (row, behind) = row.split_at_checked(length).unwrap_or((row, &[]));
            let behind = match values {
                Some(values) => {
                    self.push_changed(&mut text, row, values);
                    // A blank may not follow a quoted value.
                    from_line_end(behind)
                }
                None => {
                    text.extend_from_slice(row);
                    behind
                }
            };
            for column in more {
                text.push(b',');
                match values {
                    _ if at == 0 => push_value(&mut text, column.name()),
                    Some(values) => {
                        push_value(&mut text, given(values, *column).unwrap_or_default());
                    }
                    None => {}
                }
            }
            text.extend_from_slice(behind);
        }
        text
    }

    /// Appends a row with other values in its fields.
    fn push_changed(&self, text: &mut Vec<u8>, row: &[u8], values: &RowValues<'_>) {
        for (at, (column, field)) in self.columns.iter().zip(fields(row)).enumerate() {
            if at > 0 {
                text.push(b',');
            }
            match given(values, *column) {
                Some(value) => push_value(text, value),
                None => text.extend_from_slice(field),
            }
        }
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

    fn line_end(&self) -> &'static str {
        if self.span(0).ends_with(b"\r\n") {
            "\r\n"
        } else {
            "\n"
        }
    }

    /// Returns the text of the header and of each row, up to the next row.
    fn spans(&self) -> impl Iterator<Item = &[u8]> {
        (0..self.starts.len()).map(|at| self.span(at))
    }

    /// Returns the text of the header, which is line 0, or of a row, up to the next row.
    fn span(&self, at: usize) -> &[u8] {
        let start = |at: usize| self.starts.get(at).copied().unwrap_or(self.text.len());
        self.text.get(start(at)..start(at + 1)).unwrap_or_default()
    }
}

/// Returns the value of a column that a row is given.
fn given<'a>(values: &RowValues<'a>, wanted: Column) -> Option<&'a str> {
    let mut all = values.iter();
    all.find_map(|(column, value)| (*column == wanted).then_some(*value))
}

/// Returns the text from its first line end.
fn from_line_end(text: &[u8]) -> &[u8] {
    let end = text.iter().position(|byte| matches!(byte, b'\r' | b'\n'));
    text.get(end.unwrap_or(text.len())..).unwrap_or_default()
}

/// Returns the most bytes that these values take as a row.
fn room(values: &RowValues<'_>) -> usize {
    let lengths = values.iter().map(|(_, value)| 2 * value.len() + 3);
    lengths.sum::<usize>() + Column::ALL.len() + 2
}

/// Returns the columns of a valid header.
fn columns(header: &[u8]) -> Vec<Column> {
    let named = |field| {
        let name = value(field);
        let mut all = Column::ALL.into_iter();
        all.find(|column| column.name().eq_ignore_ascii_case(&name))
    };
    fields(header).filter_map(named).collect()
}

/// Returns the fields of a valid row as they are in the text, with quotes and blanks.
fn fields(row: &[u8]) -> impl Iterator<Item = &[u8]> {
    let mut is_quoted = false;
    // A doubled quote changes this twice.
    row.split(move |byte| {
        is_quoted ^= *byte == b'"';
        *byte == b',' && !is_quoted
    })
}

/// Returns the value of a field of a valid row.
fn value(field: &[u8]) -> Cow<'_, str> {
    let field = std::str::from_utf8(field).unwrap_or_default().trim();
    let inner = field
        .strip_prefix('"')
        .and_then(|field| field.strip_suffix('"'));
    match inner {
        Some(inner) if inner.contains('"') => {
            Cow::Owned(inner.replace("\"\"", "\"").trim().to_owned())
        }
        Some(inner) => Cow::Borrowed(inner.trim()),
        None => Cow::Borrowed(field),
    }
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
pub(crate) fn load(list: &[u8], kind: FileKind, numbering: &Numbering) -> Result<Rows, TableError> {
    let zone = Zone::of_the_machine();
    let mut reading = Reading::new(list, kind, true, &zone, numbering, u64::MAX);
    loop {
        if let Some(rows) = reading.step()? {
            return Ok(rows);
        }
    }
}

/// Checks the values of a row. Returns the error, or `None` if they are valid.
pub(crate) fn check_values(
    values: &RowValues<'_>,
    numbering: &Numbering,
) -> Result<Option<RowError>, TableError> {
    let rows = load(&text_of(values), FileKind::Csv, numbering)?;
    Ok(rows.broken().first().copied())
}

/// Returns a list with a row of these values alone, which may be invalid.
pub(crate) fn list_of(values: &RowValues<'_>) -> Result<CsvList, CsvListError> {
    CsvList::read(text_of(values))
}

fn text_of(row: &RowValues<'_>) -> Zeroizing<Vec<u8>> {
    let columns: Vec<Column> = row.iter().map(|(column, _)| *column).collect();
    CsvList::new(&columns).with_rows(std::slice::from_ref(row))
}

/// Returns whether two rows have the same caller number, or both have none.
pub(crate) fn same_caller(one: Option<&str>, other: Option<&str>, numbering: &Numbering) -> bool {
    let number = |text: Option<&str>| text.and_then(|text| numbering.normalize(text.as_bytes()));
    one == other || number(one).is_some_and(|one| number(other) == Some(one))
}

#[cfg(test)]
mod tests;
