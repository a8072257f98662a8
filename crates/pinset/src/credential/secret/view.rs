//! A secret in as few bytes as it takes, borrowed from a table of rows.

use subtle::{Choice, ConstantTimeEq};
use zeroize::Zeroizing;

use super::{Argon2id, Form, IndexKey, Secret, SecretError, SecretKey, SecretKind};
use crate::credential::pepper::KeyId;
use crate::hex;
use crate::list::format::md5;
use crate::pin::{is_key, MAX_DIGITS};

/// The bytes of a word that are compared at once.
const WORD_BYTES: usize = size_of::<u64>();

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

impl<'a> SecretView<'a> {
    /// Reads the `secret` of a row, as [`Secret::parse`], which it borrows from this and
    /// from `digest`.
    pub(crate) fn parse(
        text: &'a [u8],
        digest: &'a mut Zeroizing<[u8; 32]>,
    ) -> Result<Self, SecretError> {
        let text = text.trim_ascii();
        if let Some(pin) = text.strip_prefix(b"plain:") {
            check_pin(pin).map(|()| Self::Plain(pin))
        } else if let Some(digits) = text.strip_prefix(b"md5:") {
            let digest = digest.first_chunk_mut().ok_or(SecretError::InvalidMd5)?;
            *digest = hex::bytes(digits).ok_or(SecretError::InvalidMd5)?;
            if *digest == md5::EMPTY_TEXT_DIGEST {
                return Err(SecretError::EmptyTextDigest);
            }
            Ok(Self::Md5(digest))
        } else if let Some(rest) = text.strip_prefix(b"hmac-sha256:") {
            let key = read_hmac(rest, digest).ok_or(SecretError::InvalidHmac)?;
            Ok(Self::Hmac(key, digest))
        } else if text.starts_with(b"$argon2") {
            let cost = Argon2id::parse(text)?.cost().parts();
            Ok(Self::Argon2id(text, cost))
        } else {
            Err(SecretError::UnknownForm)
        }
    }

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

    /// Returns the secret; an error only if it has another text than it was parsed from.
    pub(crate) fn to_secret(self) -> Result<Secret, SecretError> {
        Ok(Secret(match self {
            Self::Plain(pin) => SecretKind::Plain(Zeroizing::new(pin.into())),
            Self::Md5(digest) => SecretKind::Md5(Box::new(Zeroizing::new(*digest))),
            Self::Hmac(key, digest) => SecretKind::Hmac(key, Box::new(Zeroizing::new(*digest))),
            Self::Argon2id(text, _) => SecretKind::Argon2id(Box::new(Argon2id::parse(text)?)),
        }))
    }
}

fn check_pin(pin: &[u8]) -> Result<(), SecretError> {
    if pin.is_empty() {
        Err(SecretError::Empty)
    } else if pin.len() > MAX_DIGITS {
        Err(SecretError::TooLong)
    } else if pin.iter().all(|key| is_key(*key)) {
        Ok(())
    } else {
        Err(SecretError::NotOnKeypad)
    }
}

/// Reads the digest, and returns the name of its key.
fn read_hmac(text: &[u8], digest: &mut [u8; 32]) -> Option<KeyId> {
    let (id, digits) = text.split_at(memchr::memchr(b':', text)?);
    *digest = hex::bytes(digits.get(1..)?)?;
    KeyId::new(id)
}

impl IndexKey {
    /// Whether it is the key of this secret. Takes the same time wherever the
    /// two differ.
    pub(crate) fn is_of(&self, secret: SecretView<'_>) -> bool {
        match (&self.0, secret) {
            (SecretKey::Plain(key), SecretView::Plain(pin)) => key.ct_eq(pin).into(),
            (SecretKey::Md5(key), SecretView::Md5(digest)) => is_same(key, digest),
            (SecretKey::Hmac(id, key), SecretView::Hmac(of, digest)) => {
                *id == of && is_same(key, digest)
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

/// Whether two digests are the same, in the same time wherever they differ. By words, as
/// a lookup compares some digests and [`ConstantTimeEq`] goes through slices by bytes.
fn is_same<const N: usize>(one: &[u8; N], other: &[u8; N]) -> bool {
    const { assert!(N % WORD_BYTES == 0) };
    let word = |bytes: &[u8]| bytes.try_into().map_or(0, u64::from_ne_bytes);
    let words = |digest| <[u8]>::chunks_exact(digest, WORD_BYTES);
    let pairs = words(one).zip(words(other));
    let same = pairs.fold(Choice::from(1), |same, (one, other)| {
        same & word(one).ct_eq(&word(other))
    });
    same.into()
}
