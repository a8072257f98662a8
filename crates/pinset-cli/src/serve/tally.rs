//! Bounded table of counters that expire.

use std::collections::HashMap;

use sha2::{Digest, Sha256};

/// Maximum number of counters; a full table drops the older half.
const MAX_TALLIES: usize = 100_000;

/// The digest that identifies a counter.
pub(super) type Key = [u8; 32];

/// Returns the key of these parts, of which only the last may contain NUL.
pub(super) fn key(parts: &[&str]) -> Key {
    Sha256::digest(parts.join("\0")).into()
}

/// A counter, and the time at which it expires, in seconds since the Unix epoch.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) struct Tally {
    pub count: u32,
    pub until: u64,
}

/// Counters by key. Callers pass the time, in seconds since the Unix epoch.
#[derive(Default)]
pub(super) struct Tallies(HashMap<Key, Tally>);

impl Tallies {
    /// Returns the counter of a key unless it has expired.
    pub(super) fn get(&self, key: &Key, now: u64) -> Option<Tally> {
        self.0.get(key).copied().filter(|tally| tally.until > now)
    }

    /// Sets the counter of a key. Calls `removed` for each key that is dropped for it.
    pub(super) fn put(&mut self, key: Key, tally: Tally, now: u64, removed: impl FnMut(Key)) {
        if self.0.len() >= MAX_TALLIES && !self.0.contains_key(&key) {
            self.make_room(now, removed);
        }
        self.0.insert(key, tally);
    }

    pub(super) fn remove(&mut self, key: &Key) {
        self.0.remove(key);
    }

    /// Removes the counters that expire by `end`. Calls `removed` for each key.
    pub(super) fn expire(&mut self, end: u64, mut removed: impl FnMut(Key)) {
        self.0.retain(|key, tally| {
            let stays = tally.until > end;
            if !stays {
                removed(*key);
            }
            stays
        });
    }

    /// Removes expired counters, or the older half if none has expired.
    fn make_room(&mut self, now: u64, removed: impl FnMut(Key)) {
        let mut ends: Vec<u64> = self.0.values().map(|tally| tally.until).collect();
        ends.sort_unstable();
        let half = ends.get(ends.len() / 2).copied().unwrap_or_default();
        let expired = ends.first().is_some_and(|first| *first <= now);
        self.expire(if expired { now } else { half }, removed);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn put(tallies: &mut Tallies, at: usize, until: u64) -> Vec<Key> {
        let mut removed = Vec::new();
        let tally = Tally { count: 1, until };
        let key = key(&["s", &at.to_string()]);
        tallies.put(key, tally, 0, |key| removed.push(key));
        removed
    }

    #[test]
    fn full_table_drops_older_half() {
        let mut tallies = Tallies::default();
        for at in 0..MAX_TALLIES {
            assert_eq!(put(&mut tallies, at, at as u64 + 1), Vec::<Key>::new());
        }
        // A known key needs no room.
        assert_eq!(put(&mut tallies, 5, 6), Vec::<Key>::new());
        let removed = put(&mut tallies, MAX_TALLIES, u64::MAX);
        assert_eq!(removed.len(), MAX_TALLIES / 2 + 1);
        assert_eq!(tallies.0.len(), MAX_TALLIES / 2);
        assert!(removed.contains(&key(&["s", "0"])));
        assert!(tallies
            .get(&key(&["s", &MAX_TALLIES.to_string()]), 0)
            .is_some());
    }

    #[test]
    fn expired_counter_is_not_returned() {
        let mut tallies = Tallies::default();
        put(&mut tallies, 1, 10);
        put(&mut tallies, 2, 11);
        assert!(tallies.get(&key(&["s", "1"]), 9).is_some());
        assert_eq!(tallies.get(&key(&["s", "1"]), 10), None);
        let mut removed = Vec::new();
        tallies.expire(10, |key| removed.push(key));
        assert_eq!(removed, [key(&["s", "1"])]);
        assert_eq!(tallies.0.len(), 1);
    }
}
