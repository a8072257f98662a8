//! Parsing of one line of a plain or MD5 list.

use std::io::{self, Read};

use super::line_error::LineError;
use super::{lines, md5, plain};

/// The format of the lines of a list.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug)]
pub enum Format {
    /// One PIN a line.
    Plain,
    /// `account:md5` a line.
    Md5,
}

/// One line of a list. It has no `Debug`, as it may hold a PIN.
pub struct Line<'a> {
    /// Its number, from 1.
    pub number: u64,
    /// Its content.
    pub gives: Gives<'a>,
    /// Whether it has a line end.
    pub ended: bool,
}

/// The content of a line.
pub enum Gives<'a> {
    /// Nothing, and rightly so.
    Blank,
    /// A PIN, as the characters of its digits.
    Pin(&'a [u8]),
    /// The PIN that has this MD5, to this account.
    Account(&'a [u8], [u8; 16]),
    /// No PIN to anybody, and the administrator should know.
    Invalid(LineError),
}

/// Calls `look` with each line of a list until it returns something.
///
/// A last line without a line end counts only if `settled`: a writer may be
/// at it, and the first digits of a PIN must not become one.
pub fn read<T>(
    list: impl Read,
    format: Format,
    settled: bool,
    mut look: impl FnMut(Line<'_>) -> Option<T>,
) -> io::Result<Option<T>> {
    lines::find(list, settled, |raw| {
        look(Line {
            number: raw.number,
            gives: Gives::of(raw.text, format),
            ended: raw.ended,
        })
    })
}

impl<'a> Gives<'a> {
    /// Returns the content of a line: its text without the blanks around it, or `None` if
    /// it is too long.
    pub(crate) fn of(text: Option<&'a [u8]>, format: Format) -> Self {
        let Some(text) = text else {
            return Self::Invalid(LineError::TooLong);
        };
        if text.is_empty() {
            return Self::Blank;
        }
        let gives = match format {
            Format::Plain => plain::parse(text).map(Self::Pin),
            Format::Md5 => md5::parse(text).map(|(account, digest)| Self::Account(account, digest)),
        };
        gives.unwrap_or_else(Self::Invalid)
    }
}
