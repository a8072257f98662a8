//! Search for a PIN that a file has already.

use std::fmt;

use pinset::credential::table::Rows;
use pinset::{Pepper, Pin};

use super::warning::Warning;

/// A row that has the PIN of the new one, by its line.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum DuplicatePin {
    /// A row of the same account and, in a CSV file, the same caller number.
    SameRow(u64),
    OtherAccount(u64),
}

impl DuplicatePin {
    /// Returns the line of the row, from 1.
    pub(crate) fn line(self) -> u64 {
        match self {
            Self::SameRow(line) | Self::OtherAccount(line) => line,
        }
    }

    /// Returns a message about the row, which people call by this name.
    pub(crate) fn text(self, row: impl fmt::Display) -> String {
        match self {
            Self::SameRow(_) => format!("{row} has the same PIN already"),
            Self::OtherAccount(_) => format!("{row} has the same PIN for another account"),
        }
    }
}

impl fmt::Display for DuplicatePin {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.text(format_args!("line {}", self.line())))
    }
}

/// The PIN of a new row.
pub(super) struct NewPin<'a> {
    pub pin: &'a Pin,
    pub pepper: &'a Pepper,
    pub account: &'a [u8],
    /// The line of the row that gets the PIN, if it is no new one.
    pub replaced: Option<u64>,
}

impl NewPin<'_> {
    /// Returns a row of a file that has the PIN already. `is_same` returns whether a row
    /// of the account, by its line, has the same caller number.
    ///
    /// Rows whose key the pepper lacks can't be compared: there is a warning for each key.
    /// Argon2id rows of other accounts are not compared.
    pub(super) fn duplicate(
        &self,
        rows: &Rows,
        is_same: impl Fn(u64) -> bool,
        warnings: &mut Vec<Warning>,
    ) -> Option<DuplicatePin> {
        let is_other = |line| self.replaced != Some(line);
        let mut found = rows.by_pin(self.pin, self.pepper);
        warnings.extend(found.missing().iter().map(|id| Warning::MissingKey(*id)));
        let other = found.find(|row| row.account != self.account && is_other(row.line));
        let mut own = rows
            .by_account(self.account)
            .chain(rows.by_pin(self.pin, self.pepper));
        let own = own.find(|row| {
            row.account == self.account
                && is_other(row.line)
                && is_same(row.line)
                && row.secret.verify(self.pin, self.pepper) == Ok(true)
        });
        match (own, other) {
            (Some(own), _) => Some(DuplicatePin::SameRow(own.line)),
            (None, Some(other)) => Some(DuplicatePin::OtherAccount(other.line)),
            _ => None,
        }
    }
}
