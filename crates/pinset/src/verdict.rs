//! Entries, verdicts on them, and sources of PINs.

use zeroize::Zeroizing;

use crate::pin::Pin;

/// The digits that a caller has entered, to be verified.
#[derive(Clone, Copy)]
pub struct Entry<'a> {
    /// The account number, where one was asked for.
    pub account: Option<&'a Pin>,
    /// The PIN.
    pub pin: &'a Pin,
}

/// The values of the row of a right PIN.
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
    /// Makes a grant of a list that has nothing but accounts.
    pub fn of(account: Option<Vec<u8>>) -> Self {
        Self {
            account,
            ..Self::default()
        }
    }
}

/// The answer of a source of PINs to an entry.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum Verdict {
    /// It is a PIN, and admits.
    Right(Grant),
    /// It is a PIN, but outside its dates, times or uses.
    Expired,
    /// It is not a PIN, or one that does not admit here.
    Wrong,
    /// Locked out, so the dialog ends: this wrong entry was one too many, or the entry
    /// was not verified because of earlier ones.
    Locked {
        /// Whether it was verified.
        verified: bool,
    },
    /// The list can't be read, so no caller is admitted; the log has the reason.
    Unavailable,
}

/// A source of PINs: a literal, a file, a family of the database, or a PIN set.
pub trait PinSource<H> {
    /// Verifies one entry. An empty PIN is never right. Slow verification services the
    /// caller on `host` meanwhile. Returns `None` if the caller has hung up.
    fn verify(&mut self, host: &mut H, entry: Entry<'_>) -> Option<Verdict>;
}

/// A PIN in the dialplan.
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

/// A source without any PIN, for a call that is refused from the start.
pub struct DenyAll;

impl<H> PinSource<H> for DenyAll {
    fn verify(&mut self, _: &mut H, _: Entry<'_>) -> Option<Verdict> {
        Some(Verdict::Unavailable)
    }
}
