//! Keys of counters: digests of equal length, which fit into a database and reveal nothing.

use sha2::{Digest, Sha256};

use crate::hex;

/// The digest of who or what is counted.
pub(super) type Key = [u8; 16];

/// The table of a key, by the letter it is stored under.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) enum KeyTable {
    /// Callers and their failures.
    Callers,
    /// Accounts and theirs.
    Accounts,
    /// PIN sets and theirs.
    PinSets,
    /// Callers who have succeeded in a PIN set.
    Trusted,
    /// Callers who have succeeded with an account.
    TrustedForAccount,
}

impl KeyTable {
    /// All of them.
    pub(super) const ALL: [Self; 5] = [
        Self::Callers,
        Self::Accounts,
        Self::PinSets,
        Self::Trusted,
        Self::TrustedForAccount,
    ];

    fn letter(self) -> char {
        match self {
            Self::Callers => 'c',
            Self::Accounts => 'a',
            Self::PinSets => 'p',
            Self::Trusted => 't',
            Self::TrustedForAccount => 'o',
        }
    }

    /// The key of these parts; `None` is a part that is not there, which an
    /// empty one is. Each goes with its length, so no two divide alike.
    pub(super) fn key(self, parts: &[Option<&str>]) -> Key {
        let mut digest = Sha256::new();
        digest.update([self.letter() as u8]);
        for part in parts {
            let length = part.map_or(u64::MAX, |part| part.len() as u64);
            digest.update(length.to_le_bytes());
            digest.update(part.unwrap_or_default());
        }
        let mut key = Key::default();
        key.iter_mut()
            .zip(digest.finalize())
            .for_each(|(to, from)| *to = from);
        key
    }

    /// The key as it is stored.
    pub(super) fn text(self, key: &Key) -> String {
        let mut text = String::with_capacity(1 + 2 * key.len());
        text.push(self.letter());
        hex::append(&mut text, key);
        text
    }

    /// The key that is stored as `text`.
    pub(super) fn of_text(text: &str) -> Option<(Self, Key)> {
        let table = Self::ALL
            .into_iter()
            .find(|table| text.starts_with(table.letter()))?;
        let key = hex::bytes(text.get(1..)?.as_bytes())?;
        Some((table, key)).filter(|(table, key)| table.text(key) == text)
    }
}
