//! The rows of a table, in blocks: a row is written by its difference from the one
//! before it in its block, so that rows of a kind take little memory.

use zeroize::Zeroizing;

use super::arena::{ArenaFullError, Chunks};
use super::record::{Context, Record, Rest};
use crate::credential::pepper::KeyId;

/// The rows of a block. Finding one takes reading those before it in its block, so more
/// save memory and take time.
pub(super) const BLOCK_ROWS: usize = 20;

/// The size of a chunk of blocks.
const CHUNK_BYTES: usize = 1 << 20;

/// The room for a block that is written. It grows for longer ones.
const BLOCK_BYTES: usize = 4 << 10;

/// Rows, in order. They are wiped when dropped.
pub(super) struct Blocks {
    bytes: Chunks<u8>,
    /// Where each block is.
    starts: Vec<u32>,
    /// How many rows there are.
    rows: usize,
    /// The names of the keys, by the places that rows have for them.
    keys: Vec<KeyId>,
}

impl Blocks {
    /// Returns the rows of a block.
    pub(super) fn block(&self, number: u32) -> BlockRows<'_> {
        let number = number as usize;
        let bytes = self.starts.get(number).map(|start| self.bytes.get(*start));
        let before = number.saturating_mul(BLOCK_ROWS);
        BlockRows {
            context: Context::before(before),
            rest: Rest(bytes.unwrap_or_default()),
            left: self.rows.saturating_sub(before).min(BLOCK_ROWS),
            keys: &self.keys,
        }
    }

    /// Returns the number of blocks.
    pub(super) fn count(&self) -> u32 {
        // There are as many addresses.
        self.starts.len() as u32
    }

    /// Returns the memory they take, in bytes.
    pub(super) fn size(&self) -> usize {
        self.bytes.size()
            + self.starts.capacity() * size_of::<u32>()
            + self.keys.capacity() * size_of::<KeyId>()
    }
}

/// The rows of a block, one by one.
pub(super) struct BlockRows<'a> {
    context: Context,
    rest: Rest<'a>,
    left: usize,
    keys: &'a [KeyId],
}

impl BlockRows<'_> {
    /// Returns the next row. Not an iterator, because the row borrows from this.
    pub(super) fn next(&mut self) -> Option<Record<'_>> {
        self.left = self.left.checked_sub(1)?;
        self.context.read(&mut self.rest, self.keys)
    }
}

/// Blocks being filled.
pub(super) struct BlockWriter {
    bytes: Chunks<u8>,
    starts: Vec<u32>,
    rows: usize,
    /// The block that is being filled.
    block: Zeroizing<Vec<u8>>,
    context: Context,
}

impl BlockWriter {
    /// None yet.
    pub(super) fn new() -> Self {
        Self {
            bytes: Chunks::new(CHUNK_BYTES),
            starts: Vec::new(),
            rows: 0,
            block: Zeroizing::default(),
            context: Context::before(0),
        }
    }

    /// Adds a row of at most `most` bytes. `key` is the place of its key among the keys.
    pub(super) fn add(
        &mut self,
        record: &Record<'_>,
        key: usize,
        most: usize,
    ) -> Result<(), ArenaFullError> {
        self.make_room(most);
        self.context.write(record, key, &mut self.block);
        self.rows += 1;
        if self.rows % BLOCK_ROWS == 0 {
            self.end_block()?;
        }
        Ok(())
    }

    /// Makes room in the block: what it would leave behind when it grows is not wiped.
    fn make_room(&mut self, more: usize) {
        let needed = self.block.len() + more;
        if self.block.capacity() < needed {
            let mut larger = Zeroizing::new(Vec::with_capacity(needed.max(BLOCK_BYTES)));
            larger.extend_from_slice(&self.block);
            self.block = larger;
        }
    }

    fn end_block(&mut self) -> Result<(), ArenaFullError> {
        self.starts.push(self.bytes.add(&self.block)?);
        self.block.clear();
        self.context = Context::before(self.rows);
        Ok(())
    }

    /// Returns the number of blocks.
    pub(super) fn count(&self) -> u32 {
        self.rows.div_ceil(BLOCK_ROWS) as u32
    }

    /// Returns the memory they take, in bytes.
    pub(super) fn size(&self) -> usize {
        self.bytes.size() + self.starts.capacity() * size_of::<u32>() + self.block.capacity()
    }

    /// Returns the rows. The keys are in the order of their places.
    pub(super) fn finish(mut self, keys: Vec<KeyId>) -> Result<Blocks, ArenaFullError> {
        if !self.block.is_empty() {
            self.end_block()?;
        }
        self.starts.shrink_to_fit();
        Ok(Blocks {
            bytes: self.bytes,
            starts: self.starts,
            rows: self.rows,
            keys,
        })
    }
}
