//! Errors of lists with columns: of the whole list, and of single values.

use std::borrow::Cow;
use std::io;

use thiserror::Error;

use super::{records, Column};
use crate::dialplan::MAX_NAME_BYTES;

/// A value that is invalid, so that its row admits nobody. The message does not
/// hold the value.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Error)]
#[error("line {line}, {}: {error}", .column.name())]
pub struct InvalidValue {
    /// The line its row starts in, from 1.
    pub line: u64,
    /// The column it is in.
    pub column: Column,
    /// Why it is invalid.
    pub error: ValueError,
}

/// Why a value is invalid.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Error)]
pub enum ValueError {
    /// An account or a secret is empty.
    #[error("empty")]
    Empty,
    /// The account is longer than [`MAX_NAME_BYTES`].
    #[error("over {MAX_NAME_BYTES} bytes")]
    TooLong,
    /// A control character. Line ends and tabs are allowed in a name.
    #[error("a control character")]
    ControlCharacter,
    /// The value is not a level.
    #[error("must be a whole number from 0 to 255, or nothing")]
    InvalidLevel,
    /// The value is not a date.
    #[error(
        "must be YYYY-MM-DD, or YYYY-MM-DD HH:MM or HH:MM:SS, with Z or +HH:MM behind \
         a time that is not local, or nothing"
    )]
    InvalidDate,
    /// `valid_until` is not after `valid_from`.
    #[error("not after valid_from")]
    NeverValid,
    /// The value is not a number of uses.
    #[error("must be a whole number from 1 to 4294967295, or nothing")]
    InvalidUses,
    /// The value is not the name of a context.
    #[error("must be the name of a context, of at most 79 bytes, without blanks and commas")]
    InvalidContext,
    /// The value is neither `yes` nor `no`.
    #[error("must be yes or no, or nothing")]
    InvalidEnabled,
}

/// Why a whole list is rejected.
#[derive(Debug, Error)]
pub enum CsvError {
    /// The list can't be read.
    #[error("{0}")]
    Unreadable(io::Error),
    /// The list is invalid in this line, from 1.
    #[error("line {0}: {1}")]
    Invalid(u64, CsvErrorKind),
}

/// Why a list is invalid as a whole. The message holds nothing of the list.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Error)]
pub enum CsvErrorKind {
    /// The header names an unknown column: its position, from 1.
    #[error("column {0} of the header is none of {names}", names = column_names())]
    UnknownColumn(usize),
    /// The header is separated by this character instead of commas.
    #[error(
        "the list is separated by {name}, not by commas: pinset convert changes that",
        name = separator_name(*.0)
    )]
    WrongSeparator(char),
    /// The header has this column twice.
    #[error("the header has {} twice", .0.name())]
    DuplicateColumn(Column),
    /// The header does not have this column.
    #[error("the header has no {}", .0.name())]
    MissingColumn(Column),
    /// A row has more or fewer fields than the header.
    #[error("more or fewer fields than the header")]
    FieldCount,
    /// A quote within a field that does not start with one, or text after the
    /// closing quote.
    #[error(
        "a quote is out of place: a field with quotes in it has them around it, and those \
         in it doubled"
    )]
    MisplacedQuote,
    /// The list ends within quotes.
    #[error("a quote is not closed")]
    UnclosedQuote,
    /// The list is not in UTF-8.
    #[error("not in UTF-8")]
    NotUtf8,
    /// A row is longer than the limit.
    #[error("over {} characters", records::MAX_RECORD_BYTES)]
    TooLong,
}

fn column_names() -> String {
    Column::ALL.map(Column::name).join(", ")
}

fn separator_name(separator: char) -> Cow<'static, str> {
    match separator {
        '\t' => Cow::Borrowed("tabs"),
        other => Cow::Owned(other.to_string()),
    }
}
