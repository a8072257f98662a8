//! Where rows are, by a hash of what they are found by. Any number of rows may
//! have the same.
//!
//! Not [`crate::list`]'s table: it keeps one of those that are the same.

use std::vec;

use zeroize::Zeroizing;

use super::arena::{ArenaFullError, Chunks};

/// How many bits of the hash select the share of the index that an entry is in. Each
/// share is sorted in one step.
const SHARE_BITS: u32 = 10;

/// More entries than that are divided into shares: the rows that a database has found for
/// one entry are not.
const UNDIVIDED_ENTRIES: usize = 1024;

/// The entries of a chunk, which are moved or sorted in one step.
const CHUNK_ENTRIES: usize = 32 << 10;

/// The hash, and behind it where the row is: sorted, the rows of one hash
/// stand together, in the order of the list.
pub(super) type IndexEntry = u64;

fn entry(hash: u32, row: u32) -> IndexEntry {
    IndexEntry::from(hash) << 32 | IndexEntry::from(row)
}

fn hash(entry: IndexEntry) -> u32 {
    (entry >> 32) as u32
}

/// Where the row of an entry is.
pub(super) fn row(entry: IndexEntry) -> u32 {
    entry as u32
}

/// The number of bits that tell places apart: 4 to 8 entries belong in each.
fn place_bits(entries: usize) -> u32 {
    (entries / 4)
        .checked_ilog2()
        .unwrap_or(0)
        .min(u32::BITS - 1)
}

fn first_bits(hash: u32, bits: u32) -> usize {
    hash.checked_shr(u32::BITS - bits).unwrap_or_default() as usize
}

/// Entries as they come.
pub(super) struct IndexHeap {
    entries: Chunks<IndexEntry>,
    /// The number of entries in each share.
    counts: Vec<u32>,
    share_bits: u32,
    count: usize,
}

impl IndexHeap {
    pub(super) fn new() -> Self {
        Self {
            entries: Chunks::new(CHUNK_ENTRIES),
            counts: vec![0],
            share_bits: 0,
            count: 0,
        }
    }

    /// Adds a row.
    pub(super) fn push(&mut self, hash: u32, row: u32) -> Result<(), ArenaFullError> {
        if self.count == UNDIVIDED_ENTRIES {
            self.divide();
        }
        self.entries.add(&[entry(hash, row)])?;
        if let Some(count) = self.counts.get_mut(first_bits(hash, self.share_bits)) {
            *count = count.checked_add(1).ok_or(ArenaFullError)?;
        }
        self.count += 1;
        Ok(())
    }

    fn divide(&mut self) {
        self.share_bits = SHARE_BITS;
        self.counts = vec![0; 1 << SHARE_BITS];
        for entry in self.entries.iter() {
            if let Some(count) = self.counts.get_mut(first_bits(hash(*entry), SHARE_BITS)) {
                *count += 1;
            }
        }
    }

    /// What the entries take of memory now, and what their index will, in
    /// bytes.
    pub(super) fn sizes(&self) -> (usize, usize) {
        let places = (1 << place_bits(self.count)) + 1;
        let index = self.count * size_of::<IndexEntry>() + places * size_of::<u32>();
        (self.entries.size(), index)
    }

    /// No more will come.
    pub(super) fn sort(self) -> Result<IndexSorting, ArenaFullError> {
        let bits = place_bits(self.count);
        let (mut entries, mut starts) = (Vec::new(), Vec::new());
        entries
            .try_reserve_exact(self.count)
            .and_then(|()| starts.try_reserve_exact((1 << bits) + 1))
            .map_err(|_| ArenaFullError)?;
        let mut next: Vec<u32> = Vec::with_capacity(self.counts.len());
        let mut sum = 0_u32;
        for count in &self.counts {
            next.push(sum);
            sum = sum.checked_add(*count).ok_or(ArenaFullError)?;
        }
        Ok(IndexSorting {
            chunks: self.entries.into_chunks().collect::<Vec<_>>().into_iter(),
            counts: self.counts.into_iter(),
            share_bits: self.share_bits,
            count: self.count,
            next,
            sorted: 0,
            index: RowIndex {
                entries: Zeroizing::new(entries),
                starts,
                bits,
            },
        })
    }
}

/// An index being sorted, a part at a time.
pub(super) struct IndexSorting {
    chunks: vec::IntoIter<Zeroizing<Vec<IndexEntry>>>,
    /// Of the shares that are not sorted.
    counts: vec::IntoIter<u32>,
    share_bits: u32,
    count: usize,
    /// Where the next entry of each share goes.
    next: Vec<u32>,
    sorted: usize,
    index: RowIndex,
}

