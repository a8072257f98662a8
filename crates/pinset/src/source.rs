//! What an entry is judged by.

use zeroize::Zeroizing;

use crate::pin::Pin;

/// What a source says of an entry.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum Verdict {
    /// It is a PIN; with `m`, the account it belongs to.
    Right {
        /// Whose PIN it is, where the list says so.
        account: Option<Vec<u8>>,
    },
    /// It is not.
    Wrong,
    /// The list can't be read: nobody gets in, and the log says why.
    Unavailable,
}

/// Where PINs come from: a literal, a file, a family of the database.
pub trait PinSource {
    /// Judges one entry. An empty entry is never right.
    fn judge(&mut self, pin: &Pin) -> Verdict;
}

/// The password stands in the dialplan.
pub struct Literal(pub Zeroizing<Vec<u8>>);

impl PinSource for Literal {
    fn judge(&mut self, pin: &Pin) -> Verdict {
        if pin.is(&self.0) {
            Verdict::Right { account: None }
        } else {
            Verdict::Wrong
        }
    }
}

/// Nothing is ever right, for a call that is refused from the start.
pub struct Nobody;

impl PinSource for Nobody {
    fn judge(&mut self, _: &Pin) -> Verdict {
        Verdict::Unavailable
    }
}
