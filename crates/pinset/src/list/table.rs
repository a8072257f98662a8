//! A hash table of small entries, packed without a gap: one array of entries,
//! sorted by where their hash belongs, and one of where each place begins.
//!
//! Not `hashbrown`: its tables double while they grow and keep 9 bytes a slot
//! for 8 of ours, 15 to 20 bytes a PIN in all; these take 8.4 to 8.9, and
//! sorting goes through memory in order, where inserting jumps about.

use foldhash::fast::RandomState;
use zeroize::{Zeroize, Zeroizing};

/// What a table holds.
pub trait Entry: Copy + Zeroize {
    /// The hash of what makes one entry differ from another: the PIN, not
    /// whose it is. `hasher` differs from table to table, so that nobody can
    /// choose PINs that all belong in one place.
    fn hash(&self, hasher: &RandomState) -> u64;
}

/// So many bits of the hash tell the places within a share apart. The entries
/// of that many places fit into the processor's cache.
const PLACES: u32 = 11;

/// Entries on their way into a table. Memory is wiped when dropped.
pub struct Heap<E: Entry> {
    table: Table<E>,
    room: usize,
    /// How many entries belong in each share of the table, from 1.
    shares: Vec<u32>,
}

/// The entries are too many: more than the heap was made for, or than there is
/// memory for.
#[derive(Debug, PartialEq, Eq)]
pub struct Full;

impl<E: Entry> Heap<E> {
    /// Room for `room` entries.
    pub fn with_room(room: usize) -> Result<Self, Full> {
        // Where a place begins is kept in 32 bits.
        u32::try_from(room).map_err(|_| Full)?;
        let mut entries = Vec::new();
        entries.try_reserve_exact(room).map_err(|_| Full)?;
        let table = Table {
            entries: Zeroizing::new(entries),
            starts: Vec::new(),
            bits: place_bits(room),
            hasher: RandomState::default(),
        };
        Ok(Self {
            shares: vec![0; (1 << table.share_bits()) + 1],
            table,
            room,
        })
    }

    /// Adds an entry.
    pub fn push(&mut self, entry: E) -> Result<(), Full> {
        if self.table.entries.len() >= self.room {
            return Err(Full);
        }
        let share = self.table.share_of(&entry);
        self.shares[share + 1] += 1;
        self.table.entries.push(entry);
        Ok(())
    }

    /// What the table will take of memory, in bytes.
    pub fn size(&self) -> usize {
        memory::<E>(self.room)
    }

    /// No more will come.
    pub fn sort(mut self) -> Sorting<E> {
        add_up(&mut self.shares);
        self.table.starts = vec![0; (1 << self.table.bits) + 1];
        if let Some(end) = self.table.starts.last_mut() {
            *end = self.shares.last().copied().unwrap_or_default();
        }
        Sorting {
            filled: self.shares.clone(),
            shares: self.shares,
            shared: 0,
            placed: 0,
            scratch: Zeroizing::default(),
            table: self.table,
        }
    }
}

/// What a table of so many entries takes, in bytes.
pub const fn memory<E>(entries: usize) -> usize {
    let places = (1 << place_bits(entries)) + 1;
    entries
        .saturating_mul(size_of::<E>())
        .saturating_add(places * size_of::<u32>())
}

/// How many bits tell places apart: 4 to 8 entries belong in each.
const fn place_bits(entries: usize) -> u32 {
    match (entries / 4).checked_ilog2() {
        Some(bits) => bits,
        None => 0,
    }
}

/// A table being sorted, a share at a time, so that others get their turn:
/// first each entry goes to its share of the array, then to its place.
pub struct Sorting<E: Entry> {
    table: Table<E>,
    /// Where each share begins, and the end.
    shares: Vec<u32>,
    /// What of each share is filled with its own.
    filled: Vec<u32>,
    /// How many shares have all their own, and how many are in order.
    shared: usize,
    placed: usize,
    scratch: Zeroizing<Vec<E>>,
}

impl<E: Entry> Sorting<E> {
    /// Does a part of it; false when all is done.
    pub fn step(&mut self) -> bool {
        let shares = self.shares.len() - 1;
        if self.shared < shares {
            self.share(self.shared);
            self.shared += 1;
        } else if self.placed < shares {
            self.place(self.placed);
            self.placed += 1;
        }
        self.placed < shares
    }

    /// Fills a share with its own, sending what is there to where it belongs.
    fn share(&mut self, share: usize) {
        let end = self.shares[share + 1];
        while self.filled[share] < end {
            let here = self.filled[share] as usize;
            let mut entry = self.table.entries[here];
            loop {
                let to = self.table.share_of(&entry);
                let place = self.filled[to] as usize;
                self.filled[to] += 1;
                std::mem::swap(&mut entry, &mut self.table.entries[place]);
                if to == share {
                    break;
                }
            }
        }
    }

