//! Counts over the rows of a list, by which it shows that a PIN set admits nobody.

use super::Rows;
use crate::phone_number::{Number, Numbering};
use crate::pin::Pin;

/// Counts over the rows of a list.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub struct Profile {
    /// All rows, broken ones left out.
    pub rows: u64,
    /// The rows with a caller number.
    pub numbers: u64,
    /// Those of them whose number begins with `country_code`.
    pub domestic: u64,
    /// The rows whose account can be entered on a telephone.
    pub enterable: u64,
}

impl Profile {
    /// Adds a row.
    pub(super) fn add(&mut self, account: &[u8], number: Option<&Number>) {
        self.rows += 1;
        self.numbers += u64::from(number.is_some());
        let enterable = !account.is_empty() && Pin::parse(account).is_some();
        self.enterable += u64::from(enterable);
    }

    /// Notes the number of a row.
    pub(super) fn note_number(&mut self, number: &Number, numbering: &Numbering) {
        self.domestic += u64::from(numbering.is_domestic(number));
    }
}

impl Rows {
    /// Returns the counts over all rows.
    pub fn profile(&self) -> Profile {
        self.profile
    }
}
