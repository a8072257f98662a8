//! A map with a limited number of entries, which evicts them in the order of their retention.

use std::collections::{BTreeMap, BTreeSet};
use std::ops::Bound;

use super::key::Key;

/// The most expired entries that one call removes, so that no call waits for all of
/// them.
const MAX_EXPIRED_PER_CALL: usize = 16;

/// An entry of a [`BoundedTable`].
pub(super) trait TableEntry {
    /// Forgets what is over by now.
    fn see(&mut self, now: u64);

    /// How long it is kept, as of the last [`Self::see`].
    fn retention(&self) -> Retention;

    /// Is another one once there is something new to be stored.
    fn version(&self) -> u32;

    /// The group whose share of the room it takes, if it is in one.
    fn group(&self) -> Option<Key> {
        None
    }
}

/// How long an entry is kept.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) enum Retention {
    /// It holds nothing any more and is removed at once.
    Expired,
    /// It is kept until this time, unless others need its room.
    Until(u64),
    /// It is locked until this time and stays until then.
    Locked(u64),
    /// An attempt is being verified: the entry stays.
    InFlight,
}

struct Slot<E> {
    entry: E,
    /// Whether the database has a row of it.
    stored: bool,
}

impl<E: TableEntry> Slot<E> {
    fn rank(&self) -> Rank {
        Rank {
            retention: self.entry.retention(),
            group: self.entry.group(),
        }
    }
}

/// The order in which entries are evicted.
#[derive(Clone, Copy, PartialEq, Eq)]
struct Rank {
    retention: Retention,
    group: Option<Key>,
}

/// Entries by their key.
pub(super) struct BoundedTable<E> {
    slots: BTreeMap<Key, Slot<E>>,
    until: BTreeSet<(u64, Key)>,
    /// The same by group, of those in one.
    group_until: BTreeSet<(Key, u64, Key)>,
    /// The number of entries in each group.
    groups: BTreeMap<Key, usize>,
    locked: BTreeSet<(u64, Key)>,
    /// Have changed since they were stored.
    changed: BTreeSet<Key>,
    /// Have gone since they were stored.
    gone: BTreeSet<Key>,
    most: usize,
    most_of_group: usize,
}

impl<E: TableEntry> BoundedTable<E> {
    /// Has room for `most`, and for `most_of_group` of one group.
    pub(super) const fn new(most: usize, most_of_group: usize) -> Self {
        Self {
            slots: BTreeMap::new(),
            until: BTreeSet::new(),
            group_until: BTreeSet::new(),
            groups: BTreeMap::new(),
            locked: BTreeSet::new(),
            changed: BTreeSet::new(),
            gone: BTreeSet::new(),
            most,
            most_of_group,
        }
    }

    /// The entry of that key.
    pub(super) fn get(&self, key: &Key) -> Option<&E> {
        self.slots.get(key).map(|slot| &slot.entry)
    }

    /// The entries after that key.
    pub(super) fn after(&self, key: &Key) -> impl Iterator<Item = (&Key, &E)> {
        let slots = self.slots.range((Bound::Excluded(*key), Bound::Unbounded));
        slots.map(|(key, slot)| (key, &slot.entry))
    }

    /// Those that are locked, and end after that one.
    pub(super) fn locked_after(&self, one: (u64, Key)) -> impl Iterator<Item = ((u64, Key), &E)> {
        let ends = (Bound::Excluded(one), Bound::Unbounded);
        let ends = self.locked.range(ends);
        ends.filter_map(|end| self.get(&end.1).map(|entry| (*end, entry)))
    }

    /// Has `change` change the entry of that key, if there is one.
    pub(super) fn change<R>(&mut self, key: &Key, change: impl FnOnce(&mut E) -> R) -> Option<R> {
        let slot = self.slots.get_mut(key)?;
        let (before, version) = (slot.rank(), slot.entry.version());
        let result = change(&mut slot.entry);
        let after = slot.rank();
        if slot.entry.version() != version {
            self.changed.insert(*key);
        }
        if before != after {
            self.leave(key, before);
            self.enter(key, after);
        }
        Some(result)
    }

