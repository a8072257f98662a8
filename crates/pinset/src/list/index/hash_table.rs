//! A hash table of small entries, packed without a gap: one array of entries,
//! sorted by where their hash belongs, and one of where each place begins.
//!
//! Not `hashbrown`: its tables double while they grow and keep 9 bytes a slot
//! for 8 of ours, 15 to 20 bytes a PIN in all; these take 8.4 to 9, and sorting
//! goes through memory in order, where inserting jumps about.

use std::collections::HashSet;
use std::hash::{BuildHasher, Hash};

use foldhash::quality::RandomState;
use thiserror::Error;
use zeroize::{Zeroize, Zeroizing};

/// An entry of a table. Two are equal if they have the same PIN, whosever it is.
pub(crate) trait HashEntry: Copy + Default + Eq + Hash + Zeroize {}

impl<E: Copy + Default + Eq + Hash + Zeroize> HashEntry for E {}

/// The number of bits of the hash that select a place within a share. The entries of
/// that many places fit into the processor's cache.
const PLACES: u32 = 12;

/// Entries on their way into a table: each is put into its share of the array
/// as it comes. Memory is wiped when dropped.
pub(crate) struct Heap<E: HashEntry, S = RandomState> {
    table: HashTable<E, S>,
    /// The number of entries, and the limit on it.
    count: usize,
    room: usize,
    /// The number of places that a share has in the array, and of filled ones.
    share: usize,
    filled: Vec<u32>,
}

/// There are more entries than the heap was made for, or than there is memory for.
#[derive(Debug, PartialEq, Eq, Error)]
#[error("too many entries")]
pub struct TableFullError;

/// Returns the memory that a table of this many entries takes, in bytes.
pub(crate) const fn memory<E>(entries: usize) -> usize {
    let places = (1 << place_bits(entries)) + 1;
    let slots = share_size(entries).saturating_mul(1 << share_bits(place_bits(entries)));
    slots
        .saturating_mul(size_of::<E>())
        .saturating_add(places * size_of::<u32>())
}

/// The number of bits that tell places apart: 4 to 8 entries belong in each.
const fn place_bits(entries: usize) -> u32 {
    match (entries / 4).checked_ilog2() {
        Some(bits) => bits,
        None => 0,
    }
}

const fn share_bits(place_bits: u32) -> u32 {
    place_bits.saturating_sub(PLACES)
}

/// The number of entries that a share has room for: more than chance will ever bring
/// there, eight standard deviations above the mean.
const fn share_size(entries: usize) -> usize {
    let shares = 1 << share_bits(place_bits(entries));
    if shares == 1 {
        return entries;
    }
    let mean = entries / shares;
    mean + 8 * mean.isqrt()
}

impl<E: HashEntry> Heap<E> {
    /// Room for `room` entries.
    pub(crate) fn with_room(room: usize) -> Result<Self, TableFullError> {
        Self::with_hasher(room, RandomState::default())
    }
}

impl<E: HashEntry, S: BuildHasher> Heap<E, S> {
    fn with_hasher(room: usize, hasher: S) -> Result<Self, TableFullError> {
        // The start of a place is kept in 32 bits.
        u32::try_from(room).map_err(|_| TableFullError)?;
        let bits = place_bits(room);
        let shares = 1 << share_bits(bits);
        let share = share_size(room);
        let mut entries = Vec::new();
        entries
            .try_reserve_exact(shares * share)
            .map_err(|_| TableFullError)?;
        entries.resize(shares * share, E::default());
        Ok(Self {
            table: HashTable {
                entries: Zeroizing::new(entries),
                starts: Vec::new(),
                bits,
                others: HashSet::with_hasher(RandomState::default()),
                hasher,
            },
            count: 0,
            room,
            share,
            filled: vec![0; shares],
        })
    }

    /// Adds an entry.
    pub(crate) fn push(&mut self, entry: E) -> Result<(), TableFullError> {
        if self.count >= self.room {
            return Err(TableFullError);
        }
        self.count += 1;
        let share = first_bits(self.table.hash(&entry), share_bits(self.table.bits));
        let filled = self.filled[share] as usize;
        if filled < self.share {
            self.table.entries[share * self.share + filled] = entry;
            self.filled[share] += 1;
        } else {
            self.table.others.insert(entry);
        }
        Ok(())
    }

    /// The memory that it takes, and that the table will take, in bytes.
    pub(crate) fn size(&self) -> usize {
        memory::<E>(self.room) + self.table.others_size()
    }

