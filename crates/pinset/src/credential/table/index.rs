//! In which blocks rows are, by a hash of what they are found by. Any number of rows may
//! have the same.
//!
//! Buckets of block numbers in one array, each number beside some more bits of the hash.
//! Those of a bucket are in the order of the list.
//!
//! Not [`crate::list`]'s table: it keeps one of those that are the same.

use std::collections::VecDeque;

use zeroize::Zeroizing;

use super::arena::{ArenaFullError, Chunks};
use super::signed::FoundBy;

/// The least bits of the hash beside a block number. Of `n` bits, the blocks of one in `2^n`
/// other rows of a bucket are read in vain: nearly none for a wrong PIN, and for numbers and
/// accounts about as many as are right.
const MIN_TAG_BITS: Keyed<u32> = Keyed {
    pins: 12,
    callers: 4,
    accounts: 4,
};

/// A bucket has 16 to 32 entries.
const MIN_BUCKET_ENTRIES: usize = 16;

/// A share has twice as many rows at most, unless there are more than the most shares.
const SHARE_ROWS: usize = 16 << 10;
const MAX_SHARE_BITS: u32 = 8;

/// The rows of a chunk of a share.
const SHARE_CHUNK_ROWS: usize = 4 << 10;

/// The most memory of a row in its share, with chunks that are not full.
const SHARE_ROW_BYTES: usize = size_of::<u64>() * 3 / 2;

/// Something of each index: of what rows are found by.
#[derive(Clone, Copy, Default)]
pub(super) struct Keyed<T> {
    /// By their PIN.
    pub pins: T,
    /// By their number.
    pub callers: T,
    /// By their account.
    pub accounts: T,
}

impl<T> Keyed<T> {
    /// Returns what `f` makes of each.
    pub(super) fn map<U>(self, f: impl Fn(FoundBy, T) -> U) -> Keyed<U> {
        Keyed {
            pins: f(FoundBy::Pin, self.pins),
            callers: f(FoundBy::Caller, self.callers),
            accounts: f(FoundBy::Account, self.accounts),
        }
    }

    /// Returns those of all.
    pub(super) fn all(&self) -> [(FoundBy, &T); 3] {
        [FoundBy::Pin, FoundBy::Caller, FoundBy::Account].map(|by| (by, self.of(by)))
    }

    /// Returns that of one.
    pub(super) const fn of(&self, by: FoundBy) -> &T {
        match by {
            FoundBy::Pin => &self.pins,
            FoundBy::Caller => &self.callers,
            FoundBy::Account => &self.accounts,
        }
    }

    /// Returns that of one, to be changed.
    pub(super) fn of_mut(&mut self, by: FoundBy) -> &mut T {
        match by {
            FoundBy::Pin => &mut self.pins,
            FoundBy::Caller => &mut self.callers,
            FoundBy::Account => &mut self.accounts,
        }
    }
}

impl<T, E> Keyed<Result<T, E>> {
    /// Returns those of all, or an error of one.
    pub(super) fn transpose(self) -> Result<Keyed<T>, E> {
        Ok(Keyed {
            pins: self.pins?,
            callers: self.callers?,
            accounts: self.accounts?,
        })
    }
}

fn first_bits(hash: u32, bits: u32) -> usize {
    hash.checked_shr(u32::BITS - bits).unwrap_or_default() as usize
}

/// What the bits of hashes and entries mean.
#[derive(Clone, Copy)]
struct Layout {
    /// The first bits of a hash select its bucket.
    bucket_bits: u32,
    /// The next ones stand in an entry above the number of the block.
    tag_bits: u32,
    block_bits: u32,
    /// The bytes of an entry.
    width: u32,
}

impl Layout {
    fn new(entries: usize, blocks: u32, by: FoundBy) -> Self {
        let buckets = entries / MIN_BUCKET_ENTRIES;
        let bucket_bits = buckets.checked_ilog2().unwrap_or(0).min(u32::BITS - 1);
        let block_bits = u32::BITS - blocks.saturating_sub(1).leading_zeros();
        // Chunks have too few addresses for rows that need more than four bytes.
        let width = (block_bits + MIN_TAG_BITS.of(by)).div_ceil(u8::BITS).min(4);
        let unused = width * u8::BITS - block_bits;
        Self {
            bucket_bits,
            tag_bits: unused.min(u32::BITS - bucket_bits),
            block_bits,
            width,
        }
    }

