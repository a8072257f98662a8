//! What a line of a list gives.

use std::fmt;
use std::io::{self, Read};

use super::{lines, md5, plain};

/// What the lines of a list are.
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
    /// What it gives.
    pub gives: Gives<'a>,
    /// Whether it has a line end.
    pub ended: bool,
}

/// What a line gives.
pub enum Gives<'a> {
    /// Nothing, and rightly so.
    Blank,
    /// A PIN, as the characters of its keys.
    Pin(&'a [u8]),
    /// The PIN that has this MD5, to this account.
    Account(&'a [u8], [u8; 16]),
    /// No PIN to anybody, and the administrator should know.
    Invalid(Fault),
}

/// Why a line gives nobody a PIN. The text says it without the line's own.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Fault {
    /// Longer than a PIN, or than any line may be.
    TooLong,
    /// A NUL in a plain list.
    Nul,
    /// Something else no telephone can key, in a plain list.
    NotKeyable,
    /// No `:` in an md5 list.
    NoColon,
    /// Nothing in front of the `:`.
    NoAccount,
    /// No MD5 behind the first `:`.
    NoDigest,
    /// The MD5 of nothing, which an empty shell variable leaves behind.
    DigestOfNothing,
}

impl fmt::Display for Fault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::TooLong => "it is too long",
            Self::Nul => "it has a NUL in it",
            Self::NotKeyable => "it has a character that no telephone can key",
            Self::NoColon => "it has no account and no ':'",
            Self::NoAccount => "it has no account in front of the ':'",
            Self::NoDigest => "no MD5 stands behind its first ':'",
            Self::DigestOfNothing => "its MD5 is that of nothing",
        })
    }
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
    /// What a line gives: its text without the blanks around it, or `None` if
    /// it is too long.
    pub(crate) fn of(text: Option<&'a [u8]>, format: Format) -> Self {
        let Some(text) = text else {
            return Self::Invalid(Fault::TooLong);
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