    /// Puts the entries of a share in their places.
    fn place(&mut self, share: usize) {
        let table = &mut self.table;
        let begin = self.shares[share];
        let all = begin as usize..self.shares[share + 1] as usize;
        let places = 1 << (table.bits - table.share_bits());
        self.scratch.clear();
        self.scratch.extend_from_slice(&table.entries[all]);
        let mut next = vec![0; places + 1];
        for entry in self.scratch.iter() {
            next[table.place_of(entry) % places + 1] += 1;
        }
        next[0] = begin;
        add_up(&mut next);
        table.starts[share * places..][..places].copy_from_slice(&next[..places]);
        for entry in self.scratch.iter() {
            let place = table.place_of(entry) % places;
            table.entries[next[place] as usize] = *entry;
            next[place] += 1;
        }
    }

    /// The table, once [`Self::step`] has said that all is done.
    pub fn finish(mut self) -> Table<E> {
        while self.step() {}
        self.table
    }
}

fn add_up(counts: &mut [u32]) {
    let mut sum = 0;
    for count in counts {
        sum += *count;
        *count = sum;
    }
}

/// The first `bits` bits of a hash.
fn first_bits(hash: u64, bits: u32) -> usize {
    hash.checked_shr(u64::BITS - bits).unwrap_or_default() as usize
}

/// The table. It is wiped when dropped.
pub struct Table<E: Entry> {
    entries: Zeroizing<Vec<E>>,
    /// Where the entries of each place begin, and the end.
    starts: Vec<u32>,
    bits: u32,
    hasher: RandomState,
}

impl<E: Entry> Table<E> {
    /// The few entries that `wanted` is among, if it is there.
    pub fn candidates(&self, wanted: &E) -> &[E] {
        let place = self.place_of(wanted);
        match self.starts.get(place..place + 2) {
            Some(&[start, end]) => self
                .entries
                .get(start as usize..end as usize)
                .unwrap_or_default(),
            _ => &[],
        }
    }

    fn share_bits(&self) -> u32 {
        self.bits.saturating_sub(PLACES)
    }

    fn share_of(&self, entry: &E) -> usize {
        first_bits(entry.hash(&self.hasher), self.share_bits())
    }

    fn place_of(&self, entry: &E) -> usize {
        first_bits(entry.hash(&self.hasher), self.bits)
    }

    /// What it takes of memory, in bytes.
    pub fn size(&self) -> usize {
        self.entries.capacity() * size_of::<E>() + self.starts.len() * size_of::<u32>()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;
    use std::hash::BuildHasher;

    impl Entry for u16 {
        fn hash(&self, hasher: &RandomState) -> u64 {
            hasher.hash_one(self)
        }
    }

    /// All in one place.
    #[derive(Clone, Copy, PartialEq)]
    struct Alike(u8);

    impl Zeroize for Alike {
        fn zeroize(&mut self) {
            self.0.zeroize();
        }
    }

    impl Entry for Alike {
        fn hash(&self, _: &RandomState) -> u64 {
            u64::MAX
        }
    }

    fn table<E: Entry>(entries: &[E]) -> Table<E> {
        let mut heap = Heap::with_room(entries.len()).expect("memory");
        for entry in entries {
            heap.push(*entry).expect("room");
        }
        heap.sort().finish()
    }

    proptest! {
        #[test]
        fn what_went_in_is_there_and_nothing_else(
            entries in prop::collection::vec(any::<u16>(), 0..100),
            // Enough of them for several shares.
            many in prop::option::weighted(0.1, 10_000..60_000_u16),
        ) {
            let entries: Vec<u16> = entries.into_iter().chain((0..many.unwrap_or(0)).map(|n| n / 2)).collect();
            let table = table(&entries);
            let mut counts = vec![0; 1 << 16];
            for entry in &entries {
                counts[usize::from(*entry)] += 1;
            }
            for wanted in 0..=u16::MAX {
                let found = table.candidates(&wanted).iter().filter(|entry| **entry == wanted);
                prop_assert_eq!(found.count(), counts[usize::from(wanted)]);
            }
        }
    }

    #[test]
    fn all_in_one_place() {
        let entries: Vec<Alike> = (0..=255).map(Alike).collect();
        let table = table(&entries);
        assert_eq!(table.candidates(&Alike(0)).len(), 256);
    }

    #[test]
    fn few_are_looked_at_and_little_memory_is_taken() {
        for entries in [1, 3, 100, 4095, 70_000, 1_000_000] {
            let all: Vec<u64> = (1..=entries).collect();
            let table = table(&all);
            let most = all.iter().map(|entry| table.candidates(entry).len()).max();
            assert!(most < Some(40), "{most:?} of {entries}");
            let size = table.size();
            assert_eq!(size, memory::<u64>(all.len()));
            assert!(size <= all.len() * 9 + 16, "{size} of {entries}");
        }
    }

    #[test]
    fn takes_as_many_as_it_was_made_for() {
        let mut heap = Heap::with_room(1).expect("memory");
        assert_eq!(heap.push(7_u16), Ok(()));
        assert_eq!(heap.push(8), Err(Full));
        let table = heap.sort().finish();
        assert_eq!(table.candidates(&7), [7]);
        assert!(Heap::<u64>::with_room(u32::MAX as usize + 1).is_err());
    }
}
