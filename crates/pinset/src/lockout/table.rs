//! So many entries and no more, in the order in which they can go.

use std::collections::{BTreeMap, BTreeSet};
use std::ops::Bound;

use super::key::Key;

/// So many entries that are over are seen to by one call, so that none waits
/// for all of them.
const AT_ONCE: usize = 16;

/// What a [`Held`] holds.
pub trait Entry {
    /// Forgets what is over by now.
    fn see(&mut self, now: u64);

    /// Where it stands, by what it was when it was last seen.
    fn place(&self) -> Place;

    /// Is another one once there is something new to be stored.
    fn version(&self) -> u32;
}

/// Where an entry stands.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Place {
    /// It says nothing: it goes at once.
    Nowhere,
    /// It says something until then, unless others need its room.
    Until(u64),
    /// It is locked until then, and stays.
    Locked(u64),
    /// An entry is being judged: it stays.
    InFlight,
}

struct Slot<E> {
    entry: E,
    /// Whether the database has a row of it.
    stored: bool,
}

/// Entries by their key.
pub struct Held<E> {
    slots: BTreeMap<Key, Slot<E>>,
    until: BTreeSet<(u64, Key)>,
    locked: BTreeSet<(u64, Key)>,
    /// Have changed since they were stored.
    changed: BTreeSet<Key>,
    /// Have gone since they were stored.
    gone: BTreeSet<Key>,
    most: usize,
}

impl<E: Entry> Held<E> {
    /// Has room for `most`.
    pub const fn new(most: usize) -> Self {
        Self {
            slots: BTreeMap::new(),
            until: BTreeSet::new(),
            locked: BTreeSet::new(),
            changed: BTreeSet::new(),
            gone: BTreeSet::new(),
            most,
        }
    }

    /// The entry of that key.
    pub fn get(&self, key: &Key) -> Option<&E> {
        self.slots.get(key).map(|slot| &slot.entry)
    }

    /// The entries after that key.
    pub fn after(&self, key: &Key) -> impl Iterator<Item = (&Key, &E)> {
        let slots = self.slots.range((Bound::Excluded(*key), Bound::Unbounded));
        slots.map(|(key, slot)| (key, &slot.entry))
    }

    /// Those that are locked, and end after that one.
    pub fn locked_after(&self, one: (u64, Key)) -> impl Iterator<Item = ((u64, Key), &E)> {
        let ends = (Bound::Excluded(one), Bound::Unbounded);
        let ends = self.locked.range(ends);
        ends.filter_map(|end| self.get(&end.1).map(|entry| (*end, entry)))
    }

    /// Has `change` change the entry of that key, if there is one.
    pub fn change<R>(&mut self, key: &Key, change: impl FnOnce(&mut E) -> R) -> Option<R> {
        let slot = self.slots.get_mut(key)?;
        let (before, version) = (slot.entry.place(), slot.entry.version());
        let result = change(&mut slot.entry);
        let after = slot.entry.place();
        if slot.entry.version() != version {
            self.changed.insert(*key);
        }
        if before != after {
            self.leave(key, before);
            self.enter(key, after);
        }
        Some(result)
    }

    /// Takes in an entry that is not there yet. False: there is no room, for
    /// all that are there must stay.
    pub fn insert(&mut self, key: Key, entry: E) -> bool {
        if self.slots.len() >= self.most && !self.make_room() {
            return false;
        }
        let place = entry.place();
        let stored = self.gone.remove(&key);
        if stored || place != Place::InFlight {
            self.changed.insert(key);
        }
        self.slots.insert(key, Slot { entry, stored });
        self.enter(&key, place);
        true
    }

    /// Takes in what the database has of a key that is not there yet.
    pub fn restore(&mut self, key: Key, entry: E) {
        if self.slots.contains_key(&key) {
            return;
        }
        if entry.place() == Place::Nowhere || !self.insert(key, entry) {
            self.gone.insert(key);
        } else if let Some(slot) = self.slots.get_mut(&key) {
            slot.stored = true;
            self.changed.remove(&key);
        }
    }

    /// Has entries that are over go.
    pub fn tend(&mut self, now: u64) {
        for _ in 0..AT_ONCE {
            if !self.end_lock(now) {
                break;
            }
        }
        for _ in 0..AT_ONCE {
            match self.until.first() {
                Some((until, key)) if *until <= now => {
                    let key = *key;
                    self.change(&key, |entry| entry.see(now));
                }
                _ => break,
            }
        }
    }

    /// Whether there is something for [`Self::take_gone`] or
    /// [`Self::take_changed`].
    pub fn has_changes(&self) -> bool {
        !(self.gone.is_empty() && self.changed.is_empty())
    }

    /// A key whose row is to be deleted.
    pub fn take_gone(&mut self) -> Option<Key> {
        self.gone.pop_first()
    }

    /// A key whose row is to be written, as `row` makes it; if that makes none,
    /// it is to be deleted.
    pub fn take_changed<R>(&mut self, row: impl Fn(&E) -> Option<R>) -> Option<(Key, Option<R>)> {
        loop {
            let key = self.changed.pop_first()?;
            if let Some(slot) = self.slots.get_mut(&key) {
                let row = row(&slot.entry);
                let was_stored = std::mem::replace(&mut slot.stored, row.is_some());
                if was_stored || row.is_some() {
                    return Some((key, row));
                }
            }
        }
    }

    fn enter(&mut self, key: &Key, place: Place) {
        match place {
            Place::Nowhere => self.remove(key),
            Place::Until(until) => {
                self.until.insert((until, *key));
            }
            Place::Locked(until) => {
                self.locked.insert((until, *key));
            }
            Place::InFlight => {}
        }
    }

    fn leave(&mut self, key: &Key, place: Place) {
        match place {
            Place::Until(until) => self.until.remove(&(until, *key)),
            Place::Locked(until) => self.locked.remove(&(until, *key)),
            Place::Nowhere | Place::InFlight => false,
        };
    }

    fn remove(&mut self, key: &Key) {
        self.changed.remove(key);
        if self.slots.remove(key).is_some_and(|slot| slot.stored) {
            self.gone.insert(*key);
        }
    }

    /// The one that would go first goes now.
    fn make_room(&mut self) -> bool {
        let first = self.until.pop_first();
        if let Some((_, key)) = first {
            self.remove(&key);
        }
        first.is_some()
    }

    /// One whose lock is over goes where it then belongs.
    fn end_lock(&mut self, now: u64) -> bool {
        match self.locked.first() {
            Some((until, key)) if *until <= now => {
                let key = *key;
                self.change(&key, |entry| entry.see(now));
                true
            }
            _ => false,
        }
    }
}
