//! Operations on PIN files: from a text and typed values to a new text, for commands and
//! web pages. Nothing here reads arguments, prints, or saves a file.

pub(crate) mod add;
pub(crate) mod change;
pub(crate) mod check;
mod duplicates;
mod field_error;
pub(crate) mod generate;
pub(crate) mod import;
pub(crate) mod remove;
pub(crate) mod tags;
pub(crate) mod verify;
mod warning;

pub(crate) use duplicates::DuplicatePin;
pub(crate) use field_error::FieldError;
pub(crate) use warning::Warning;

use pinset::Numbering;
use zeroize::Zeroizing;

use crate::common::csv_list::CsvList;
use crate::common::secret_maker::SecretMaker;

/// What the values and secrets of new rows depend on.
pub(crate) struct RowRules<'a> {
    pub numbering: &'a Numbering,
    pub maker: &'a SecretMaker,
    /// Whether a PIN of another account is accepted.
    pub shared_pins: bool,
}

impl RowRules<'_> {
    /// Returns the duplicate unless these rules accept it.
    fn refused(&self, duplicate: Option<DuplicatePin>) -> Option<DuplicatePin> {
        duplicate.filter(|found| match found {
            DuplicatePin::SameRow(_) => true,
            DuplicatePin::OtherAccount(_) => !self.shared_pins,
        })
    }
}

/// The result of adding or changing a row.
pub(crate) struct Edited {
    /// The new text of the file, or the reason why it stays unchanged.
    pub result: Result<Zeroizing<Vec<u8>>, DuplicatePin>,
    pub warnings: Vec<Warning>,
}

/// The result of adding or changing a row of a CSV file.
pub(crate) struct EditedRow {
    pub edited: Edited,
    /// A list with no other row than the new one.
    pub row: CsvList,
}