    /// No more will come.
    pub(crate) fn sort(mut self) -> Sorting<E, S> {
        self.table.starts.reserve_exact((1 << self.table.bits) + 1);
        self.table.starts.push(0);
        // As large as it will ever be: what a larger one replaces is not wiped.
        let scratch = Vec::with_capacity(self.filled.iter().max().map_or(0, |most| *most as usize));
        Sorting {
            heap: self,
            done: 0,
            scratch: Zeroizing::new(scratch),
        }
    }
}

/// A table being sorted, a share at a time, so that others get their turn.
pub(crate) struct Sorting<E: HashEntry, S = RandomState> {
    heap: Heap<E, S>,
    /// The number of shares that are in order.
    done: usize,
    scratch: Zeroizing<Vec<E>>,
}

impl<E: HashEntry, S: BuildHasher> Sorting<E, S> {
    /// Sorts a share; false when all is done.
    pub(crate) fn step(&mut self) -> bool {
        let Heap {
            table,
            share,
            filled,
            ..
        } = &mut self.heap;
        let Some(filled) = filled.get(self.done) else {
            return false;
        };
        let unsorted = &table.entries[self.done * *share..][..*filled as usize];
        self.scratch.clear();
        self.scratch.extend_from_slice(unsorted);
        self.done += 1;
        // What is sorted stands without a gap: never behind what is not yet.
        let begin = table.starts.last().copied().unwrap_or_default();
        let places = 1 << (table.bits - share_bits(table.bits));
        let mut next = vec![0; places + 1];
        for entry in self.scratch.iter() {
            next[table.place_of(entry) % places + 1] += 1;
        }
        next[0] = begin;
        for place in 0..places {
            next[place + 1] += next[place];
        }
        table.starts.extend_from_slice(&next[1..]);
        for entry in self.scratch.iter() {
            let place = table.place_of(entry) % places;
            table.entries[next[place] as usize] = *entry;
            next[place] += 1;
        }
        true
    }

    /// The table; what is not sorted yet is.
    pub(crate) fn finish(mut self) -> HashTable<E, S> {
        while self.step() {}
        let mut table = self.heap.table;
        let end = table.starts.last().copied().unwrap_or_default() as usize;
        if let Some(rest) = table.entries.get_mut(end..) {
            rest.iter_mut().for_each(E::zeroize);
        }
        table.entries.truncate(end);
        table.entries.shrink_to_fit();
        table
    }
}

/// The first `bits` bits of a hash.
fn first_bits(hash: u64, bits: u32) -> usize {
    hash.checked_shr(u64::BITS - bits).unwrap_or_default() as usize
}

/// The table. It is wiped when dropped.
pub(crate) struct HashTable<E: HashEntry, S = RandomState> {
    entries: Zeroizing<Vec<E>>,
    /// Where the entries of each place begin, and the end.
    starts: Vec<u32>,
    bits: u32,
    /// Differs from table to table, so that an attacker can't choose PINs that all
    /// belong in one place. Not foldhash's `fast` variant: with one seed in a hundred it
    /// puts fifty or more of a run of numbers into one place.
    hasher: S,
    /// What its share has no room for. That is no chance: one PIN stands there
    /// thousands of times.
    others: HashSet<E, RandomState>,
}

impl<E: HashEntry, S: BuildHasher> HashTable<E, S> {
    /// The few entries that `wanted` is among, if it is there.
    pub(crate) fn candidates(&self, wanted: &E) -> impl Iterator<Item = &E> {
        let place = self.place_of(wanted);
        let sorted = match self.starts.get(place..place + 2) {
            Some(&[start, end]) => self.entries.get(start as usize..end as usize),
            _ => None,
        };
        let other = match self.others.is_empty() {
            true => None,
            false => self.others.get(wanted),
        };
        sorted.unwrap_or_default().iter().chain(other)
    }

    /// Returns the number of its entries.
    pub(crate) fn len(&self) -> usize {
        self.entries.len() + self.others.len()
    }

    fn hash(&self, entry: &E) -> u64 {
        self.hasher.hash_one(entry)
    }

    fn place_of(&self, entry: &E) -> usize {
        first_bits(self.hash(entry), self.bits)
    }

    /// Returns the memory it takes, in bytes.
    pub(crate) fn size(&self) -> usize {
        self.entries.len() * size_of::<E>()
            + self.starts.len() * size_of::<u32>()
            + self.others_size()
    }

