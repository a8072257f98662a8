//! The subjects of lockouts: caller, account and PIN set.

use std::borrow::Cow;

use crate::config::{Lockout, PinSet};
use crate::escape;
use crate::phone_number::{without_parameters, Numbering};

/// The part of a number or an endpoint that counts. Asterisk's channel names are not
/// longer.
const MAX_NAME_BYTES: usize = 80;

/// The limits of a PIN set, each `None` if nothing of that kind is counted.
#[derive(Clone, Copy, PartialEq, Eq, Default, Debug)]
pub struct Limits {
    /// `lockout_caller`.
    pub caller: Option<Lockout>,
    /// `lockout_account`.
    pub account: Option<Lockout>,
    /// `lockout_pinset`.
    pub pin_set: Option<Lockout>,
}

impl From<&PinSet> for Limits {
    fn from(options: &PinSet) -> Self {
        Self {
            caller: options.lockout_caller,
            account: options.lockout_account,
            pin_set: options.lockout_pinset,
        }
    }
}

/// The caller and PIN set whose entries are counted, and the limits.
#[derive(Clone, Copy, Debug)]
pub struct Subject<'a> {
    /// The PIN set's name. Each counts for itself.
    pub pin_set: &'a str,
    /// Its limits as they are now. A lock that stands is not changed by them.
    pub limits: Limits,
    /// The caller.
    pub caller: &'a Caller,
}

/// A caller by number and endpoint: a forged number at another endpoint is another
/// caller.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Debug)]
pub struct Caller {
    number: Option<String>,
    endpoint: String,
}

impl Caller {
    /// The caller with this number, best normalized, if there is one, on the
    /// channel of that name. Bytes that are no UTF-8 are all the same, and so
    /// is what follows the first 80 bytes of either.
    pub fn new(number: Option<&[u8]>, channel: &str) -> Self {
        let number = number.filter(|number| !number.is_empty()).map(|number| {
            let number = number.get(..MAX_NAME_BYTES).unwrap_or(number);
            short(&String::from_utf8_lossy(number)).to_owned()
        });
        let endpoint = endpoint(channel);
        Self { number, endpoint }
    }

    /// The same, with the number in its one spelling if it is a usable one.
    pub fn normalized(number: Option<&[u8]>, channel: &str, numbering: &Numbering) -> Self {
        let number = number.map(without_parameters);
        let usable = number.and_then(|number| numbering.normalize(number));
        let usable = usable.map(|number| number.to_string());
        Self::new(usable.as_deref().map(str::as_bytes).or(number), channel)
    }

    /// Restores a stored caller. Returns `None` if [`Self::new`] makes no such one.
    pub(super) fn restored(number: Option<String>, endpoint: String) -> Option<Self> {
        let fits = |part: &str| part.len() <= MAX_NAME_BYTES;
        let right = fits(&endpoint) && number.as_deref().is_none_or(|n| fits(n) && !n.is_empty());
        right.then_some(Self { number, endpoint })
    }

    /// The number.
    pub fn number(&self) -> Option<&str> {
        self.number.as_deref()
    }

    /// The endpoint or trunk.
    pub fn endpoint(&self) -> &str {
        &self.endpoint
    }
}

/// Where a channel of this name comes in: `PJSIP/trunk` for
/// `PJSIP/trunk-0000001a`. What a caller can choose of it is left out: the
/// extension of `Local/1091@from-inside-0000001a;2` (`Local/@from-inside`) and
/// the number of `DAHDI/i1/5551234-1a` (`DAHDI/i1`).
pub fn endpoint(channel: &str) -> String {
    let name = channel.rsplit_once('-').map_or(channel, |(name, _)| name);
    let (driver, rest) = name.split_once('/').unwrap_or((name, ""));
    match (driver, rest.rsplit_once('@'), rest.split_once('/')) {
        ("Local", Some((_, context)), _) => short(&format!("Local/@{context}")).to_owned(),
        ("DAHDI", _, Some((span, _))) => short(&format!("DAHDI/{span}")).to_owned(),
        _ => short(name).to_owned(),
    }
}

fn short(text: &str) -> &str {
    let end = (0..=MAX_NAME_BYTES)
        .rev()
        .find(|end| text.is_char_boundary(*end));
    text.get(..end.unwrap_or_default()).unwrap_or_default()
}

/// An account that an entry is verified for.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Account<'a> {
    /// Its name, or the digits entered instead of one.
    pub name: &'a [u8],
    /// Whether it is in the list. One that is not is charged and locked all
    /// the same, so that nobody learns which are, but shown and stored nowhere.
    pub known: bool,
}

/// The name of an account as text: bytes that are not UTF-8 are written as
/// `\xNN`, so that two names are never one.
pub(super) fn account_text(name: &[u8]) -> Cow<'_, str> {
    match std::str::from_utf8(name) {
        Ok(name) => Cow::Borrowed(name),
        Err(_) => Cow::Owned(escape::escape(name)),
    }
}
