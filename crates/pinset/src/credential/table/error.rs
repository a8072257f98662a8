//! What is wrong with a list, or with a row of it.

use std::{fmt, io};

use super::{MAX_ACCOUNTS, MAX_ARGON2ID_ROWS};
use crate::credential::secret;
use crate::list;
use crate::list::format::csv::{self, Column, Flaw};

/// Why nothing of a list counts. The text has nothing of the list but a caller
/// number.
#[derive(Debug)]
pub enum Broken {
    /// It can't be read.
    Unreadable(io::Error),
    /// This is wrong with it, in this line, from 1.
    At(u64, Flaw),
    /// It takes more bytes of memory than this limit, more than there is, or
    /// over 4 GiB for what is no index.
    TooLarge(u64),
    /// The row in this line is one over [`MAX_ARGON2ID_ROWS`] with Argon2id for one
    /// number, or for one account.
    TooManySlow(u64),
    /// The row in this line has one account over [`MAX_ACCOUNTS`] for this number.
    TooManyAccounts(u64, String),
}

/// A row that admits nobody. The text has nothing of the list.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct BrokenRow {
    /// Its line in the list, from 1; of a database, its place among the entries.
    pub line: u64,
    /// The column that is wrong; `None` in a list without columns.
    pub column: Option<Column>,
    /// What is wrong with it.
    pub fault: Fault,
}

/// What is wrong with a row.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Fault {
    /// A value that its column may not have.
    Value(csv::Fault),
    /// What stands for the secret is none.
    Secret(secret::Fault),
    /// A caller that is no usable number.
    NoNumber,
    /// A line of a list without columns.
    Line(list::Fault),
}

impl From<csv::Broken> for Broken {
    fn from(broken: csv::Broken) -> Self {
        match broken {
            csv::Broken::Unreadable(error) => Self::Unreadable(error),
            csv::Broken::At(line, flaw) => Self::At(line, flaw),
        }
    }
}

impl From<csv::BadValue> for BrokenRow {
    fn from(bad: csv::BadValue) -> Self {
        Self {
            line: bad.line,
            column: Some(bad.column),
            fault: Fault::Value(bad.fault),
        }
    }
}

impl fmt::Display for Broken {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Unreadable(error) => write!(f, "{error}"),
            Self::At(line, flaw) => write!(f, "line {line}: {flaw}"),
            Self::TooLarge(limit) => write!(
                f,
                "it takes more memory than max_list_memory allows, {limit} bytes"
            ),
            Self::TooManySlow(line) => write!(
                f,
                "line {line}: there are more than {MAX_ARGON2ID_ROWS} rows with argon2id for its number \
                 or its account"
            ),
            Self::TooManyAccounts(line, number) => write!(
                f,
                "line {line}: more than {MAX_ACCOUNTS} accounts have rows for the number {number}: \
                 leave their caller empty and use identify = pin or account, or give them \
                 different numbers"
            ),
        }
    }
}

impl fmt::Display for BrokenRow {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "line {}", self.line)?;
        if let Some(column) = self.column {
            write!(f, ", {}", column.name())?;
        }
        write!(f, ": {}", self.fault)
    }
}

impl fmt::Display for Fault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Value(fault) => write!(f, "{fault}"),
            Self::Secret(fault) => write!(f, "{fault}"),
            Self::NoNumber => f.write_str("it is no usable number"),
            Self::Line(fault) => write!(f, "{fault}"),
        }
    }
}