    /// Takes in an entry that is not there yet. Returns false if there is no
    /// room: no entry may be removed, or none of its group if that has its
    /// share.
    pub(super) fn insert(&mut self, key: Key, entry: E) -> bool {
        let group = entry.group();
        let members = group.and_then(|group| self.groups.get(&group));
        let has_room = if members.is_some_and(|members| *members >= self.most_of_group) {
            self.make_room(group)
        } else {
            self.slots.len() < self.most || self.make_room(None)
        };
        if !has_room {
            return false;
        }
        let stored = self.gone.remove(&key);
        let slot = Slot { entry, stored };
        let rank = slot.rank();
        if stored || rank.retention != Retention::InFlight {
            self.changed.insert(key);
        }
        self.slots.insert(key, slot);
        self.enter(&key, rank);
        true
    }

    /// Takes in what the database has of a key that is not there yet.
    pub(super) fn restore(&mut self, key: Key, entry: E) {
        if self.slots.contains_key(&key) {
            return;
        }
        if entry.retention() == Retention::Expired || !self.insert(key, entry) {
            self.gone.insert(key);
        } else if let Some(slot) = self.slots.get_mut(&key) {
            slot.stored = true;
            self.changed.remove(&key);
        }
    }

    /// Has entries that are over go.
    pub(super) fn tend(&mut self, now: u64) {
        for _ in 0..MAX_EXPIRED_PER_CALL {
            if !self.end_lock(now) {
                break;
            }
        }
        for _ in 0..MAX_EXPIRED_PER_CALL {
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
    pub(super) fn has_changes(&self) -> bool {
        !(self.gone.is_empty() && self.changed.is_empty())
    }

    /// Takes a key whose row has to be deleted.
    pub(super) fn take_gone(&mut self) -> Option<Key> {
        self.gone.pop_first()
    }

    /// Takes a key whose row has to be written, with the row that `row` makes. If that
    /// makes none, the row has to be deleted.
    pub(super) fn take_changed<R>(
        &mut self,
        row: impl Fn(&E) -> Option<R>,
    ) -> Option<(Key, Option<R>)> {
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

    fn enter(&mut self, key: &Key, rank: Rank) {
        if let Some(group) = rank.group {
            *self.groups.entry(group).or_default() += 1;
        }
        match rank.retention {
            Retention::Expired => self.remove(key),
            Retention::Until(until) => {
                self.until.insert((until, *key));
                let group = rank.group.map(|group| (group, until, *key));
                self.group_until.extend(group);
            }
            Retention::Locked(until) => {
                self.locked.insert((until, *key));
            }
            Retention::InFlight => {}
        }
    }

    fn leave(&mut self, key: &Key, rank: Rank) {
        if let Some(group) = rank.group {
            let members = self.groups.get(&group).copied().unwrap_or_default();
            match members.saturating_sub(1) {
                0 => self.groups.remove(&group),
                left => self.groups.insert(group, left),
            };
        }
        match rank.retention {
            Retention::Until(until) => {
                self.until.remove(&(until, *key));
                if let Some(group) = rank.group {
                    self.group_until.remove(&(group, until, *key));
                }
            }
            Retention::Locked(until) => {
                self.locked.remove(&(until, *key));
            }
            Retention::Expired | Retention::InFlight => {}
        }
    }

    fn remove(&mut self, key: &Key) {
        self.changed.remove(key);
        if let Some(slot) = self.slots.remove(key) {
            self.leave(key, slot.rank());
            if slot.stored {
                self.gone.insert(*key);
            }
        }
    }

    /// Removes the entry that is the first to go, of this group if one is named.
    fn make_room(&mut self, group: Option<Key>) -> bool {
        let first = match group {
            None => self.until.first().map(|(_, key)| *key),
            Some(group) => {
                let members = (group, 0, Key::default())..;
                let first = self.group_until.range(members).next();
                first.filter(|first| first.0 == group).map(|first| first.2)
            }
        };
        if let Some(key) = first {
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
