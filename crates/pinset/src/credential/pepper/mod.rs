//! The pepper: keys that PINs are hashed with, in a file apart from the list,
//! so that a list that gets out does not give its PINs away.

use std::fmt;

use hmac::{Hmac, Mac};
use sha2::Sha256;
use thiserror::Error;
use zeroize::{Zeroize, ZeroizeOnDrop, Zeroizing};

use crate::hex;
use crate::pin::Pin;

mod permissions;

pub use permissions::{Identity, PermissionsError, Rights};

/// The most characters in the name of a key.
pub const MAX_KEY_ID_BYTES: usize = 32;

/// The prefix that is hashed before the PIN, so that no MAC made with the same key
/// for another purpose, or by another version, is one of a PIN.
const PURPOSE: &[u8] = b"authenticate-v1\0";

/// A block of SHA-256, in bytes: what HMAC makes of a key.
const HMAC_BLOCK_BYTES: usize = 64;

/// The name of a key: 1 to 32 letters, digits, `_` and `-`. It is no secret.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct KeyId([u8; MAX_KEY_ID_BYTES]);

impl KeyId {
    /// The name `text` is, if it may be one.
    pub fn new(text: &[u8]) -> Option<Self> {
        let of_name = |byte: &u8| byte.is_ascii_alphanumeric() || matches!(byte, b'_' | b'-');
        if text.is_empty() || !text.iter().all(of_name) {
            return None;
        }
        // What is left stays 0, which no name has: names differ if these do.
        let mut name = [0; MAX_KEY_ID_BYTES];
        name.get_mut(..text.len())?.copy_from_slice(text);
        Some(Self(name))
    }
}

impl fmt::Display for KeyId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let name = self.0.iter().take_while(|byte| **byte != 0);
        name.map(|byte| char::from(*byte))
            .try_for_each(|character| fmt::Write::write_char(f, character))
    }
}

impl fmt::Debug for KeyId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

/// One key of 256 bits. It has no `Debug`, and is wiped when dropped.
///
/// It is kept as HMAC wants it, with zeros up to a block, and stays where it
/// is when the key is moved, so that no copy is left behind.
#[derive(Zeroize, ZeroizeOnDrop)]
pub struct PepperKey(Box<[u8; HMAC_BLOCK_BYTES]>);

impl PepperKey {
    /// The key of 64 hexadecimal digits.
    fn new(text: &[u8]) -> Option<Self> {
        let bytes = Zeroizing::new(hex::bytes::<32>(text)?);
        let mut key = Self(Box::new([0; HMAC_BLOCK_BYTES]));
        for (place, byte) in key.0.iter_mut().zip(bytes.iter()) {
            *place = *byte;
        }
        Some(key)
    }

    /// The HMAC-SHA256 of `authenticate-v1`, a NUL and the digits of an entry:
    /// what stands behind `hmac-sha256:KEYID:`.
    pub fn sign(&self, pin: &Pin) -> Zeroizing<[u8; 32]> {
        let key: &[u8; HMAC_BLOCK_BYTES] = &self.0;
        let mac = <Hmac<Sha256> as hmac::digest::KeyInit>::new(key.into());
        let mac = mac.chain_update(PURPOSE).chain_update(pin.as_bytes());
        Zeroizing::new(mac.finalize().into_bytes().into())
    }
}

/// The keys of a pepper file, in its order. None, where none is configured.
#[derive(Default)]
pub struct Pepper(Vec<(KeyId, PepperKey)>);

/// Why a pepper file is invalid. The message never holds a key.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Error)]
pub enum PepperError {
    /// This line, counted from 1, is invalid.
    #[error("line {0}: {1}")]
    Line(usize, PepperLineError),
    /// The file has no key.
    #[error("there is no key in it")]
    NoKey,
}

/// Why a line of a pepper file is invalid.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Error)]
pub enum PepperLineError {
    /// The line has no `:`.
    #[error("must be the name of a key, : and the key")]
    MissingColon,
    /// What precedes the `:` is not a [`KeyId`].
    #[error("the name of the key must be 1 to 32 letters, digits, _ and -")]
    InvalidKeyId,
    /// What follows the `:` is not 64 hexadecimal digits.
    #[error("the key must be 64 hexadecimal digits")]
    InvalidKey,
    /// The line with this number has a key of the same name.
    #[error("line {0} has a key of the same name")]
    DuplicateKeyId(usize),
}

impl Pepper {
    /// Reads what a pepper file holds: `KEYID:` and 64 hexadecimal digits a
    /// line. Blanks around a line, a byte order mark, blank lines and those
    /// that begin with `;` or `#` are skipped. [`Rights::check`] checks the
    /// permissions of the file.
    ///
    /// # Errors
    ///
    /// The first line that is none of these, a name that is used twice, or no
    /// key at all. One bad line is enough: a key that is left out would make
    /// PINs wrong that are right.
    pub fn parse(contents: &[u8]) -> Result<Self, PepperError> {
        let contents = contents.strip_prefix(b"\xef\xbb\xbf").unwrap_or(contents);
        let mut keys: Vec<(KeyId, PepperKey)> = Vec::new();
        let mut lines = Vec::new();
        for (line, number) in contents.split(|byte| *byte == b'\n').zip(1..) {
            let line = line.trim_ascii();
            if matches!(line.first(), None | Some(b';' | b'#')) {
                continue;
            }
            let broken = |error| PepperError::Line(number, error);
            let (id, key) = read(line).map_err(broken)?;
            if let Some(at) = keys.iter().position(|(other, _)| *other == id) {
                let first = lines.get(at).copied().unwrap_or_default();
                return Err(broken(PepperLineError::DuplicateKeyId(first)));
            }
            keys.push((id, key));
            lines.push(number);
        }
        if keys.is_empty() {
            return Err(PepperError::NoKey);
        }
        Ok(Self(keys))
    }

    /// The key that new secrets are signed with: the first.
    pub fn signing(&self) -> Option<(KeyId, &PepperKey)> {
        self.0.first().map(|(id, key)| (*id, key))
    }

    /// The names of all keys, the one that signs first.
    pub fn ids(&self) -> impl Iterator<Item = KeyId> + '_ {
        self.0.iter().map(|(id, _)| *id)
    }

    /// The key of this name.
    pub fn key(&self, id: KeyId) -> Option<&PepperKey> {
        let found = self.0.iter().find(|(other, _)| *other == id);
        found.map(|(_, key)| key)
    }
}

fn read(line: &[u8]) -> Result<(KeyId, PepperKey), PepperLineError> {
    let colon = memchr::memchr(b':', line).ok_or(PepperLineError::MissingColon)?;
    let (id, key) = line.split_at(colon);
    let id = KeyId::new(id).ok_or(PepperLineError::InvalidKeyId)?;
    let key = key
        .get(1..)
        .and_then(PepperKey::new)
        .ok_or(PepperLineError::InvalidKey)?;
    Ok((id, key))
}

#[cfg(test)]
mod tests;