impl IndexSorting {
    /// Does a part; false when all is done.
    pub(super) fn step(&mut self) -> bool {
        let RowIndex {
            entries,
            starts,
            bits,
        } = &mut self.index;
        // Memory that is new takes its time, too.
        if entries.len() < self.count {
            let more = self.count.min(entries.len() + 8 * CHUNK_ENTRIES);
            entries.resize(more, 0);
            return true;
        }
        if let Some(chunk) = self.chunks.next() {
            for entry in chunk.iter() {
                let Some(next) = self.next.get_mut(first_bits(hash(*entry), self.share_bits))
                else {
                    continue;
                };
                if let Some(place) = entries.get_mut(*next as usize) {
                    *place = *entry;
                }
                *next += 1;
            }
            return true;
        }
        let until = self.sorted + CHUNK_ENTRIES;
        while self.sorted < until {
            let Some(count) = self.counts.next() else {
                break;
            };
            let begin = self.sorted;
            self.sorted += count as usize;
            let share = entries.get_mut(begin..self.sorted).unwrap_or_default();
            share.sort_unstable();
            for (at, entry) in share.iter().enumerate() {
                let place = first_bits(hash(*entry), *bits);
                while starts.len() <= place {
                    starts.push((begin + at) as u32);
                }
            }
        }
        self.sorted < self.count
    }

    /// The index; what is not sorted yet is.
    pub(super) fn finish(mut self) -> RowIndex {
        while self.step() {}
        let end = self.count as u32;
        self.index.starts.resize((1 << self.index.bits) + 1, end);
        self.index
    }
}

/// The index.
pub(super) struct RowIndex {
    entries: Zeroizing<Vec<IndexEntry>>,
    /// Where the entries of each place begin, and the end.
    starts: Vec<u32>,
    bits: u32,
}

impl RowIndex {
    /// The entries of this hash, in the order of the list.
    pub(super) fn get(&self, wanted: u32) -> &[IndexEntry] {
        let place = first_bits(wanted, self.bits);
        let entries = match self.starts.get(place..place + 2) {
            Some(&[start, end]) => self.entries.get(start as usize..end as usize),
            _ => None,
        };
        let entries = entries.unwrap_or_default();
        // One hash may be there a million times.
        let start = entries.partition_point(|entry| hash(*entry) < wanted);
        let end = entries.partition_point(|entry| hash(*entry) <= wanted);
        entries.get(start..end).unwrap_or_default()
    }

    /// The entries from this one on that have its hash; none behind the last.
    pub(super) fn run_at(&self, at: usize) -> &[IndexEntry] {
        let rest = self.entries.get(at..).unwrap_or_default();
        let mut runs = rest.chunk_by(|one, other| hash(*one) == hash(*other));
        runs.next().unwrap_or_default()
    }

    /// The entries of each hash that is there, one hash after the other.
    #[cfg(test)]
    pub(super) fn runs(&self) -> impl Iterator<Item = &[IndexEntry]> {
        self.entries
            .chunk_by(|one, other| hash(*one) == hash(*other))
    }

    /// Returns the memory it takes, in bytes.
    pub(super) fn size(&self) -> usize {
        self.entries.capacity() * size_of::<IndexEntry>()
            + self.starts.capacity() * size_of::<u32>()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;
    use std::collections::BTreeMap;

    fn index(hashes: &[u32]) -> (RowIndex, usize) {
        let mut heap = IndexHeap::new();
        for (row, hash) in (0..).zip(hashes) {
            heap.push(*hash, row).expect("memory");
        }
        let (_, reckoned) = heap.sizes();
        (heap.sort().expect("memory").finish(), reckoned)
    }

    fn check(hashes: &[u32]) {
        let (index, reckoned) = index(hashes);
        assert!(index.size() <= reckoned, "{} {reckoned}", index.size());
        let mut all = BTreeMap::new();
        for (row, hash) in (0..).zip(hashes) {
            all.entry(*hash).or_insert_with(Vec::new).push(row);
        }
        let found = |hash| {
            index
                .get(hash)
                .iter()
                .map(|entry| row(*entry))
                .collect::<Vec<u32>>()
        };
        for (hash, rows) in &all {
            assert_eq!(found(*hash), *rows);
            for other in [hash.wrapping_sub(1), hash.wrapping_add(1)] {
                assert_eq!(found(other), *all.get(&other).unwrap_or(&Vec::new()));
            }
        }
        let runs = index.runs().map(<[_]>::len);
        assert!(runs.eq(all.values().map(Vec::len)));
    }

    proptest! {
        #[test]
        fn all_rows_of_a_hash_are_found(
            hashes in prop::collection::vec(prop_oneof![any::<u32>(), 0..9_u32, u32::MAX - 9..], 0..200),
            // As many as several parts take.
            many in prop::option::weighted(0.05, 30_000..100_000_u32),
        ) {
            let many = (0..many.unwrap_or(0)).map(|n| (n / 2).wrapping_mul(2_654_435_761));
            let hashes: Vec<u32> = hashes.into_iter().chain(many).collect();
            check(&hashes);
        }
    }

    #[test]
    fn many_rows_of_one_hash_are_found() {
        check(&[7; 100_000]);
        check(&[u32::MAX; 5]);
        check(&[]);
    }

    #[test]
    fn rows_are_found_whether_or_not_they_are_divided() {
        for count in [UNDIVIDED_ENTRIES, UNDIVIDED_ENTRIES + 1] {
            let hashes = (0..count as u32).map(|n| (n / 2).wrapping_mul(2_654_435_761));
            check(&hashes.collect::<Vec<_>>());
        }
    }
}
