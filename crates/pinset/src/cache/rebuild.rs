//! Rebuilding of an index in small steps, between the lookups of callers.

use std::fs::File;
use std::io::Seek;
use std::sync::Arc;

use super::{Cache, CacheKey, EntryState, List, Seen};
use crate::cache::report::{broken_lines, Report};
use crate::list::format::blocks::Blocks;
use crate::list::index::{Building, IndexError};
use crate::list::open::file::Stamp;

/// An index being made, a part at a time, so that callers get their turn.
pub struct Rebuild {
    pub(super) list: List,
    pub(super) seen: Seen,
    pub(super) limit: u64,
    /// While it lives, no other rebuild of the same list starts.
    pub(super) token: Arc<()>,
    pub(super) stage: RebuildStage,
}

/// The next step of a rebuild.
pub(super) enum RebuildStage {
    /// The file, its lines and bytes. Its memory, which takes a while to be had,
    /// is nothing a caller should wait for.
    Promised(File, u64, u64),
    Reading(Blocks<File>, Building),
    Sorting(Building),
    Ended,
}

/// The progress of an index.
#[derive(Debug, PartialEq, Eq)]
pub enum Progress {
    /// There is more to do.
    More,
    /// It is made and in use, or was given up: the list has changed since. What
    /// the administrator should hear.
    Over(Vec<Report>),
}

impl Rebuild {
    /// The list that it is an index of.
    pub fn list(&self) -> &List {
        &self.list
    }

    /// Does a part, of a few milliseconds.
    pub fn step(&mut self, cache: &Cache) -> Progress {
        if !cache.wants(&self.list, &self.token) {
            self.stage = RebuildStage::Ended;
        }
        match std::mem::replace(&mut self.stage, RebuildStage::Ended) {
            RebuildStage::Promised(file, lines, bytes) => {
                match self.begin(file, lines, bytes) {
                    Some(stage) => self.stage = stage,
                    // No memory, or no file: until there is, each entry is
                    // looked for in the file.
                    None => {
                        cache.forget(&CacheKey::Pins(self.list.clone()));
                        return Progress::Over(Vec::new());
                    }
                }
                Progress::More
            }
            RebuildStage::Reading(blocks, building) => self.read(blocks, building, cache),
            RebuildStage::Sorting(mut building) => {
                if building.step() {
                    self.stage = RebuildStage::Sorting(building);
                    return Progress::More;
                }
                let index = building.finish();
                let reports = broken_lines(&self.list.path, &index);
                let entry = self.seen.entry(EntryState::Index(Arc::new(index)));
                cache.keep(&CacheKey::Pins(self.list.clone()), entry, self.limit);
                Progress::Over(reports)
            }
            RebuildStage::Ended => Progress::Over(Vec::new()),
        }
    }

    fn begin(&self, mut file: File, lines: u64, bytes: u64) -> Option<RebuildStage> {
        let building = Building::new(self.list.format, lines, bytes, self.limit).ok()?;
        file.rewind().ok()?;
        Some(RebuildStage::Reading(
            Blocks::new(file, self.seen.still),
            building,
        ))
    }

    fn read(
        &mut self,
        mut blocks: Blocks<File>,
        mut building: Building,
        cache: &Cache,
    ) -> Progress {
        let refused = match blocks.next_block() {
            Ok(Some(block)) => building.add(block.lines).err(),
            Ok(None) => {
                if self.is_unchanged(blocks.list()) {
                    self.stage = RebuildStage::Sorting(building.sort());
                    return Progress::More;
                }
                Some(IndexError::Grown)
            }
            Err(_) => Some(IndexError::Grown),
        };
        match refused {
            None => {
                self.stage = RebuildStage::Reading(blocks, building);
                Progress::More
            }
            Some(IndexError::TooLarge) => {
                let entry = self.seen.entry(EntryState::TooLarge(self.limit));
                cache.keep(&CacheKey::Pins(self.list.clone()), entry, self.limit);
                Progress::Over(Vec::new())
            }
            // The next entry looks again.
            Some(IndexError::Grown) => {
                cache.forget(&CacheKey::Pins(self.list.clone()));
                Progress::Over(Vec::new())
            }
        }
    }

    fn is_unchanged(&self, file: &File) -> bool {
        file.metadata()
            .is_ok_and(|about| Stamp::of(&about) == self.seen.stamp)
    }
}
