//! What an entry is verified by.

use zeroize::Zeroizing;

use crate::pin::Pin;

/// What a caller has keyed, to be verified.
#[derive(Clone, Copy)]
pub struct Entry<'a> {
    /// The account number, where one was asked for.
    pub account: Option<&'a Pin>,
    /// The PIN.
    pub pin: &'a Pin,
}

/// Whose PIN it is, as far as the list says.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub struct Grant {
    /// The account.
    pub account: Option<Vec<u8>>,
    /// The level; lists without levels have none.
    pub level: Option<u8>,
    /// Takes the place of the context of `on_success`.
    pub context: Option<String>,
}

impl Grant {
    /// Of a list that has at most accounts.
    pub fn of(account: Option<Vec<u8>>) -> Self {
        Self {
            account,
            ..Self::default()
        }
    }
}

/// What a source says of an entry.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum Verdict {
    /// It is a PIN, and admits.
    Right(Grant),
    /// It is a PIN that does not admit now, or no more: outside its dates,
    /// times or uses.
    Expired,
    /// It is not, or does not admit here.
    Wrong,
    /// No more is asked: it is one wrong entry too many, or it was not verified,
    /// for there were too many before.
    Locked {
        /// Whether it was verified.
        verified: bool,
    },
    /// The list can't be read: nobody gets in, and the log says why.
    Unavailable,
}

/// Where PINs come from: a literal, a file, a family of the database, a PIN
/// set.
pub trait PinSource<H> {
    /// Verifies one entry; an empty PIN is never right. What takes long looks
    /// after the caller on `host` meanwhile. `None`: the caller is gone.
    fn verify(&mut self, host: &mut H, entry: Entry<'_>) -> Option<Verdict>;
}

/// The password stands in the dialplan.
pub struct Literal(pub Zeroizing<Vec<u8>>);

impl<H> PinSource<H> for Literal {
    fn verify(&mut self, _: &mut H, entry: Entry<'_>) -> Option<Verdict> {
        Some(if entry.pin.is(&self.0) {
            Verdict::Right(Grant::default())
        } else {
            Verdict::Wrong
        })
    }
}

/// Nothing is ever right, for a call that is refused from the start.
pub struct DenyAll;

impl<H> PinSource<H> for DenyAll {
    fn verify(&mut self, _: &mut H, _: Entry<'_>) -> Option<Verdict> {
        Some(Verdict::Unavailable)
    }
}
