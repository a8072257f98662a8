//! The records of a csv file (RFC 4180), one by one, in bounded memory that is
//! wiped.
//!
//! `csv-core` takes them apart. It takes what no other program would, such as
//! an unclosed quote, so that [`Quotes`] follows it and refuses that.

use std::io::{self, Read};

use csv_core::{ReadRecordResult, Reader};
use zeroize::Zeroizing;

use super::{Column, CsvError, CsvErrorKind};
use crate::list::format::blocks::{fill, BLOCK_BYTES, BYTE_ORDER_MARK};

/// The longest record, without its commas, quotes and line end: far more than any
/// secret, and the most of a list that an unclosed quote can hide.
pub(super) const MAX_RECORD_BYTES: usize = 8 << 10;

/// The records of a list. A byte order mark in front of it is left out, blank
/// lines are passed over.
pub(super) struct Records<R> {
    list: R,
    settled: bool,
    core: Reader,
    quotes: Quotes,
    input: Zeroizing<Vec<u8>>,
    /// The parts of the input that were handed on, and that are filled.
    used: usize,
    filled: usize,
    begun: bool,
    ended: bool,
    /// There was a record.
    has_header: bool,
    fields: Zeroizing<Vec<u8>>,
    ends: [usize; Column::ALL.len() + 1],
}

/// A record that was taken apart.
#[derive(Clone, Copy)]
struct Taken {
    /// Where it is in the input, if it is a line there, and not copied.
    line: Option<usize>,
    length: usize,
    /// The number of its fields.
    fields: usize,
}

/// A record.
pub(super) struct CsvRecord<'a> {
    /// The line it starts in, from 1.
    pub line: u64,
    /// Its fields without their quotes, one after the other.
    text: &'a str,
    ends: &'a [usize],
    /// The bytes between two fields: a comma, or nothing.
    gap: usize,
}

impl<'a> CsvRecord<'a> {
    /// All fields, one after the other, with the blanks around them.
    pub(super) fn text(&self) -> &'a str {
        self.text
    }

    /// The number of fields.
    pub(super) fn len(&self) -> usize {
        self.ends.len()
    }

    /// The fields, without the blanks around them.
    pub(super) fn fields(&self) -> impl Iterator<Item = &'a str> + '_ {
        let (text, gap) = (self.text, self.gap);
        let mut start = 0;
        self.ends.iter().map(move |end| {
            let field = text.get(start..*end).unwrap_or_default();
            start = end + gap;
            field.trim()
        })
    }

    /// Whether it is a line of blanks.
    fn is_blank(&self) -> bool {
        self.len() == 1 && self.text.trim().is_empty()
    }
}

impl<R: Read> Records<R> {
    /// The records of `list`, from where it stands. A last one without a line
    /// end counts only if `settled`: a writer may be at it.
    pub(super) fn new(list: R, settled: bool) -> Self {
        Self::of_size(list, settled, BLOCK_BYTES)
    }

    /// The same in blocks of `size` bytes.
    pub(super) fn of_size(list: R, settled: bool, size: usize) -> Self {
        Self {
            list,
            settled,
            core: Reader::new(),
            quotes: Quotes::new(),
            input: Zeroizing::new(vec![0; size.max(BYTE_ORDER_MARK.len())]),
            used: 0,
            filled: 0,
            begun: false,
            ended: false,
            has_header: false,
            fields: Zeroizing::new(vec![0; MAX_RECORD_BYTES]),
            ends: [0; Column::ALL.len() + 1],
        }
    }

