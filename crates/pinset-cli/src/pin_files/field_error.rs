//! Invalid value of a column.

use pinset::credential::table::{RowError, RowErrorKind};
use pinset::list::format::csv::Column;
use thiserror::Error;

/// The reason why a row can't have this value. The text does not contain it.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Error)]
#[error("{}: {error}", .column.name())]
pub(crate) struct FieldError {
    pub column: Column,
    pub error: RowErrorKind,
}

impl FieldError {
    /// Returns the invalid value that a row of a CSV file has.
    pub(super) fn of(error: &RowError) -> Self {
        Self {
            // Only files without columns have errors without one.
            column: error.column.unwrap_or(Column::Secret),
            error: error.error,
        }
    }
}
