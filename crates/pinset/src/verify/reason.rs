//! Reasons why an attempt does not admit the caller, for the administrator.

use std::fmt;

use crate::phone_number::Number;
use crate::verify::admission::Denial;

/// The way in which the rows that may be the caller's are found.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Searched {
    /// By the PIN alone.
    Pin,
    /// By the caller number, as it is compared.
    Caller(Number),
    /// By the account number that the caller enters.
    Account,
}

/// Why an attempt does not admit the caller. It never holds a digit that the
/// caller has entered.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Reason {
    /// The attempt has fewer digits than `min_digits`.
    TooShort(usize),
    /// The attempt has more digits than `max_digits`, or isn't made of digits.
    NotEnterable(usize),
    /// There is no usable caller number.
    NoNumber,
    /// No row has the number or the account.
    NoRow(Searched),
    /// None of the rows has the PIN.
    WrongPin(Searched),
    /// The PIN is right, but does not admit.
    Denied(Denial),
}

impl fmt::Display for Reason {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::TooShort(least) => write!(f, "fewer digits than min_digits = {least}"),
            Self::NotEnterable(most) => {
                write!(f, "not a PIN of at most max_digits = {most} digits")
            }
            Self::NoNumber => f.write_str("no usable caller number"),
            Self::NoRow(Searched::Pin) | Self::WrongPin(Searched::Pin) => {
                f.write_str("no row with the PIN entered")
            }
            Self::NoRow(Searched::Caller(number)) => write!(f, "no row for {number}"),
            Self::NoRow(Searched::Account) => f.write_str("no row for the account entered"),
            Self::WrongPin(Searched::Caller(number)) => write!(f, "wrong PIN for {number}"),
            Self::WrongPin(Searched::Account) => f.write_str("wrong PIN for the account entered"),
            Self::Denied(denial) => denial.fmt(f),
        }
    }
}
