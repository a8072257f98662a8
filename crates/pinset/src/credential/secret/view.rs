//! A secret in as few bytes as it takes, borrowed from a table of rows.

use subtle::ConstantTimeEq;
use zeroize::Zeroizing;

use super::{plain, Argon2id, Form, IndexKey, Secret, SecretKey, SecretKind};
use crate::credential::pepper::KeyId;
use crate::hex;

/// Memory, passes and lanes of an Argon2id hash.
pub(crate) type CostParts = (u32, u32, u32);

/// A secret, borrowed. It has no `Debug`; what it borrows from is wiped.
#[derive(Clone, Copy)]
pub(crate) enum SecretView<'a> {
    /// The PIN.
    Plain(&'a [u8]),
    /// Its MD5.
    Md5(&'a [u8; 16]),
    /// Its HMAC-SHA256 by this key.
    Hmac(KeyId, &'a [u8; 32]),
    /// A PHC string, and what it costs to verify.
    Argon2id(&'a [u8], CostParts),
}

impl Secret {
    /// Returns a view of it; `text` is what it was parsed from.
    pub(crate) fn view<'a>(&'a self, text: &'a [u8]) -> SecretView<'a> {
        match &self.0 {
            SecretKind::Plain(pin) => SecretView::Plain(pin),
            SecretKind::Md5(digest) => SecretView::Md5(digest),
            SecretKind::Hmac(key, digest) => SecretView::Hmac(*key, digest),
            SecretKind::Argon2id(hash) => {
                SecretView::Argon2id(text.trim_ascii(), hash.cost().parts())
            }
        }
    }
}

impl SecretView<'_> {
    /// Its form.
    pub(crate) fn form(&self) -> Form {
        match self {
            Self::Plain(_) => Form::Plain,
            Self::Md5(_) => Form::Md5,
            Self::Hmac(key, _) => Form::Hmac(*key),
            Self::Argon2id(..) => Form::Argon2id,
        }
    }

    /// Returns its cost, if it is slow.
    pub(crate) fn cost(&self) -> Option<CostParts> {
        match self {
            Self::Argon2id(_, cost) => Some(*cost),
            _ => None,
        }
    }

    /// Returns what it is found by among many, as [`IndexKey::bytes`]; `None` if it is
    /// not found.
    pub(crate) fn index_bytes(&self) -> Option<&[u8]> {
        match self {
            Self::Plain(pin) => Some(pin),
            Self::Md5(digest) => Some(*digest),
            Self::Hmac(_, digest) => Some(*digest),
            Self::Argon2id(..) => None,
        }
    }

    /// Returns its text, with small letters in the digits of MD5 and HMAC-SHA256.
    pub(crate) fn text(&self) -> Zeroizing<Vec<u8>> {
        let (prefix, digest) = match self {
            Self::Plain(pin) => return Zeroizing::new([b"plain:", *pin].concat()),
            Self::Argon2id(text, _) => return Zeroizing::new(text.to_vec()),
            Self::Md5(digest) => ("md5:".to_owned(), digest.as_slice()),
            Self::Hmac(key, digest) => (format!("hmac-sha256:{key}:"), digest.as_slice()),
        };
        let mut text = Vec::with_capacity(prefix.len() + 2 * digest.len());
        text.extend_from_slice(prefix.as_bytes());
        text.extend(hex::digits(digest));
        Zeroizing::new(text)
    }

    /// Returns the secret; `None` if it is invalid, which it is in no table.
    pub(crate) fn to_secret(self) -> Option<Secret> {
        Some(Secret(match self {
            Self::Plain(pin) => plain(pin).ok()?,
            Self::Md5(digest) => SecretKind::Md5(Box::new(Zeroizing::new(*digest))),
            Self::Hmac(key, digest) => SecretKind::Hmac(key, Box::new(Zeroizing::new(*digest))),
            Self::Argon2id(text, _) => SecretKind::Argon2id(Box::new(Argon2id::parse(text).ok()?)),
        }))
    }
}

impl IndexKey {
    /// Whether it is the key of this secret. Takes the same time wherever the
    /// two differ.
    pub(crate) fn is_of(&self, secret: SecretView<'_>) -> bool {
        match (&self.0, secret) {
            (SecretKey::Plain(key), SecretView::Plain(pin)) => key.ct_eq(pin).into(),
            (SecretKey::Md5(key), SecretView::Md5(digest)) => key.ct_eq(digest).into(),
            (SecretKey::Hmac(id, key), SecretView::Hmac(of, digest)) => {
                *id == of && bool::from(key.ct_eq(digest))
            }
            _ => false,
        }
    }

    /// Returns what an index hashes: the secret without its form.
    pub(crate) fn bytes(&self) -> &[u8] {
        match &self.0 {
            SecretKey::Plain(pin) => pin,
            SecretKey::Md5(digest) => digest,
            SecretKey::Hmac(_, digest) => digest,
        }
    }
}