    fn others_size(&self) -> usize {
        // A byte a slot beside it, and half of them may be free.
        self.others.capacity() * 2 * (size_of::<E>() + 1)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use foldhash::quality::SeedableRandomState;
    use foldhash::SharedSeed;
    use proptest::prelude::*;
    use std::hash::Hasher;
    use std::iter::repeat_n;

    /// All in one place.
    #[derive(Clone, Copy, Default, PartialEq, Eq, Debug)]
    struct Alike(u16);

    impl Zeroize for Alike {
        fn zeroize(&mut self) {
            self.0.zeroize();
        }
    }

    impl Hash for Alike {
        fn hash<H: Hasher>(&self, _: &mut H) {}
    }

    fn table<E: HashEntry>(entries: &[E]) -> HashTable<E> {
        let mut heap = Heap::with_room(entries.len()).expect("memory");
        for entry in entries {
            heap.push(*entry).expect("room");
        }
        heap.sort().finish()
    }

    proptest! {
        #[test]
        fn table_holds_exactly_its_entries(
            entries in prop::collection::vec(any::<u16>(), 0..100),
            // As many as several shares take.
            many in prop::option::weighted(0.1, 10_000..60_000_u16),
        ) {
            let entries: Vec<u16> = entries.into_iter().chain((0..many.unwrap_or(0)).map(|n| n / 2)).collect();
            let table = table(&entries);
            let mut counts = vec![0; 1 << 16];
            for entry in &entries {
                counts[usize::from(*entry)] += 1;
            }
            for wanted in 0..=u16::MAX {
                let found = table.candidates(&wanted).filter(|entry| **entry == wanted);
                prop_assert_eq!(found.count(), counts[usize::from(wanted)]);
            }
        }
    }

    #[test]
    fn entries_of_one_place_are_found() {
        // More than a share has room for.
        let entries: Vec<Alike> = (0..20_000).map(Alike).collect();
        let table = table(&entries);
        for entry in &entries {
            assert!(table.candidates(entry).any(|found| found == entry));
        }
        assert!(table
            .candidates(&Alike(20_000))
            .all(|found| *found != Alike(20_000)));
    }

    #[test]
    fn repeated_entry_is_kept_once() {
        let entries: Vec<u64> = (1..=10_000).chain(repeat_n(7, 100_000)).collect();
        let table = table(&entries);
        for entry in 1..=10_000 {
            assert!(table.candidates(&entry).any(|found| *found == entry));
        }
        assert_eq!(table.others.len(), 1);
        assert!(table.candidates(&0).all(|found| *found != 0));
    }

    #[test]
    fn few_are_looked_at_and_little_memory_is_taken() {
        for entries in [1, 3, 100, 4095, 70_000, 1_000_000] {
            let all: Vec<u64> = (1..=entries).collect();
            let table = table(&all);
            let most = all.iter().map(|entry| table.candidates(entry).count());
            let most = most.max();
            assert!(most < Some(40), "{most:?} of {entries}");
            assert!(table.others.is_empty());
            let (size, reckoned) = (table.size(), memory::<u64>(all.len()));
            assert!(size <= reckoned, "{size} of {entries}");
            assert!(reckoned <= all.len() * 10 + 16, "{reckoned} of {entries}");
        }
    }

    #[test]
    fn no_seed_crowds_a_run_of_numbers() {
        let all: Vec<u64> = (1..=4095).collect();
        for seed in 0..100 {
            // The seed that a process has for all its tables.
            let shared = Box::leak(Box::new(SharedSeed::from_u64(seed)));
            let hasher = SeedableRandomState::with_seed(seed, shared);
            let mut heap = Heap::with_hasher(all.len(), hasher).expect("memory");
            all.iter()
                .for_each(|entry| heap.push(*entry).expect("room"));
            let table = heap.sort().finish();
            let most = all.iter().map(|entry| table.candidates(entry).count());
            let most = most.max();
            assert!(most < Some(40), "{most:?} with seed {seed}");
        }
    }

    #[test]
    fn takes_as_many_as_it_was_made_for() {
        let mut heap = Heap::with_room(1).expect("memory");
        assert_eq!(heap.push(7_u16), Ok(()));
        assert_eq!(heap.push(8), Err(TableFullError));
        let table = heap.sort().finish();
        assert_eq!(table.candidates(&7).collect::<Vec<_>>(), [&7]);
        assert!(Heap::<u64>::with_room(u32::MAX as usize + 1).is_err());
    }
}