    fn bucket(self, hash: u32) -> usize {
        first_bits(hash, self.bucket_bits)
    }

    /// Returns the bits of a hash that its entries have, where they have them.
    fn tag(self, hash: u32) -> u32 {
        let behind = hash.checked_shl(self.bucket_bits).unwrap_or_default();
        let tag = behind.checked_shr(u32::BITS - self.tag_bits);
        let tag = tag.unwrap_or_default();
        tag.checked_shl(self.block_bits).unwrap_or_default()
    }

    fn block(self, entry: u32) -> u32 {
        let above = u32::MAX.checked_shl(self.block_bits).unwrap_or_default();
        entry & !above
    }
}

/// An index being made: rows are added, each to the share of the array that it belongs to,
/// then the shares are placed, each of which fits into the processor's cache.
pub(super) struct IndexDraft {
    /// The hash of each row, and its block, by their shares.
    shares: VecDeque<Chunks<u64>>,
    share_bits: u32,
    /// How many rows will still come.
    missing: usize,
    index: RowIndex,
}

impl IndexDraft {
    /// Returns the memory that an index of this number of rows takes, in bytes.
    pub(super) fn memory(rows: usize, blocks: u32, by: FoundBy) -> usize {
        let layout = Layout::new(rows, blocks, by);
        rows * layout.width as usize + (1 << layout.bucket_bits) * size_of::<u32>()
    }

    /// Returns the most memory that it takes besides while it is made.
    pub(super) fn memory_of_shares(rows: usize) -> usize {
        rows * SHARE_ROW_BYTES
    }

    /// For as many rows and blocks as will be added.
    pub(super) fn new(rows: usize, blocks: u32, by: FoundBy) -> Result<Self, ArenaFullError> {
        let layout = Layout::new(rows, blocks, by);
        let (mut entries, mut ends) = (Vec::new(), Vec::new());
        ends.try_reserve_exact(1 << layout.bucket_bits)
            .and_then(|()| entries.try_reserve_exact(rows * layout.width as usize))
            .map_err(|_| ArenaFullError)?;
        let share_bits = (rows / SHARE_ROWS).checked_ilog2().unwrap_or(0);
        let share_bits = share_bits.min(MAX_SHARE_BITS);
        let shares = (0..1 << share_bits).map(|_| Chunks::new(SHARE_CHUNK_ROWS));
        Ok(Self {
            shares: shares.collect(),
            share_bits,
            missing: rows,
            index: RowIndex {
                layout,
                entries: Zeroizing::new(entries),
                ends,
            },
        })
    }

    /// Whether rows will still come.
    pub(super) fn lacks_rows(&self) -> bool {
        self.missing > 0
    }

    /// Adds a row. Those of a block come after those of the blocks before it.
    pub(super) fn add(&mut self, hash: u32, block: u32) -> Result<(), ArenaFullError> {
        let share = self.shares.get_mut(first_bits(hash, self.share_bits));
        let row = u64::from(hash) << 32 | u64::from(block);
        self.missing = self.missing.saturating_sub(1);
        share.ok_or(ArenaFullError)?.add(&[row]).map(drop)
    }