    /// The next record that is not blank; `None` at the end.
    pub(super) fn next_record(&mut self) -> Result<Option<CsvRecord<'_>>, CsvError> {
        loop {
            let Some(taken) = self
                .take_line()
                .map_or_else(|| self.take(), |line| Ok(Some(line)))?
            else {
                return Ok(None);
            };
            if taken.fields > 1 || !self.record(taken)?.is_blank() {
                self.has_header = true;
                return self.record(taken).map(Some);
            }
        }
    }

    /// Takes the next record apart, as [`Self::take`], if it is a whole line without
    /// quotes, as most are: that is several times as fast.
    fn take_line(&mut self) -> Option<Taken> {
        // Byte order mark and header are for the other way.
        if !self.quotes.is_between() || !self.has_header {
            return None;
        }
        let input = self.input.get(self.used..self.filled)?;
        let length = memchr::memchr3(b'\n', b'"', b'\r', input)?;
        let line = input.get(..length).filter(|line| !line.is_empty())?;
        if input.get(length) != Some(&b'\n') || length > MAX_RECORD_BYTES {
            return None;
        }
        let mut fields = 0;
        for end in memchr::memchr_iter(b',', line).chain([length]) {
            *self.ends.get_mut(fields)? = end;
            fields += 1;
        }
        let start = self.used;
        self.used += length + 1;
        self.quotes.pass_line();
        Some(Taken {
            line: Some(start),
            length,
            fields,
        })
    }

    /// Takes the next record apart.
    fn take(&mut self) -> Result<Option<Taken>, CsvError> {
        let (mut length, mut fields) = (0, 0);
        loop {
            while self.used == self.filled && !self.ended {
                self.fill().map_err(CsvError::Unreadable)?;
            }
            let input = self.input.get(self.used..self.filled).unwrap_or_default();
            let text = self.fields.get_mut(length..).unwrap_or_default();
            let ends = self.ends.get_mut(fields..).unwrap_or_default();
            let (result, read, wrote, found) = self.core.read_record(input, text, ends);
            self.quotes.follow(input.get(..read).unwrap_or_default())?;
            self.used += read;
            length += wrote;
            fields += found;
            match result {
                // The next time round there is more, or none to be had.
                ReadRecordResult::InputEmpty => {}
                ReadRecordResult::OutputFull => return Err(self.broken(CsvErrorKind::TooLong)),
                ReadRecordResult::OutputEndsFull => {
                    return Err(self.broken(CsvErrorKind::FieldCount))
                }
                ReadRecordResult::Record if self.quotes.is_between() => {
                    return Ok(Some(Taken {
                        line: None,
                        length,
                        fields,
                    }));
                }
                // The last one, without a line end.
                ReadRecordResult::Record if !self.settled => return Ok(None),
                ReadRecordResult::Record if self.quotes.is_open() => {
                    return Err(self.broken(CsvErrorKind::UnclosedQuote));
                }
                ReadRecordResult::Record => {
                    return Ok(Some(Taken {
                        line: None,
                        length,
                        fields,
                    }));
                }
                ReadRecordResult::End => return Ok(None),
            }
        }
    }

    fn record(&self, taken: Taken) -> Result<CsvRecord<'_>, CsvError> {
        let text = match taken.line {
            Some(start) => self.input.get(start..start + taken.length),
            None => self.fields.get(..taken.length),
        };
        let text = text.unwrap_or_default();
        let ends = self.ends.get(..taken.fields).unwrap_or_default();
        let text = std::str::from_utf8(text)
            .ok()
            .filter(|text| ends.iter().all(|end| text.is_char_boundary(*end)))
            .ok_or_else(|| self.broken(CsvErrorKind::NotUtf8))?;
        let line = self.quotes.record;
        let gap = usize::from(taken.line.is_some());
        Ok(CsvRecord {
            line,
            text,
            ends,
            gap,
        })
    }

    fn broken(&self, kind: CsvErrorKind) -> CsvError {
        CsvError::Invalid(self.quotes.record, kind)
    }

    /// Fills the input, or finds the end of the list.
    fn fill(&mut self) -> io::Result<()> {
        (self.used, self.filled) = (0, 0);
        self.ended = fill(&mut self.list, &mut self.input, &mut self.filled)?;
        let first = !std::mem::replace(&mut self.begun, true);
        if first && self.input.starts_with(BYTE_ORDER_MARK) {
            self.used = BYTE_ORDER_MARK.len();
        }
        Ok(())
    }
}

/// Where in a record the last byte was.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Position {
    /// In front of a record.
    Between,
    /// At the start of a further field.
    Start,
    /// In a field without quotes.
    Bare,
    /// In a field with quotes.
    Quoted,
    /// Behind a quote in a field with quotes: it ends it, or another follows.
    Behind,
}

/// Follows a list byte by byte: counts lines, and sees to it that quotes stand
/// where RFC 4180 has them.
struct Quotes {
    place: Position,
    /// The line it is in, from 1.
    line: u64,
    /// The line the record started in.
    record: u64,
}

