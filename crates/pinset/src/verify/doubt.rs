//! Doubts whether a PIN set can admit its callers, by what its list holds.
//!
//! Unlike [`PinSet::objection`], a doubt refuses no call: the next version of the
//! list may be right. It is shown at load, at reload, by the commands that show PIN
//! sets and by those that check lists.

use std::fmt;

use crate::config::{Identify, NoCaller, PinSet};
use crate::credential::table::Profile;
use crate::phone_number::Numbering;

/// Why nobody, or not everybody, can be admitted.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum Doubt {
    /// Rows are found by the caller number, and none has one.
    NoNumbers {
        /// Whether a caller without a number is asked for an account.
        asks_account: bool,
    },
    /// Rows are found by the account, and none has an account of digits.
    NoEnterableAccounts,
    /// Some accounts can't be entered on a telephone.
    UnenterableAccounts(u64),
    /// No number of a row begins with the country code.
    ForeignNumbers(String),
}

impl Doubt {
    /// Whether nobody can be admitted.
    pub fn is_fatal(&self) -> bool {
        match self {
            Self::NoNumbers { asks_account } => !asks_account,
            Self::NoEnterableAccounts => true,
            Self::UnenterableAccounts(_) | Self::ForeignNumbers(_) => false,
        }
    }

    /// The option that it is about.
    pub fn option(&self) -> &'static str {
        match self {
            Self::ForeignNumbers(_) => "country_code",
            _ => "identify",
        }
    }
}

impl fmt::Display for Doubt {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::NoNumbers { asks_account } => write!(
                f,
                "rows are found by caller number, but no row has a value in a column 'caller'{}",
                match asks_account {
                    true => ": only callers without a number can be admitted",
                    false => ": nobody can be admitted",
                }
            ),
            Self::NoEnterableAccounts => f.write_str(
                "callers enter their account, but no row has an account of digits: nobody can be \
                 admitted",
            ),
            Self::UnenterableAccounts(1) => f.write_str(
                "callers enter their account, but 1 row has one that is not made of digits",
            ),
            Self::UnenterableAccounts(rows) => write!(
                f,
                "callers enter their account, but {rows} rows have one that is not made of digits"
            ),
            Self::ForeignNumbers(code) => write!(
                f,
                "no caller number in the list begins with country_code = {code}: a caller in the \
                 national format finds no row"
            ),
        }
    }
}

impl PinSet {
    /// Returns the doubts whether this PIN set can admit its callers, by a list with
    /// these rows, read by these rules of numbers.
    pub fn doubts(&self, rows: &Profile, numbering: &Numbering) -> Vec<Doubt> {
        let mut doubts = Vec::new();
        if rows.rows == 0 {
            return doubts;
        }
        let by_number = self.identify == Identify::Caller;
        let asks_account = match self.identify {
            Identify::Pin => false,
            Identify::Account => true,
            Identify::Caller => self.no_caller == NoCaller::AskAccount,
        };
        if by_number && rows.numbers == 0 {
            doubts.push(Doubt::NoNumbers { asks_account });
        }
        let unenterable = rows.rows - rows.enterable;
        // Rows of other callers need no account of digits.
        if self.identify == Identify::Account && rows.enterable == 0 {
            doubts.push(Doubt::NoEnterableAccounts);
        } else if asks_account && unenterable > 0 {
            doubts.push(Doubt::UnenterableAccounts(unenterable));
        }
        if by_number && rows.numbers > 0 && rows.domestic == 0 {
            let code = numbering.country_code().map(str::to_owned);
            doubts.extend(code.map(Doubt::ForeignNumbers));
        }
        doubts
    }
}
