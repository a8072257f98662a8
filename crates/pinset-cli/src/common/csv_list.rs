//! Editing of CSV files: all rows that are not edited stay the same, byte for byte.

use std::borrow::Cow;

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

    /// Returns a value of a row, which may be invalid, as it is after unquoting. Returns
    /// `None` if the list lacks the column.
    pub(crate) fn value(&self, row: usize, wanted: Column) -> Option<Cow<'_, str>> {
        let at = self.columns.iter().position(|column| *column == wanted)?;
        fields(self.span(row + 1)).nth(at).map(value)
    }

    /// Returns the list with no other row than this one.
    pub(crate) fn row_alone(&self, row: usize) -> Zeroizing<Vec<u8>> {
        let (header, row) = (self.span(0), self.span(row + 1));
        let mut text = Zeroizing::new(Vec::with_capacity(header.len() + row.len()));
        text.extend_from_slice(header);
        text.extend_from_slice(row);
        text
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

    /// Returns the list with these values in a row, which is counted from 0, and with the
    /// columns that they need. The other values of the row stay as they are.
    pub(crate) fn with_changed(&self, row: usize, values: &RowValues<'_>) -> Zeroizing<Vec<u8>> {
        let needed = values.iter().filter(|(_, value)| !value.is_empty());
        let more = self.missing(needed);
        self.rewritten(&more, room(values), Some((row + 1, values)))
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

    /// Returns the list with more columns, and with other values in one of its lines:
    /// the header is line 0. There is room for `room` more bytes.
    fn rewritten(
        &self,
        more: &[Column],
        room: usize,
        changed: Option<(usize, &RowValues<'_>)>,
    ) -> Zeroizing<Vec<u8>> {
        let size = self.text.len() + (self.starts.len() + 10) * (more.len() + 1) + room + 200;
        let mut text = Zeroizing::new(Vec::with_capacity(size));
        let before = self.starts.first().copied().unwrap_or(0);
        text.extend_from_slice(self.text.get(..before).unwrap_or_default());
        for (at, row) in self.spans().enumerate() {
            // After the last value: blanks, line ends, blank lines.
            let length = row.trim_ascii_end().len();
            let (row, behind) = row.split_at_checked(length).unwrap_or((row, &[]));
            let values = changed.filter(|(changed, _)| *changed == at);
            let behind = match values {
                Some((_, values)) => {
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
                    Some((_, values)) => {
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

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    const ROWS: usize = 4;

    fn text(list: &[u8]) -> String {
        String::from_utf8(list.to_vec()).expect("text")
    }

    fn list(text: &str) -> CsvList {
        CsvList::read(Zeroizing::new(text.as_bytes().to_vec())).expect("a list")
    }

    #[test]
    fn changed_row_keeps_its_other_fields_and_gets_columns() {
        let old = list("\u{feff}\r\nSecret , account\r\n\r\n plain:1 , a \n\nplain:2,bob");
        for (row, values, wanted) in [
            (
                0,
                vec![(Column::Secret, "md5:x"), (Column::Level, "")],
                "\u{feff}\r\nSecret , account\r\n\r\nmd5:x, a\n\nplain:2,bob",
            ),
            (
                1,
                vec![(Column::Level, "7"), (Column::Account, "b\"c")],
                "\u{feff}\r\nSecret , account,level\r\n\r\n plain:1 , a, \n\nplain:2,\"b\"\"c\",7",
            ),
        ] {
            assert_eq!(text(&old.with_changed(row, &values)), wanted);
        }
        assert_eq!(old.value(0, Column::Account).as_deref(), Some("a"));
        assert_eq!(old.value(0, Column::Level), None);
        assert_eq!(old.value(2, Column::Account), None);
    }

    prop_compose! {
        /// A field as people may write it, and its value.
        fn field()(value in "[a-c\",\r\n é]{0,5}", quoted: bool, blanks in " {0,2}") -> String {
            let mut field = Vec::new();
            if quoted || value.contains(['"', ',', '\r', '\n']) {
                return format!("\"{}\"", value.replace('"', "\"\""));
            }
            push_value(&mut field, &value);
            blanks + &text(&field)
        }
    }

    proptest! {
        #[test]
        fn changed_row_has_the_values_and_other_rows_stay(
            rows in prop::collection::vec(prop::array::uniform2(field()), ROWS),
            ends in prop::collection::vec("\r?\n[ \n]{0,2}", ROWS + 1),
            changed in 0..ROWS,
            name in prop::option::of("[a-c\",\r\n é]{0,5}"),
            level in prop::option::of("[0-9]{0,2}"),
        ) {
            let mut old = format!("account,secret,name{}", ends[0]);
            for ((row, end), at) in rows.iter().zip(&ends[1..]).zip(0..) {
                old += &format!("a{at},{},{}{end}", row[0], row[1]);
            }
            // CSV with an empty secret is read; only its row is invalid.
            let old = list(&old);
            prop_assert_eq!(old.rows().len(), ROWS);
            let mut values = Vec::new();
            values.extend(name.as_deref().map(|name| (Column::Name, name)));
            values.extend(level.as_deref().map(|level| (Column::Level, level)));
            let new = list(&text(&old.with_changed(changed, &values)));
            let has_level = level.as_deref().is_some_and(|level| !level.is_empty());
            prop_assert_eq!(new.columns.contains(&Column::Level), has_level);
            for (at, (before, after)) in old.spans().zip(new.spans()).enumerate().skip(1) {
                let at = at - 1;
                let value = |column| new.value(at, column).map(Cow::into_owned);
                if at == changed {
                    let name = name.as_deref().map(|name| name.trim().to_owned());
                    prop_assert_eq!(value(Column::Name), name.or(old.value(at, Column::Name).map(Cow::into_owned)));
                    let level = level.clone().filter(|_| has_level);
                    prop_assert_eq!(value(Column::Level), level);
                } else if has_level {
                    prop_assert_eq!(value(Column::Level), Some(String::new()));
                    let after = text(after);
                    let (row, behind) = after.rsplit_once(',').expect("a column");
                    prop_assert_eq!(text(before), format!("{row}{behind}"));
                } else {
                    prop_assert_eq!(before, after);
                }
                prop_assert_eq!(
                    old.value(at, Column::Secret).map(Cow::into_owned),
                    value(Column::Secret)
                );
            }
            prop_assert_eq!(new.rows().len(), ROWS);
        }

        /// Our own reading of fields agrees with that of the module.
        #[test]
        fn values_are_those_that_the_module_reads(
            rows in prop::collection::vec(prop::array::uniform3(field()), 0..5),
        ) {
            let mut all = "account,secret,name\n".to_owned();
            for row in &rows {
                all += &(row.join(",") + "\n");
            }
            let list = list(&all);
            let mut at = 0;
            let zone = Zone::of_the_machine();
            let mut reader = csv::Reader::new(all.as_bytes(), true, &zone);
            while let Some(row) = reader.next_row().expect("a list") {
                if let Ok(row) = row {
                    let values = [Some(row.account), Some(row.secret), row.name.or(Some(""))];
                    let columns = [Column::Account, Column::Secret, Column::Name];
                    prop_assert_eq!(columns.map(|column| list.value(at, column)), values.map(|value| value.map(Cow::Borrowed)));
                }
                at += 1;
            }
            prop_assert_eq!(at, rows.len());
        }
    }
}
