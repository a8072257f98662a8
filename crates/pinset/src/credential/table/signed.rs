//! Rows whose secrets are checked with a key of the pepper file.

use std::collections::BTreeMap;
use std::fmt;

use super::Rows;
use crate::credential::pepper::KeyId;

/// The most lines that are named for the rows of one key.
const MAX_NAMED_LINES: usize = 3;

/// The approximate memory of one key in [`SignedDraft`].
const KEY_BYTES: usize = 200;

/// The rows that need one key of the pepper file. The text is for those whose key
/// is missing.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct SignedRows {
    /// The key.
    pub key: KeyId,
    /// The number of rows.
    pub count: u64,
    /// The lines of the first ones.
    pub first_lines: Vec<u64>,
}

impl fmt::Display for SignedRows {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self {
            key,
            count,
            first_lines,
        } = self;
        let lines: Vec<String> = first_lines.iter().map(u64::to_string).collect();
        let lines = lines.join(", ");
        match count {
            1 => write!(f, "1 row can't be checked, line {lines}")?,
            _ => write!(f, "{count} rows can't be checked, lines {lines}")?,
        }
        if *count > first_lines.len() as u64 {
            f.write_str(", …")?;
        }
        write!(f, ": the pepper file has no key {key}")
    }
}

/// The signed rows of a list that is being read, with the place of each key, in the order
/// in which they are first seen.
#[derive(Default)]
pub(super) struct SignedDraft(BTreeMap<KeyId, (usize, SignedRows)>);

impl SignedDraft {
    /// Adds the row in this line, and returns the place of its key.
    pub(super) fn add(&mut self, key: KeyId, line: u64) -> usize {
        let next = self.0.len();
        let (place, rows) = self.0.entry(key).or_insert_with(|| {
            let rows = SignedRows {
                key,
                count: 0,
                first_lines: Vec::new(),
            };
            (next, rows)
        });
        rows.count += 1;
        if rows.first_lines.len() < MAX_NAMED_LINES {
            rows.first_lines.push(line);
        }
        *place
    }

    /// Returns the approximate memory it takes, in bytes.
    pub(super) fn size(&self) -> usize {
        self.0.len() * KEY_BYTES
    }

    /// Returns the names of the keys in the order of their places, and the rows in that of
    /// the names.
    pub(super) fn finish(self) -> (Vec<KeyId>, Vec<SignedRows>) {
        let mut names: Vec<_> = self
            .0
            .iter()
            .map(|(key, (place, _))| (*place, *key))
            .collect();
        names.sort_unstable();
        let names = names.into_iter().map(|(_, key)| key).collect();
        (names, self.0.into_values().map(|(_, rows)| rows).collect())
    }
}

/// The way in which rows are found.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum FoundBy {
    /// By the PIN alone, which finds no row with Argon2id.
    Pin,
    /// By the number that calls.
    Caller,
    /// By the account.
    Account,
}

impl Rows {
    /// The rows of each key of the pepper file, in the order of their names.
    pub fn signed(&self) -> &[SignedRows] {
        &self.signed
    }

    /// Those of [`Self::signed`] whose key is missing.
    pub fn unchecked(&self, has_key: impl Fn(KeyId) -> bool) -> impl Iterator<Item = &SignedRows> {
        self.signed.iter().filter(move |rows| !has_key(rows.key))
    }

    /// Whether there are rows, but none of them can be checked.
    pub fn are_uncheckable(&self, by: FoundBy, has_key: impl Fn(KeyId) -> bool) -> bool {
        let unchecked: u64 = self.unchecked(has_key).map(|rows| rows.count).sum();
        let hidden = match by {
            FoundBy::Pin => self.argon2id,
            FoundBy::Caller | FoundBy::Account => 0,
        };
        !self.is_empty() && self.len() <= unchecked + hidden
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn first_lines_of_a_key_are_named() {
        let key = KeyId::new(b"k0").expect("a key");
        let mut draft = SignedDraft::default();
        for (line, text) in [
            (
                2,
                "1 row can't be checked, line 2: the pepper file has no key k0",
            ),
            (
                5,
                "2 rows can't be checked, lines 2, 5: the pepper file has no key k0",
            ),
            (
                7,
                "3 rows can't be checked, lines 2, 5, 7: the pepper file has no key k0",
            ),
            (
                9,
                "4 rows can't be checked, lines 2, 5, 7, …: the pepper file has no key k0",
            ),
        ] {
            draft.add(key, line);
            let rows = draft.0.values().next().map(|(_, rows)| rows.to_string());
            assert_eq!(rows.as_deref(), Some(text));
        }
    }
}
