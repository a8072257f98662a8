//! Reading and writing of CSV (RFC 4180) without copies that stay in memory.

use csv_core::{ReadRecordResult, Reader, ReaderBuilder, Writer};
use thiserror::Error;
use zeroize::Zeroizing;

/// Maximum number of columns of a table.
const MAX_COLUMNS: usize = 64;

/// Appends one value, quoted if necessary.
pub(crate) fn push_value(text: &mut Vec<u8>, value: &str) {
    if !Writer::new().should_quote(value.as_bytes()) {
        text.extend_from_slice(value.as_bytes());
        return;
    }
    let mut quoted = Zeroizing::new(vec![0; 2 * value.len()]);
    let (_, _, written) = csv_core::quote(value.as_bytes(), &mut quoted, b'"', b'"', true);
    text.push(b'"');
    text.extend_from_slice(quoted.get(..written).unwrap_or_default());
    text.push(b'"');
}

/// Appends a row.
pub(crate) fn push_row<'a>(
    text: &mut Vec<u8>,
    values: impl IntoIterator<Item = &'a str>,
    end: &str,
) {
    for (at, value) in values.into_iter().enumerate() {
        if at > 0 {
            text.push(b',');
        }
        push_value(text, value);
    }
    text.extend_from_slice(end.as_bytes());
}

/// A row has more bytes or values than there is room for.
#[derive(Debug, Error)]
#[error("too many values")]
pub(crate) struct RowTooLargeError;

/// Reads a row from the front of `input` into `output`. Returns the number of bytes and
/// of values, whose ends are in `ends`. Returns `None` if there are no more rows.
pub(crate) fn take_row(
    reader: &mut Reader,
    input: &mut &[u8],
    output: &mut [u8],
    ends: &mut [usize],
) -> Result<Option<(usize, usize)>, RowTooLargeError> {
    let (mut length, mut values) = (0, 0);
    loop {
        let room = output.get_mut(length..).unwrap_or_default();
        let places = ends.get_mut(values..).unwrap_or_default();
        let (result, taken, wrote, found) = reader.read_record(input, room, places);
        *input = input.get(taken..).unwrap_or_default();
        length += wrote;
        values += found;
        match result {
            // The next call, with empty input, ends the row.
            ReadRecordResult::InputEmpty => {}
            ReadRecordResult::Record => return Ok(Some((length, values))),
            ReadRecordResult::End => return Ok(None),
            ReadRecordResult::OutputFull | ReadRecordResult::OutputEndsFull => {
                return Err(RowTooLargeError)
            }
        }
    }
}

/// A row that can't be read, by the line that it begins in.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Error)]
pub(crate) enum RowReadError {
    #[error("line {0}: too many values")]
    TooLarge(u64),
    #[error("line {0}: not UTF-8")]
    NotUtf8(u64),
}

/// Calls `look` with the number of the line that each row begins in, and its trimmed
/// values. Blank lines are skipped.
pub(crate) fn rows<E: From<RowReadError>>(
    text: &[u8],
    look: impl FnMut(u64, &[&str]) -> Result<(), E>,
) -> Result<(), E> {
    separated_rows(text, b',', look)
}

/// Returns the table with commas if its first row is separated by semicolons or tabs,
/// as spreadsheets write it. Each row stays in the same line.
pub(crate) fn with_commas(text: &[u8]) -> Result<Option<Zeroizing<Vec<u8>>>, RowReadError> {
    let Some(separator) = other_separator(text) else {
        return Ok(None);
    };
    let mut table = Zeroizing::new(Vec::with_capacity(4 * text.len()));
    let mut next_line = 1;
    separated_rows(text, separator, |line, values| {
        while next_line < line {
            table.push(b'\n');
            next_line += 1;
        }
        let start = table.len();
        push_row(&mut table, values.iter().copied(), "\n");
        let row = table.get(start..).unwrap_or_default();
        next_line += memchr::memchr_iter(b'\n', row).count() as u64;
        Ok::<_, RowReadError>(())
    })?;
    Ok(Some(table))
}

/// Returns the separator of the first row if it contains semicolons or tabs, and no
/// comma, outside quotes.
fn other_separator(text: &[u8]) -> Option<u8> {
    let text = text.strip_prefix(b"\xef\xbb\xbf").unwrap_or(text);
    let first = text
        .trim_ascii_start()
        .split(|byte| *byte == b'\n')
        .next()?;
    let outside = first.split(|byte| *byte == b'"').step_by(2);
    let bytes: Vec<u8> = outside.flatten().copied().collect();
    if bytes.contains(&b',') {
        return None;
    }
    [b';', b'\t'].into_iter().find(|byte| bytes.contains(byte))
}

