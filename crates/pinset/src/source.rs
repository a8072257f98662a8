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
pub trait PinSource<H> {
    /// Judges one entry; an empty one is never right. What takes long looks
    /// after the caller on `host` meanwhile. `None`: the caller is gone.
    fn judge(&mut self, host: &mut H, pin: &Pin) -> Option<Verdict>;
}

/// The password stands in the dialplan.
pub struct Literal(pub Zeroizing<Vec<u8>>);

impl<H> PinSource<H> for Literal {
    fn judge(&mut self, _: &mut H, pin: &Pin) -> Option<Verdict> {
        Some(if pin.is(&self.0) {
            Verdict::Right { account: None }
        } else {
            Verdict::Wrong
        })
    }
}

/// Nothing is ever right, for a call that is refused from the start.
pub struct Nobody;

impl<H> PinSource<H> for Nobody {
    fn judge(&mut self, _: &mut H, _: &Pin) -> Option<Verdict> {
        Some(Verdict::Unavailable)
    }
}
