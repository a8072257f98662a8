//! Pages of a long list, by opaque keys of its entries.
//!
//! What identifies an entry may be secret: the digest of digits that a caller entered as
//! an account, or of a short PIN, is found by trial. An [`EntryKey`] is a MAC of it with
//! a random key, so only the process that made it can tell which entry it belongs to.

use std::collections::BTreeMap;
use std::fmt;

use hmac::{Hmac, Mac};
use sha2::Sha256;

use crate::hex;

/// Makes the keys of entries.
#[derive(Clone)]
pub struct EntryKeys(Hmac<Sha256>);

impl EntryKeys {
    /// Returns one with this secret, which must be random.
    pub fn new(secret: &[u8; 64]) -> Self {
        Self(Hmac::new(secret.into()))
    }

    /// Returns the key of an entry, by what identifies it in its list.
    pub fn of(&self, identity: &[u8]) -> EntryKey {
        let mac = self.0.clone().chain_update(identity).finalize();
        let mut key = [0; 16];
        key.iter_mut()
            .zip(mac.into_bytes())
            .for_each(|(to, from)| *to = from);
        EntryKey(key)
    }
}

/// The key of an entry. Keys sort in an order that is stable and says nothing.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug)]
pub struct EntryKey([u8; 16]);

impl EntryKey {
    /// Returns the key of an entry that a number identifies which is no secret. Such keys
    /// sort by their numbers.
    pub fn of_number(number: u64) -> Self {
        Self(u128::from(number).to_be_bytes())
    }

    /// Returns the number of [`Self::of_number`], or `None` if it is another key.
    pub fn number(self) -> Option<u64> {
        u64::try_from(u128::from_be_bytes(self.0)).ok()
    }

    /// Parses what [`fmt::Display`] has written.
    pub fn parse(text: &[u8]) -> Option<Self> {
        hex::bytes(text).map(Self)
    }
}

impl fmt::Display for EntryKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut text = String::new();
        hex::append(&mut text, &self.0);
        f.write_str(&text)
    }
}

/// Which entries are wanted.
#[derive(Clone, Copy, Default, Debug)]
pub struct PageRequest {
    /// Those after this key, or `None` for the first ones.
    pub after: Option<EntryKey>,
    /// At most this many, or `None` for all.
    pub limit: Option<usize>,
}

impl PageRequest {
    /// Returns whether the whole list is wanted.
    pub fn is_whole(&self) -> bool {
        self.after.is_none() && self.limit.is_none()
    }
}

/// The entries of one page. It never holds more of them than are wanted.
pub struct Page<T> {
    request: PageRequest,
    entries: BTreeMap<EntryKey, T>,
    total: usize,
}

impl<T> Page<T> {
    /// Returns an empty page.
    pub fn new(request: PageRequest) -> Self {
        Self {
            request,
            entries: BTreeMap::new(),
            total: 0,
        }
    }

    /// Adds an entry of the list, which stays if it belongs on this page.
    pub fn add(&mut self, key: EntryKey, entry: T) {
        self.total += 1;
        if self.request.after.is_some_and(|after| key <= after) {
            return;
        }
        self.entries.insert(key, entry);
        if self
            .request
            .limit
            .is_some_and(|limit| self.entries.len() > limit)
        {
            self.entries.pop_last();
        }
    }

    /// Returns the number of entries of the whole list.
    pub fn total(&self) -> usize {
        self.total
    }

    /// Returns the entries of this page, in the order of their keys.
    pub fn entries(self) -> Vec<(EntryKey, T)> {
        self.entries.into_iter().collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn keys() -> EntryKeys {
        EntryKeys::new(&[7; 64])
    }

    fn page(list: &[u16], after: Option<EntryKey>, limit: Option<usize>) -> Page<u16> {
        let mut page = Page::new(PageRequest { after, limit });
        for entry in list {
            page.add(keys().of(&entry.to_le_bytes()), *entry);
            assert!(limit.is_none_or(|limit| page.entries.len() <= limit));
        }
        page
    }

    #[test]
    fn key_depends_on_secret_and_identity() {
        let (one, other) = (keys().of(b"1"), keys().of(b"2"));
        assert_ne!(one, other);
        assert_ne!(EntryKeys::new(&[8; 64]).of(b"1"), one);
        assert_eq!(EntryKey::parse(one.to_string().as_bytes()), Some(one));
        assert_eq!(one.to_string().len(), 32);
        assert_eq!(
            (EntryKey::of_number(7).number(), one.number()),
            (Some(7), None)
        );
        for text in ["", "1", "g0000000000000000000000000000000"] {
            assert_eq!(EntryKey::parse(text.as_bytes()), None, "{text}");
        }
    }

    proptest! {
        #[test]
        fn pages_together_are_the_list(
            list in prop::collection::btree_set(0..1000_u16, 0..60),
            limit in 1..20_usize,
        ) {
            let list: Vec<u16> = list.into_iter().collect();
            let (mut all, mut after) = (Vec::new(), None);
            loop {
                let page = page(&list, after, Some(limit));
                prop_assert_eq!(page.total(), list.len());
                let entries = page.entries();
                let Some((last, _)) = entries.last() else { break };
                after = Some(*last);
                all.extend(entries);
            }
            prop_assert_eq!(&all, &page(&list, None, None).entries());
            let mut values: Vec<u16> = all.into_iter().map(|(_, entry)| entry).collect();
            values.sort_unstable();
            prop_assert_eq!(values, list);
        }
    }
}