/// Reads rows as [`rows`] does, with another separator.
fn separated_rows<E: From<RowReadError>>(
    text: &[u8],
    separator: u8,
    mut look: impl FnMut(u64, &[&str]) -> Result<(), E>,
) -> Result<(), E> {
    let mut input = text.strip_prefix(b"\xef\xbb\xbf").unwrap_or(text);
    let mut reader = ReaderBuilder::new().delimiter(separator).build();
    let mut output = Zeroizing::new(vec![0; input.len()]);
    let mut ends = [0; MAX_COLUMNS];
    // The line in which the rest begins, and the rest when it was counted.
    let (mut line, mut counted) = (1, input);
    loop {
        // Line ends before a row belong to no row.
        while let Some(rest) = input.strip_prefix(b"\n").or(input.strip_prefix(b"\r")) {
            input = rest;
        }
        let read = counted.len() - input.len();
        line += memchr::memchr_iter(b'\n', counted.get(..read).unwrap_or_default()).count() as u64;
        counted = input;
        let (length, fields) = match take_row(&mut reader, &mut input, &mut output, &mut ends) {
            Ok(Some(taken)) => taken,
            Ok(None) => return Ok(()),
            Err(RowTooLargeError) => return Err(RowReadError::TooLarge(line).into()),
        };
        let row = std::str::from_utf8(output.get(..length).unwrap_or_default());
        let row = row.map_err(|_| RowReadError::NotUtf8(line))?;
        let ends = ends.get(..fields).unwrap_or_default();
        let starts = std::iter::once(&0).chain(ends);
        let values = starts.zip(ends).map(|(start, end)| row.get(*start..*end));
        let values: Vec<&str> = values
            .map(|value| value.unwrap_or_default().trim())
            .collect();
        if values != [""] {
            look(line, &values)?;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn read(text: &str) -> Vec<(u64, Vec<String>)> {
        let mut all = Vec::new();
        let read = rows(text.as_bytes(), |line, values| {
            all.push((
                line,
                values.iter().map(|value| (*value).to_owned()).collect(),
            ));
            Ok::<_, RowReadError>(())
        });
        read.expect("rows");
        all
    }

    #[test]
    fn rows_are_read_with_line_numbers() {
        let text = "\u{feff}a, b\r\n\r\n\"x\ny\",\"1\"\"2\"\r\n  \nlast,";
        let rows = [(1, ["a", "b"]), (3, ["x\ny", "1\"2"]), (6, ["last", ""])];
        let rows: Vec<_> = rows
            .into_iter()
            .map(|(line, values)| (line, values.map(str::to_owned).to_vec()))
            .collect();
        assert_eq!(read(text), rows);
        assert_eq!(read(""), []);
    }

    #[test]
    fn other_separators_become_commas_in_same_lines() {
        for (text, commas) in [
            (
                "a;b\r\n\r\n\"x;\ny\";1,5\n",
                Some("a,b\n\n\"x;\ny\",\"1,5\"\n"),
            ),
            ("\u{feff}a\tb\nc\t\n", Some("a,b\nc,\n")),
            ("a,b;c\n", None),
            ("\"a;b\"\n1;2\n", None),
            ("", None),
        ] {
            let found = with_commas(text.as_bytes()).expect("a table");
            let found = found.map(|text| String::from_utf8(text.to_vec()).expect("text"));
            assert_eq!(found.as_deref(), commas, "{text:?}");
        }
    }

    proptest! {
        #[test]
        fn written_rows_are_read_back(rows in prop::collection::vec(prop::array::uniform3("[a-c\",\r\n$é ]{0,6}"), 0..5)) {
            let mut text = Vec::new();
            for row in &rows {
                push_row(&mut text, ["x"].into_iter().chain(row.iter().map(String::as_str)), "\r\n");
            }
            let text = String::from_utf8(text).expect("text");
            let found: Vec<Vec<String>> = read(&text).into_iter().map(|row| row.1[1..].to_vec()).collect();
            let trimmed: Vec<Vec<String>> = rows.iter().map(|row| row.iter().map(|v| v.trim().to_owned()).collect()).collect();
            prop_assert_eq!(found, trimmed);
        }
    }
}
