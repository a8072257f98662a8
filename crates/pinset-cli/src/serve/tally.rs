//! Counts that expire, a bounded number of them.

use std::collections::HashMap;

use sha2::{Digest, Sha256};

/// Most counts that are kept; above, the older half goes.
const MAX_TALLIES: usize = 100_000;

/// The digest of what a count belongs to.
pub type Key = [u8; 32];

/// Returns the key of these parts. All but the last one must have no NUL in them.
pub fn key(parts: &[&str]) -> Key {
    Sha256::digest(parts.join("\0")).into()
}

/// A count, and the end of its life, in seconds since the Unix epoch.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Tally {
    pub count: u32,
    pub until: u64,
}

/// Counts by their keys. Callers pass the time, in seconds since the Unix epoch.
#[derive(Default)]
pub struct Tallies(HashMap<Key, Tally>);

impl Tallies {
    /// Returns the count of a key unless it has expired.
    pub fn get(&self, key: &Key, now: u64) -> Option<Tally> {
        self.0.get(key).copied().filter(|tally| tally.until > now)
    }

    /// Sets the count of a key; `forgotten` gets the keys that make room for it.
    pub fn put(&mut self, key: Key, tally: Tally, now: u64, forgotten: impl FnMut(Key)) {
        if self.0.len() >= MAX_TALLIES && !self.0.contains_key(&key) {
            self.make_room(now, forgotten);
        }
        self.0.insert(key, tally);
    }

    pub fn remove(&mut self, key: &Key) {
        self.0.remove(key);
    }

    /// Removes what ends by `end`; `forgotten` gets the keys.
    pub fn expire(&mut self, end: u64, mut forgotten: impl FnMut(Key)) {
        self.0.retain(|key, tally| {
            let stays = tally.until > end;
            if !stays {
                forgotten(*key);
            }
            stays
        });
    }

    /// Removes what has expired; if that is nothing, the older half.
    fn make_room(&mut self, now: u64, forgotten: impl FnMut(Key)) {
        let mut ends: Vec<u64> = self.0.values().map(|tally| tally.until).collect();
        ends.sort_unstable();
        let half = ends.get(ends.len() / 2).copied().unwrap_or_default();
        let expired = ends.first().is_some_and(|first| *first <= now);
        self.expire(if expired { now } else { half }, forgotten);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn put(tallies: &mut Tallies, at: usize, until: u64) -> Vec<Key> {
        let mut forgotten = Vec::new();
        let tally = Tally { count: 1, until };
        let key = key(&["s", &at.to_string()]);
        tallies.put(key, tally, 0, |key| forgotten.push(key));
        forgotten
    }

    #[test]
    fn full_tallies_forget_the_older_half() {
        let mut tallies = Tallies::default();
        for at in 0..MAX_TALLIES {
            assert_eq!(put(&mut tallies, at, at as u64 + 1), Vec::<Key>::new());
        }
        // One that is known needs no room.
        assert_eq!(put(&mut tallies, 5, 6), Vec::<Key>::new());
        let forgotten = put(&mut tallies, MAX_TALLIES, u64::MAX);
        assert_eq!(forgotten.len(), MAX_TALLIES / 2 + 1);
        assert_eq!(tallies.0.len(), MAX_TALLIES / 2);
        assert!(forgotten.contains(&key(&["s", "0"])));
        assert!(tallies
            .get(&key(&["s", &MAX_TALLIES.to_string()]), 0)
            .is_some());
    }

    #[test]
    fn expired_tallies_count_nothing() {
        let mut tallies = Tallies::default();
        put(&mut tallies, 1, 10);
        put(&mut tallies, 2, 11);
        assert!(tallies.get(&key(&["s", "1"]), 9).is_some());
        assert_eq!(tallies.get(&key(&["s", "1"]), 10), None);
        let mut forgotten = Vec::new();
        tallies.expire(10, |key| forgotten.push(key));
        assert_eq!(forgotten, [key(&["s", "1"])]);
        assert_eq!(tallies.0.len(), 1);
    }
}