    /// Places a share; false if all are. No row may come after that.
    pub(super) fn place(&mut self) -> bool {
        let Some(share) = self.shares.pop_front() else {
            return false;
        };
        let RowIndex {
            layout,
            entries,
            ends,
        } = &mut self.index;
        let (width, first) = (layout.width as usize, ends.len());
        let bucket = |hash| layout.bucket(hash).saturating_sub(first);
        ends.resize(first + (1 << (layout.bucket_bits - self.share_bits)), 0);
        let ends = ends.get_mut(first..).unwrap_or_default();
        for (hash, _) in share.iter().copied().map(parts) {
            if let Some(count) = ends.get_mut(bucket(hash)) {
                *count += 1;
            }
        }
        // From now on, the end of a bucket is where its next entry goes.
        let mut sum = (entries.len() / width) as u32;
        for count in &mut *ends {
            let begin = sum;
            sum += *count;
            *count = begin;
        }
        entries.resize(sum as usize * width, 0);
        for (hash, block) in share.iter().copied().map(parts) {
            let Some(end) = ends.get_mut(bucket(hash)) else {
                continue;
            };
            let at = *end as usize * width;
            *end += 1;
            let entry = (layout.tag(hash) | block).to_le_bytes();
            let place = entries.get_mut(at..at + width);
            if let (Some(place), Some(entry)) = (place, entry.get(..width)) {
                place.copy_from_slice(entry);
            }
        }
        true
    }

    /// The index; what is not placed yet is.
    pub(super) fn finish(mut self) -> RowIndex {
        while self.place() {}
        self.index
    }
}

/// The hash of a row, and its block.
fn parts(row: u64) -> (u32, u32) {
    ((row >> 32) as u32, row as u32)
}

/// The index.
pub(super) struct RowIndex {
    layout: Layout,
    entries: Zeroizing<Vec<u8>>,
    /// Where each bucket ends, and the next one begins.
    ends: Vec<u32>,
}

impl RowIndex {
    /// Returns the blocks that may have rows of this hash, in order.
    pub(super) fn get(&self, hash: u32) -> BlockRun<'_> {
        BlockRun {
            entries: self.entries(self.layout.bucket(hash)),
            layout: self.layout,
            tag: Some(self.layout.tag(hash)),
            last: None,
        }
    }

    /// Returns the number of buckets.
    pub(super) fn buckets(&self) -> usize {
        self.ends.len()
    }

    /// Whether the entries of this hash are in a bucket.
    pub(super) fn is_in(&self, hash: u32, bucket: usize) -> bool {
        self.layout.bucket(hash) == bucket
    }

    /// Returns the number of entries in a bucket: one for each row.
    pub(super) fn entries_in(&self, bucket: usize) -> usize {
        self.entries(bucket).len()
    }

    /// Returns the blocks that have rows in a bucket, in order.
    pub(super) fn bucket(&self, number: usize) -> BlockRun<'_> {
        BlockRun {
            entries: self.entries(number),
            layout: self.layout,
            tag: None,
            last: None,
        }
    }

    fn entries(&self, bucket: usize) -> std::slice::ChunksExact<'_, u8> {
        let start = bucket
            .checked_sub(1)
            .and_then(|before| self.ends.get(before));
        let start = start.map_or(0, |end| *end as usize);
        let end = self.ends.get(bucket).map_or(start, |end| *end as usize);
        let width = self.layout.width as usize;
        let entries = self.entries.get(start * width..end * width);
        entries.unwrap_or_default().chunks_exact(width)
    }

    /// Returns the memory it takes, in bytes.
    pub(super) fn size(&self) -> usize {
        self.entries.capacity() + self.ends.capacity() * size_of::<u32>()
    }
}

/// Numbers of blocks, in order, each once.
#[derive(Clone)]
pub(super) struct BlockRun<'a> {
    entries: std::slice::ChunksExact<'a, u8>,
    layout: Layout,
    /// Those that have other bits beside them are passed over.
    tag: Option<u32>,
    last: Option<u32>,
}

