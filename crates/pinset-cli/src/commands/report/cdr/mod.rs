//! The calls of Asterisk's `Master.csv`, as `cdr_csv` writes it.

use csv_core::Reader;
use pinset::timestamp::{Moment, Zone};

use crate::common::csv::take_row;

/// The longest record that `cdr_csv` writes.
const LONGEST: usize = 1024;

/// The values of a record without and with all the options of `cdr.conf`.
const VALUES: std::ops::RangeInclusive<usize> = 16..=21;

/// The places of values.
const ACCOUNT_CODE: usize = 0;
const SOURCE: usize = 1;
const DESTINATION: usize = 2;
const START: usize = 9;
const ANSWER: usize = 10;
const END: usize = 11;
const DURATION: usize = 12;
const BILLED: usize = 13;
const DISPOSITION: usize = 14;
const UNIQUE_ID: usize = 16;
/// `newcdrcolumns`: peeraccount, linkedid and sequence, behind all others.
const NEW_COLUMNS: usize = 3;

/// A record.
#[derive(Clone, Copy, Debug)]
pub struct Record<'a> {
    pub account_code: &'a [u8],
    pub source: &'a [u8],
    pub destination: &'a [u8],
    pub start: &'a [u8],
    pub answer: &'a [u8],
    pub end: &'a [u8],
    pub disposition: &'a [u8],
    /// `start`, in seconds since 1970.
    pub began: i64,
    /// `answer`, in seconds since 1970, if there is one.
    pub answered: Option<i64>,
    /// Seconds from start to end.
    pub duration: u64,
    /// Seconds from answer to end.
    pub billed: u64,
    /// With `loguniqueid`; without it and with `loguserfield`, the user field
    /// is taken for it.
    pub unique_id: Option<&'a [u8]>,
    /// With `newcdrcolumns`.
    pub linked_id: Option<&'a [u8]>,
}

/// Why a line is no record.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Fault {
    TooLong,
    Values,
    Start,
    Seconds,
}

impl Fault {
    pub fn text(self) -> &'static str {
        match self {
            Self::TooLong => "it is longer than Asterisk writes records",
            Self::Values => "it has not the values of a record",
            Self::Start => "its start is no time",
            Self::Seconds => "its duration or its billed time is no number of seconds",
        }
    }
}

/// Reads records.
pub struct Parser {
    reader: Reader,
    values: [u8; LONGEST],
    ends: [usize; *VALUES.end() + 1],
    zone: Zone,
}

impl Parser {
    /// `zone` is that of the times.
    pub fn new(zone: Zone) -> Self {
        Self {
            reader: Reader::new(),
            values: [0; LONGEST],
            ends: [0; *VALUES.end() + 1],
            zone,
        }
    }

    /// Reads a record, given without its line end.
    pub fn read(&mut self, record: &[u8]) -> Result<Record<'_>, Fault> {
        if record.len() > LONGEST {
            return Err(Fault::TooLong);
        }
        self.reader.reset();
        let mut rest = record;
        let taken = take_row(
            &mut self.reader,
            &mut rest,
            &mut self.values,
            &mut self.ends,
        );
        let count = match taken {
            Ok(Some((_, count))) if rest.is_empty() && VALUES.contains(&count) => count,
            _ => return Err(Fault::Values),
        };
        let value = |at: usize| {
            let start = at.checked_sub(1).map_or(Some(&0), |at| self.ends.get(at));
            let range = start.zip(self.ends.get(at).filter(|_| at < count));
            range.and_then(|(start, end)| self.values.get(*start..*end))
        };
        let text = |at| value(at).unwrap_or_default();
        let start = std::str::from_utf8(text(START)).map_err(|_| Fault::Start)?;
        let began = Moment::from_which(start, &self.zone).ok_or(Fault::Start)?;
        let seconds = |at| {
            let seconds = std::str::from_utf8(text(at)).ok();
            seconds
                .and_then(|text| text.parse().ok())
                .ok_or(Fault::Seconds)
        };
        let answer = std::str::from_utf8(text(ANSWER)).unwrap_or_default();
        let new_columns = count >= UNIQUE_ID + NEW_COLUMNS;
        let old = if new_columns {
            count - NEW_COLUMNS
        } else {
            count
        };
        Ok(Record {
            account_code: text(ACCOUNT_CODE),
            source: text(SOURCE),
            destination: text(DESTINATION),
            start: text(START),
            answer: text(ANSWER),
            end: text(END),
            disposition: text(DISPOSITION),
            began: began.seconds(),
            answered: Moment::from_which(answer, &self.zone).map(Moment::seconds),
            duration: seconds(DURATION)?,
            billed: seconds(BILLED)?,
            unique_id: value(UNIQUE_ID).filter(|_| old > UNIQUE_ID),
            linked_id: value(old + 1).filter(|_| new_columns),
        })
    }
}

/// Records, made up of lines: a value may have line ends in it. A record that
/// was cut off costs itself only, not those behind it.
pub struct Records<F> {
    parser: Parser,
    /// Lines that have begun a record, and the number of the first.
    held: Vec<u8>,
    held_at: u64,
    look: F,
}

impl<E, F: FnMut(u64, Result<Record<'_>, Fault>) -> Result<(), E>> Records<F> {
    /// Calls `look` with the line that each record begins in.
    pub fn new(parser: Parser, look: F) -> Self {
        Self {
            parser,
            held: Vec::new(),
            held_at: 0,
            look,
        }
    }

    /// The next line, without its end.
    pub fn line(&mut self, number: u64, line: &[u8]) -> Result<(), E> {
        if self.held.is_empty() {
            if line.is_empty() {
                return Ok(());
            }
            if is_closed(line) || line.len() > LONGEST {
                return (self.look)(number, self.parser.read(line));
            }
            self.held_at = number;
        } else {
            self.held.push(b'\n');
        }
        // More than a record has is not needed to see that it is none.
        self.held.extend(line.iter().take(LONGEST + 1));
        if is_closed(&self.held) {
            if let Ok(record) = self.parser.read(&self.held) {
                (self.look)(self.held_at, Ok(record))?;
                self.held.clear();
                return Ok(());
            }
        } else if self.held.len() <= LONGEST {
            return Ok(());
        }
        self.give_up()
    }

    /// Whether a record has begun and not ended.
    pub fn is_open(&self) -> bool {
        !self.held.is_empty()
    }

    /// There are no more lines.
    pub fn end(&mut self) -> Result<(), E> {
        while self.is_open() {
            self.give_up()?;
        }
        Ok(())
    }

    /// The first of the lines held is no record's; the others may be.
    fn give_up(&mut self) -> Result<(), E> {
        let held = std::mem::take(&mut self.held);
        let first = self.held_at;
        (self.look)(first, Err(Fault::Values))?;
        let lines = held.split(|byte| *byte == b'\n');
        for (line, number) in lines.zip(first..).skip(1) {
            self.line(number, line)?;
        }
        Ok(())
    }
}

/// Whether every quote is closed.
fn is_closed(text: &[u8]) -> bool {
    memchr::memchr_iter(b'"', text).count() % 2 == 0
}

#[cfg(test)]
mod tests;