impl Quotes {
    fn new() -> Self {
        Self {
            place: Position::Between,
            line: 1,
            record: 1,
        }
    }

    fn follow(&mut self, bytes: &[u8]) -> Result<(), CsvError> {
        for byte in bytes {
            let end = matches!(byte, b'\n' | b'\r');
            if self.place == Position::Between && !end {
                self.record = self.line;
            }
            self.place = match (self.place, byte) {
                (Position::Quoted, b'"') => Position::Behind,
                (Position::Quoted, _) => Position::Quoted,
                (_, b'\n' | b'\r') => Position::Between,
                (_, b',') => Position::Start,
                (Position::Between | Position::Start | Position::Behind, b'"') => Position::Quoted,
                (Position::Bare, b'"') | (Position::Behind, _) => {
                    return Err(CsvError::Invalid(self.line, CsvErrorKind::MisplacedQuote));
                }
                (Position::Between | Position::Start | Position::Bare, _) => Position::Bare,
            };
            self.line += u64::from(*byte == b'\n');
        }
        Ok(())
    }

    /// Passes over a record in one line without quotes, and its line end.
    fn pass_line(&mut self) {
        self.record = self.line;
        self.line += 1;
    }

    /// Whether a record has ended, with its line end.
    fn is_between(&self) -> bool {
        self.place == Position::Between
    }

