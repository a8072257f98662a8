//! A list that grows without moving: what a larger copy replaces would not be
//! wiped.

use thiserror::Error;
use zeroize::{Zeroize, Zeroizing};

/// The size of the first chunk in items, unless more are added at once.
const FIRST_CHUNK_ITEMS: usize = 256;

/// The bits of an address that hold the position within a chunk.
const POSITION_BITS: u32 = 20;

/// Items in chunks, in order. They are wiped when dropped.
pub(super) struct Chunks<T: Zeroize> {
    chunks: Vec<Zeroizing<Vec<T>>>,
    /// How many items the chunks have room for, and how many one has at most.
    room: usize,
    most: usize,
}

/// There is no memory, or no address: it is over 4096 chunks, or over 2^20 items
/// at once.
#[derive(Debug, Error)]
#[error("no memory, or no address, for more items")]
pub(super) struct ArenaFullError;

impl<T: Zeroize + Copy> Chunks<T> {
    /// None yet. A chunk will have room for `most` items at most, which are 2^20
    /// at most, unless more come at once.
    pub(super) fn new(most: usize) -> Self {
        Self {
            chunks: Vec::new(),
            room: 0,
            most: most.min(1 << POSITION_BITS),
        }
    }

    /// Adds items, side by side in one chunk: where they are. What comes later
    /// is at a higher address.
    pub(super) fn add(&mut self, items: &[T]) -> Result<u32, ArenaFullError> {
        if items.len() > 1 << POSITION_BITS {
            return Err(ArenaFullError);
        }
        let fits = |chunk: &Zeroizing<Vec<T>>| chunk.capacity() - chunk.len() >= items.len();
        if !self.chunks.last().is_some_and(fits) {
            // About as much again as there is.
            let size = self
                .room
                .max(FIRST_CHUNK_ITEMS)
                .min(self.most)
                .max(items.len());
            let mut chunk = Vec::new();
            chunk.try_reserve_exact(size).map_err(|_| ArenaFullError)?;
            self.room += chunk.capacity();
            self.chunks.push(Zeroizing::new(chunk));
        }
        let number = self.chunks.len().saturating_sub(1);
        let chunk = self.chunks.last_mut().ok_or(ArenaFullError)?;
        let at =
            u32::try_from(number << POSITION_BITS | chunk.len()).map_err(|_| ArenaFullError)?;
        chunk.extend_from_slice(items);
        Ok(at)
    }

    /// The items of a chunk from an address on.
    pub(super) fn get(&self, at: u32) -> &[T] {
        let (number, within) = (at >> POSITION_BITS, at & ((1 << POSITION_BITS) - 1));
        let chunk = self.chunks.get(number as usize);
        chunk
            .and_then(|chunk| chunk.get(within as usize..))
            .unwrap_or_default()
    }

    /// The items, in order.
    pub(super) fn iter(&self) -> impl Iterator<Item = &T> {
        self.chunks.iter().flat_map(|chunk| chunk.iter())
    }

    /// Returns the memory they take, in bytes.
    pub(super) fn size(&self) -> usize {
        self.room * size_of::<T>()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    proptest! {
        #[test]
        fn added_text_is_read_back_at_its_place(
            parts in prop::collection::vec(prop::collection::vec(any::<u8>(), 1..700), 0..60),
            most in 1..2000_usize,
        ) {
            let mut chunks = Chunks::new(most);
            let mut last = None;
            let mut all = Vec::new();
            for part in &parts {
                let at = chunks.add(part).expect("memory");
                prop_assert!(last < Some(at));
                last = Some(at);
                all.push((at, part));
            }
            for (at, part) in all {
                prop_assert!(chunks.get(at).starts_with(part));
            }
            let bytes = parts.iter().map(Vec::len).sum();
            prop_assert!(chunks.size() >= bytes);
            let kept: usize = chunks.chunks.iter().map(|chunk| chunk.len()).sum();
            prop_assert_eq!(kept, bytes);
        }
    }
}
