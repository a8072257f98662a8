//! The form of a PIN in a CSV list: the `secret` of a row,
//! `docs/pin-sets.md`.
//!
//! | form | | checked in | found without its row |
//! |---|---|---|---|
//! | `plain:1234` | the PIN itself | no time | yes |
//! | `md5:` and 32 hexadecimal digits | MD5 | no time | yes |
//! | `hmac-sha256:KEYID:` and 64 | HMAC-SHA256 by a key of the pepper | no time | yes |
//! | `$argon2id$…` | Argon2id, as a PHC string | up to a second | no: each has its own salt |

use subtle::ConstantTimeEq;
use thiserror::Error;
use zeroize::{Zeroize, ZeroizeOnDrop, Zeroizing};

use crate::credential::pepper::{KeyId, Pepper};
use crate::list::format::md5;
use crate::pin::Pin;

mod argon2id;
pub mod generate;
mod view;

use argon2id::Argon2id;
pub use argon2id::{Cost, MAX_LANES, MAX_MEMORY_KIB, MAX_PASSES};
pub(crate) use view::{CostParts, SecretView};

/// What a PIN is checked against. It has no `Debug`, and is wiped when
/// dropped; what it holds stays where it is when it is moved.
pub struct Secret(SecretKind);

enum SecretKind {
    Plain(Zeroizing<Box<[u8]>>),
    Md5(Box<Zeroizing<[u8; 16]>>),
    Hmac(KeyId, Box<Zeroizing<[u8; 32]>>),
    Argon2id(Box<Argon2id>),
}

/// The form of a secret.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
pub enum Form {
    /// The PIN itself.
    Plain,
    /// Its MD5.
    Md5,
    /// Its HMAC-SHA256 by this key.
    Hmac(KeyId),
    /// Its Argon2id hash.
    Argon2id,
}

/// The key by which a secret is found among many: those with the same are the same, if
/// they are not of [`Form::Argon2id`]. It is as secret as they are: it has no
/// `Debug`, and is wiped when dropped.
///
/// Comparing two takes longer the more of them is alike. An index gets close
/// to the one that is asked for by a hash that is seeded at random, and
/// comparing all of it decides.
#[derive(PartialEq, Eq, Hash, ZeroizeOnDrop)]
pub struct IndexKey(SecretKey);

#[derive(PartialEq, Eq, Hash, Zeroize, ZeroizeOnDrop)]
enum SecretKey {
    Plain(Box<[u8]>),
    Md5([u8; 16]),
    Hmac(#[zeroize(skip)] KeyId, [u8; 32]),
}

/// Why a text is not a secret. The message holds nothing of it but the name of
/// another variant of Argon2.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Error)]
pub enum SecretError {
    /// The text begins with the name of no form.
    #[error("the secret must begin with plain:, md5:, hmac-sha256: or $argon2id$")]
    UnknownForm,
    /// Nothing follows `plain:`.
    #[error("there is no PIN behind plain:")]
    Empty,
    /// The PIN has more than [`MAX_DIGITS`](crate::pin::MAX_DIGITS) digits.
    #[error("a PIN has at most 254 keys")]
    TooLong,
    /// The PIN has a character that no telephone keypad has.
    #[error("a PIN has the keys 0 to 9, * and A to D only")]
    NotOnKeypad,
    /// Something else than 32 hexadecimal digits follows `md5:`.
    #[error("behind md5: there must be 32 hexadecimal digits")]
    InvalidMd5,
    /// The MD5 of an empty text, which an empty shell variable leaves behind.
    #[error("the MD5 of nothing")]
    EmptyTextDigest,
    /// Something else than the name of a key, `:` and 64 hexadecimal digits follows
    /// `hmac-sha256:`.
    #[error("behind hmac-sha256: there must be the name of a key, : and 64 hexadecimal digits")]
    InvalidHmac,
    /// Another variant of Argon2 than Argon2id.
    #[error("{0}: of Argon2, only argon2id is supported")]
    UnsupportedVariant(&'static str),
    /// Another version of Argon2 than 19. Without one, the version is 16.
    #[error("Argon2 version {0}: only 19 is supported")]
    UnsupportedVersion(u32),
    /// Not a PHC string of Argon2id with m, t and p, and nothing else.
    #[error(
        "must be $argon2id$v=19$m=…,t=…,p=…$SALT$HASH, with a salt of 8 to \
         48 bytes and a hash of 16 to 64"
    )]
    InvalidPhc,
    /// m, t or p is above its maximum.
    #[error("Argon2id may take m=65536 (64 MiB), t=10 and p=4 at most")]
    TooExpensive,
    /// m, t or p is below the minimum of Argon2.
    #[error("Argon2id takes t=1, p=1 and eight times p for m at least")]
    TooCheap,
}

