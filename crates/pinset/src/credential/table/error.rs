//! Errors of a list of credentials, and of single rows of it.

use std::io;

use thiserror::Error;

use super::{MAX_ACCOUNTS, MAX_ARGON2ID_ROWS};
use crate::credential::secret::SecretError;
use crate::list::format::csv::{Column, CsvError, CsvErrorKind, InvalidValue, ValueError};
use crate::list::LineError;

/// Why a whole list is rejected. The message holds nothing of the list but a caller
/// number.
#[derive(Debug, Error)]
pub enum TableError {
    /// The list can't be read.
    #[error("{0}")]
    Unreadable(io::Error),
    /// The list is invalid in this line, from 1.
    #[error("line {0}: {1}")]
    Invalid(u64, CsvErrorKind),
    /// The rows take more bytes of memory than this limit, more than there is, or
    /// over 4 GiB without the indexes.
    #[error("it takes more memory than max_list_memory allows, {0} bytes")]
    TooLarge(u64),
    /// The row in this line is one over [`MAX_ARGON2ID_ROWS`] for one number, or for
    /// one account.
    #[error(
        "line {0}: there are more than {MAX_ARGON2ID_ROWS} rows with argon2id for its number \
         or its account"
    )]
    TooManyArgon2idRows(u64),
    /// The row in this line has one account over [`MAX_ACCOUNTS`] for this number.
    #[error(
        "line {0}: more than {MAX_ACCOUNTS} accounts have rows for the number {1}: \
         leave their caller empty and use identify = pin or account, or give them \
         different numbers"
    )]
    TooManyAccounts(u64, String),
}

/// A row that admits nobody. The message holds nothing of the list.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Error)]
#[error("line {line}{}: {error}", column_suffix(.column))]
pub struct RowError {
    /// Its line in the list, from 1; of a database, its place among the entries.
    pub line: u64,
    /// The column that is invalid; `None` in a list without columns.
    pub column: Option<Column>,
    /// Why it is invalid.
    pub error: RowErrorKind,
}

/// Why a row is invalid.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Error)]
pub enum RowErrorKind {
    /// A value that its column may not have.
    #[error("{0}")]
    Value(ValueError),
    /// The secret is invalid.
    #[error("{0}")]
    Secret(SecretError),
    /// The caller is not a usable number.
    #[error("not a usable number")]
    InvalidNumber,
    /// A line of a list without columns.
    #[error("{0}")]
    Line(LineError),
}

impl From<CsvError> for TableError {
    fn from(error: CsvError) -> Self {
        match error {
            CsvError::Unreadable(error) => Self::Unreadable(error),
            CsvError::Invalid(line, kind) => Self::Invalid(line, kind),
        }
    }
}

impl From<InvalidValue> for RowError {
    fn from(value: InvalidValue) -> Self {
        Self {
            line: value.line,
            column: Some(value.column),
            error: RowErrorKind::Value(value.error),
        }
    }
}

fn column_suffix(column: &Option<Column>) -> String {
    column.map_or_else(String::new, |column| format!(", {}", column.name()))
}
