//! Parser of Asterisk's `Master.csv`, as `cdr_csv` writes it.

use csv_core::Reader;
use pinset::timestamp::{Moment, Zone};
use thiserror::Error;

use crate::common::csv::take_row;

/// Maximum length of a record that `cdr_csv` writes.
const MAX_RECORD_BYTES: usize = 1024;

/// Maximum number of values of a record, with all options of `cdr.conf`.
const MAX_VALUES: usize = 21;

/// A record of a channel.
#[derive(Clone, Copy, Debug)]
pub(super) struct Record<'a> {
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
    /// With `loguniqueid`. Without that, but with `loguserfield`, this is the user field.
    pub unique_id: Option<&'a [u8]>,
    /// With `newcdrcolumns`.
    pub linked_id: Option<&'a [u8]>,
}

/// Returns the id by which the records of a call are grouped; it is empty if there is none.
/// `channel` is the one that authenticated, if it is in the log.
pub(super) fn call_id<'a>(
    channel: Option<&'a [u8]>,
    unique_id: Option<&'a [u8]>,
    linked_id: Option<&'a [u8]>,
) -> &'a [u8] {
    channel.or(linked_id).or(unique_id).unwrap_or_default()
}

impl Record<'_> {
    /// Returns whether it has an id by which it can be looked up in the log.
    pub(super) fn has_id(&self) -> bool {
        self.linked_id.is_some() || self.unique_id.is_some()
    }
}

/// The reason why a line is not a record.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Error)]
pub(super) enum CdrError {
    #[error("longer than any record that Asterisk writes")]
    TooLong,
    #[error("not the number of values that a record has")]
    RowValues,
    #[error("invalid start time")]
    Start,
    #[error("invalid duration or billed time")]
    Seconds,
}

/// Parser of single records.
pub(super) struct Parser {
    reader: Reader,
    values: [u8; MAX_RECORD_BYTES],
    ends: [usize; MAX_VALUES + 1],
    zone: Zone,
}

impl Parser {
    /// Creates a parser. `zone` is the time zone of the records.
    pub(super) fn new(zone: Zone) -> Self {
        Self {
            reader: Reader::new(),
            values: [0; MAX_RECORD_BYTES],
            ends: [0; MAX_VALUES + 1],
            zone,
        }
    }

    /// Parses a record without its line end.
    pub(super) fn read(&mut self, record: &[u8]) -> Result<Record<'_>, CdrError> {
        if record.len() > MAX_RECORD_BYTES {
            return Err(CdrError::TooLong);
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
            Ok(Some((_, count))) if rest.is_empty() && count <= MAX_VALUES => count,
            _ => return Err(CdrError::RowValues),
        };
        let mut fields: [&[u8]; MAX_VALUES] = [&[]; MAX_VALUES];
        let mut start = 0;
        for (field, end) in fields.iter_mut().zip(&self.ends).take(count) {
            *field = self.values.get(start..*end).unwrap_or_default();
            start = *end;
        }
        let fields = fields.get(..count).unwrap_or_default();
        let &[account_code, source, destination, _context, _caller_id, _channel, _other_channel, _application, _data, start, answer, end, duration, billed, disposition, _ama_flags, ref more @ ..] =
            fields
        else {
            return Err(CdrError::RowValues);
        };
        // With `newcdrcolumns`, these three come last.
        let (older, linked_id) = match more {
            [older @ .., _peer_account, linked_id, _sequence] => (older, Some(*linked_id)),
            older => (older, None),
        };
        let began = self.moment(start).ok_or(CdrError::Start)?;
        Ok(Record {
            account_code,
            source,
            destination,
            start,
            answer,
            end,
            disposition,
            began,
            answered: self.moment(answer),
            duration: seconds(duration).ok_or(CdrError::Seconds)?,
            billed: seconds(billed).ok_or(CdrError::Seconds)?,
            unique_id: older.first().copied(),
            linked_id,
        })
    }

    /// Returns a time of the CDR in seconds since 1970.
    fn moment(&self, text: &[u8]) -> Option<i64> {
        let text = std::str::from_utf8(text).ok()?;
        Moment::from_which(text, &self.zone).map(Moment::seconds)
    }
}

fn seconds(text: &[u8]) -> Option<u64> {
    std::str::from_utf8(text).ok()?.parse().ok()
}

/// Assembly of records from lines, because a value may contain line ends. A truncated
/// record does not affect those after it.
pub(super) struct Records<F> {
    parser: Parser,
    /// The lines of an incomplete record, and the number of the first.
    held: Vec<u8>,
    held_at: u64,
    look: F,
}

impl<E, F: FnMut(u64, Result<Record<'_>, CdrError>) -> Result<(), E>> Records<F> {
    /// Calls `look` with each record and the number of its first line.
    pub(super) fn new(parser: Parser, look: F) -> Self {
        Self {
            parser,
            held: Vec::new(),
            held_at: 0,
            look,
        }
    }

    /// Takes the next line, without its line end.
    pub(super) fn line(&mut self, number: u64, line: &[u8]) -> Result<(), E> {
        if self.held.is_empty() {
            if line.is_empty() {
                return Ok(());
            }
            if is_closed(line) || line.len() > MAX_RECORD_BYTES {
                return (self.look)(number, self.parser.read(line));
            }
            self.held_at = number;
        } else {
            self.held.push(b'\n');
        }
        // Longer lines need not be kept: they can't be records.
        self.held.extend(line.iter().take(MAX_RECORD_BYTES + 1));
        if is_closed(&self.held) {
            if let Ok(record) = self.parser.read(&self.held) {
                (self.look)(self.held_at, Ok(record))?;
                self.held.clear();
                return Ok(());
            }
        } else if self.held.len() <= MAX_RECORD_BYTES {
            return Ok(());
        }
        self.give_up()
    }

    /// Returns whether a record is incomplete.
    pub(super) fn is_open(&self) -> bool {
        !self.held.is_empty()
    }

    /// Returns the number of the line in which an incomplete record begins.
    pub(super) fn open_at(&self) -> Option<u64> {
        self.is_open().then_some(self.held_at)
    }

    /// Ends the input.
    pub(super) fn end(&mut self) -> Result<(), E> {
        while self.is_open() {
            self.give_up()?;
        }
        Ok(())
    }

    /// Rejects the first of the held lines, and parses the others again.
    fn give_up(&mut self) -> Result<(), E> {
        let held = std::mem::take(&mut self.held);
        let first = self.held_at;
        (self.look)(first, Err(CdrError::RowValues))?;
        let lines = held.split(|byte| *byte == b'\n');
        for (line, number) in lines.zip(first..).skip(1) {
            self.line(number, line)?;
        }
        Ok(())
    }
}

/// Returns whether every quote is closed.
fn is_closed(text: &[u8]) -> bool {
    memchr::memchr_iter(b'"', text).count() % 2 == 0
}

#[cfg(test)]
mod tests;