impl Iterator for BlockRun<'_> {
    type Item = u32;

    fn next(&mut self) -> Option<u32> {
        for bytes in self.entries.by_ref() {
            let mut entry = [0; 4];
            for (to, from) in entry.iter_mut().zip(bytes) {
                *to = *from;
            }
            let entry = u32::from_le_bytes(entry);
            let block = self.layout.block(entry);
            let is_of = self.tag.is_none_or(|tag| entry - block == tag);
            if is_of && self.last.replace(block) != Some(block) {
                return Some(block);
            }
        }
        None
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    /// The index of rows of these hashes, `rows` to a block.
    fn index(hashes: &[u32], rows: usize, by: FoundBy) -> RowIndex {
        let blocks = hashes.len().div_ceil(rows) as u32;
        let mut draft = IndexDraft::new(hashes.len(), blocks, by).expect("memory");
        for (row, hash) in hashes.iter().enumerate() {
            assert!(draft.lacks_rows());
            draft.add(*hash, (row / rows) as u32).expect("memory");
        }
        assert!(!draft.lacks_rows());
        let shares: usize = draft.shares.iter().map(Chunks::size).sum();
        // A few are in a chunk of the least size.
        let most = IndexDraft::memory_of_shares(hashes.len()).max(3000);
        assert!(shares <= most, "{shares} {most}");
        let index = draft.finish();
        assert_eq!(index.size(), IndexDraft::memory(hashes.len(), blocks, by));
        index
    }

    fn check(hashes: &[u32], rows: usize) {
        check_by(hashes, rows, FoundBy::Pin);
        check_by(hashes, rows, FoundBy::Caller);
    }

    fn check_by(hashes: &[u32], rows: usize, by: FoundBy) {
        let index = index(hashes, rows, by);
        let in_order = |run: BlockRun<'_>| {
            let blocks: Vec<u32> = run.collect();
            assert!(blocks.is_sorted_by(|one, next| one < next));
            blocks
        };
        for (row, hash) in hashes.iter().enumerate().step_by(hashes.len() / 50 + 1) {
            let found = in_order(index.get(*hash));
            assert!(found.contains(&((row / rows) as u32)), "{row} {hash}");
            let bucket = index.layout.bucket(*hash);
            assert!(index.is_in(*hash, bucket));
            let all = in_order(index.bucket(bucket));
            assert!(found.iter().all(|block| all.contains(block)));
        }
        let all: usize = (0..index.buckets())
            .map(|bucket| index.entries_in(bucket))
            .sum();
        assert_eq!(all, hashes.len());
    }

    proptest! {
        #[test]
        fn all_rows_of_a_hash_are_found(
            hashes in prop::collection::vec(prop_oneof![any::<u32>(), 0..9_u32, u32::MAX - 9..], 0..200),
            many in prop::option::weighted(0.05, 30_000..100_000_u32),
            rows in 1..40_usize,
        ) {
            let many = (0..many.unwrap_or(0)).map(|n| (n / 2).wrapping_mul(2_654_435_761));
            let hashes: Vec<u32> = hashes.into_iter().chain(many).collect();
            check(&hashes, rows);
        }
    }

    #[test]
    fn many_rows_of_one_hash_are_found() {
        check(&[7; 100_000], 16);
        check(&[u32::MAX; 5], 16);
        check(&[], 16);
    }

    #[test]
    fn few_blocks_of_other_hashes_are_found() {
        let hashes: Vec<u32> = (0..500_000_u32)
            .map(|n| n.wrapping_mul(2_654_435_761))
            .collect();
        for (by, most) in [(FoundBy::Pin, 100), (FoundBy::Account, 10_000)] {
            let index = index(&hashes, 20, by);
            let missing = (0..10_000_u32).map(|n| n.wrapping_mul(0x9e37_79b1).wrapping_add(12_345));
            let found: usize = missing.map(|hash| index.get(hash).count()).sum();
            assert!(found < most, "{found} blocks for 10,000 hashes");
        }
    }

    #[test]
    fn entries_are_as_wide_as_blocks_need() {
        let width = |blocks, by| Layout::new(100, blocks, by).width;
        for (blocks, of_pins, others) in [
            (0, 2, 1),
            (1, 2, 1),
            (16, 2, 1),
            (17, 3, 2),
            (4096, 3, 2),
            (4097, 4, 3),
            // Ten million rows.
            (500_000, 4, 3),
            (u32::MAX, 4, 4),
        ] {
            assert_eq!(width(blocks, FoundBy::Pin), of_pins, "{blocks}");
            assert_eq!(width(blocks, FoundBy::Account), others, "{blocks}");
        }
    }
}