    /// Whether a quote is not closed.
    fn is_open(&self) -> bool {
        self.place == Position::Quoted
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    type RecordTexts = Vec<(u64, Vec<String>)>;

    fn all(list: &[u8], settled: bool, size: usize) -> Result<RecordTexts, (u64, CsvErrorKind)> {
        let mut records = Records::of_size(list, settled, size);
        let mut rows = Vec::new();
        loop {
            match records.next_record() {
                Ok(Some(record)) => {
                    let fields = record.fields().map(str::to_owned).collect();
                    rows.push((record.line, fields));
                }
                Ok(None) => return Ok(rows),
                Err(CsvError::Invalid(line, kind)) => return Err((line, kind)),
                Err(CsvError::Unreadable(error)) => panic!("{error}"),
            }
        }
    }

    fn row(line: u64, fields: &[&str]) -> (u64, Vec<String>) {
        (
            line,
            fields.iter().map(|field| (*field).to_owned()).collect(),
        )
    }

    #[test]
    fn records_are_taken_apart() {
        let table: &[(&str, RecordTexts)] = &[
            ("", vec![]),
            ("\u{feff}", vec![]),
            ("\n\r\n  \n\t\r\n", vec![]),
            ("a,b\n1,2\n", vec![row(1, &["a", "b"]), row(2, &["1", "2"])]),
            (
                "\u{feff}a,b\r\n1,2\r\n",
                vec![row(1, &["a", "b"]), row(2, &["1", "2"])],
            ),
            ("\u{feff}\"a\",b\n", vec![row(1, &["a", "b"])]),
            (
                "\n\na,b\n \n\n1,2",
                vec![row(3, &["a", "b"]), row(6, &["1", "2"])],
            ),
            (" a , b \n", vec![row(1, &["a", "b"])]),
            ("\"a,b\",\"c\"\"d\"\n", vec![row(1, &["a,b", "c\"d"])]),
            (
                "\"a\nb\r\nc\",d\r\n1,2\n",
                vec![row(1, &["a\nb\r\nc", "d"]), row(4, &["1", "2"])],
            ),
            (",\n", vec![row(1, &["", ""])]),
            ("\"\",\"\"\n", vec![row(1, &["", ""])]),
            ("a,\"b\"", vec![row(1, &["a", "b"])]),
        ];
        for (list, rows) in table {
            for size in [3, 4, 5, 7, BLOCK_BYTES] {
                assert_eq!(
                    all(list.as_bytes(), true, size),
                    Ok(rows.clone()),
                    "{list:?}"
                );
            }
        }
    }

    #[test]
    fn records_that_other_programs_refuse_are_refused() {
        let long = format!("a,b\n\"{}", "x\n".repeat(MAX_RECORD_BYTES));
        let table: &[(&[u8], (u64, CsvErrorKind))] = &[
            (b"a,b\n1,\"2\n3,4\n", (2, CsvErrorKind::UnclosedQuote)),
            (b"a,b\n1,\"", (2, CsvErrorKind::UnclosedQuote)),
            (b"a,b\n1,\"2\"\"", (2, CsvErrorKind::UnclosedQuote)),
            (b"a,b\n\n1,2\"\n", (3, CsvErrorKind::MisplacedQuote)),
            (b"a,b\n1,2\"3\"4\n", (2, CsvErrorKind::MisplacedQuote)),
            (b"a,b\n1, \"2\"\n", (2, CsvErrorKind::MisplacedQuote)),
            (b"a,b\n1,\"2\n3\"4\n", (3, CsvErrorKind::MisplacedQuote)),
            (b"a,b\n1,\"2\" \n", (2, CsvErrorKind::MisplacedQuote)),
            (b"a,b\n1,\xff\n", (2, CsvErrorKind::NotUtf8)),
            (b"a,b\n\xc3,\xa9\n", (2, CsvErrorKind::NotUtf8)),
            (
                b"1,2,3,4,5,6,7,8,9,10,11,12\n",
                (1, CsvErrorKind::FieldCount),
            ),
            (long.as_bytes(), (2, CsvErrorKind::TooLong)),
        ];
        for (list, broken) in table {
            for size in [3, 4, 5, 7, BLOCK_BYTES] {
                let list_shown = list[..list.len().min(40)].escape_ascii();
                assert_eq!(all(list, true, size), Err(*broken), "{list_shown}");
            }
        }
    }

    #[test]
    fn an_unended_record_waits() {
        for tail in ["1,2", "1", "\"1", "1,\"2\n", "1,\"2\"", "1,\u{e9}"] {
            let list = format!("a,b\n{tail}");
            assert_eq!(
                all(list.as_bytes(), false, BLOCK_BYTES),
                Ok(vec![row(1, &["a", "b"])])
            );
        }
        let cut = b"a,b\n1,\xc3";
        assert_eq!(all(cut, false, BLOCK_BYTES), Ok(vec![row(1, &["a", "b"])]));
        assert_eq!(all(cut, true, BLOCK_BYTES), Err((2, CsvErrorKind::NotUtf8)));
    }

    /// The records that the `csv` crate reads.
    fn oracle(list: &[u8]) -> Option<Vec<Vec<String>>> {
        let mut reader = csv::ReaderBuilder::new()
            .has_headers(false)
            .flexible(true)
            .trim(csv::Trim::All)
            .from_reader(list);
        let rows = reader.records().map(|record| {
            let fields = record.ok()?;
            Some(fields.iter().map(str::to_owned).collect())
        });
        let rows: Option<Vec<Vec<String>>> = rows.collect();
        rows.map(|mut rows| {
            rows.retain(|fields| fields.len() != 1 || !fields[0].is_empty());
            rows
        })
    }

    proptest! {
        #[test]
        fn accepted_records_are_read_alike_by_the_csv_crate(
            list in "([ab]{0,2}|\"([ab,\n]|\"\"){0,4}\"|,|,|\n|\r\n| |\"){0,12}",
            size in 3..40_usize,
        ) {
            if let Ok(rows) = all(list.as_bytes(), true, size) {
                let rows: Vec<_> = rows.into_iter().map(|(_, fields)| fields).collect();
                prop_assert_eq!(Some(rows), oracle(list.as_bytes()));
            }
        }

        #[test]
        fn records_of_the_csv_crate_are_read(
            rows in prop::collection::vec(prop::collection::vec("[ab,\"\n\r\u{e9}]{0,6}", 2..9), 0..6),
            size in 3..40_usize,
            crlf: bool,
        ) {
            let end = if crlf { csv::Terminator::CRLF } else { csv::Terminator::Any(b'\n') };
            let mut writer = csv::WriterBuilder::new()
                .terminator(end)
                .flexible(true)
                .from_writer(Vec::new());
            for row in &rows {
                writer.write_record(row).expect("written");
            }
            let list = writer.into_inner().expect("written");
            let read = all(&list, true, size);
            let read = read.map(|rows| rows.into_iter().map(|(_, fields)| fields).collect());
            let trimmed = |row: &Vec<String>| row.iter().map(|f| f.trim().to_owned()).collect();
            let rows: Vec<Vec<String>> = rows.iter().map(trimmed).collect();
            prop_assert_eq!(read, Ok(rows));
        }
    }
}