/// Why digits can't be verified.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Error)]
pub enum VerifyError {
    /// The pepper has no key of this name.
    #[error("the pepper file has no key {0}")]
    MissingKey(KeyId),
    /// There is no memory for Argon2, or it has rejected its parameters.
    #[error("there is no memory for Argon2id")]
    Argon2,
}

impl Secret {
    /// Reads the `secret` of a row; blanks around it are passed over. Digits
    /// of hashes may be in small or capital letters, the rest is as it is
    /// written above.
    ///
    /// # Errors
    ///
    /// It is no secret. Whether the pepper has the key of [`Form::Hmac`] is not
    /// checked: [`Self::form`] names that key.
    pub fn parse(text: &[u8]) -> Result<Self, SecretError> {
        SecretView::parse(text, &mut Zeroizing::default())?.to_secret()
    }

    /// Whether the entry is the PIN, by the keys of the pepper. Takes the same
    /// time wherever the two differ; for how long, [`Self::cost`] says. An empty
    /// entry is nobody's PIN.
    ///
    /// # Errors
    ///
    /// The entry can't be checked; then nobody may be admitted.
    pub fn verify(&self, pin: &Pin, pepper: &Pepper) -> Result<bool, VerifyError> {
        if pin.is_empty() {
            return Ok(false);
        }
        Ok(match &self.0 {
            SecretKind::Plain(right) => pin.is(right),
            SecretKind::Md5(digest) => Zeroizing::new(md5::digest(pin)).ct_eq(&***digest).into(),
            SecretKind::Hmac(id, digest) => sign(*id, pin, pepper)?.ct_eq(&***digest).into(),
            SecretKind::Argon2id(hash) => hash.verify(pin)?,
        })
    }

    /// Its form.
    pub fn form(&self) -> Form {
        match &self.0 {
            SecretKind::Plain(_) => Form::Plain,
            SecretKind::Md5(_) => Form::Md5,
            SecretKind::Hmac(id, _) => Form::Hmac(*id),
            SecretKind::Argon2id(_) => Form::Argon2id,
        }
    }

    /// Returns the cost of [`Self::verify`], if it is slow.
    pub fn cost(&self) -> Option<Cost> {
        match &self.0 {
            SecretKind::Argon2id(hash) => Some(hash.cost()),
            _ => None,
        }
    }
}

impl Form {
    /// Whether [`Secret::verify`] takes long enough, up to a second, that it
    /// must not be done while a lock is held or where others wait.
    pub fn is_slow(self) -> bool {
        matches!(self, Self::Argon2id)
    }

    /// Returns the index key of the secrets of this form that the entry matches, by the
    /// keys of the pepper. Returns `None` if there can be none, because the entry is
    /// empty or the form is slow.
    ///
    /// # Errors
    ///
    /// The pepper has no such key; then nobody may get in.
    pub fn index_key(self, pin: &Pin, pepper: &Pepper) -> Result<Option<IndexKey>, VerifyError> {
        if pin.is_empty() {
            return Ok(None);
        }
        Ok(match self {
            Self::Plain => Some(SecretKey::Plain(pin.as_bytes().into())),
            Self::Md5 => Some(SecretKey::Md5(md5::digest(pin))),
            Self::Hmac(id) => Some(SecretKey::Hmac(id, *sign(id, pin, pepper)?)),
            Self::Argon2id => None,
        }
        .map(IndexKey))
    }
}

fn sign(id: KeyId, pin: &Pin, pepper: &Pepper) -> Result<Zeroizing<[u8; 32]>, VerifyError> {
    let key = pepper.key(id).ok_or(VerifyError::MissingKey(id))?;
    Ok(key.sign(pin))
}

#[cfg(test)]
pub(crate) mod tests;
