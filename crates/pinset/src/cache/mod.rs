//! A cache of PIN files in memory, checked against the disk at each lookup.
//!
//! Each lookup checks the file first. An index answers only if the file is the one it was
//! made of. Otherwise it is never used again: the file is scanned, and a new index is made
//! in the meantime.

use std::collections::BTreeMap;
use std::fs::File;
use std::io::{self, Read, Seek};
use std::path::PathBuf;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError, Weak};
use std::time::SystemTime;

use zeroize::Zeroizing;

use crate::credential::table::Rows;
use crate::list::format::blocks::{Blocks, BLOCK_BYTES};
use crate::list::format::detect::FileKind;
use crate::list::format::line::Format;
use crate::list::index::linear_scan::{pass, Passed};
use crate::list::index::{memory, Building, Index, IndexError};
use crate::list::open::file::Stamp;
use crate::pin::Pin;
use crate::verdict::{Grant, Verdict};
use report::broken_lines;

mod rebuild;
mod recall;
pub mod report;
mod rows;

use rebuild::RebuildStage;
pub use rebuild::{Progress, Rebuild};
pub use recall::{Contents, Recalled};
pub use report::Report;
pub use rows::{RowAnswer, RowList, RowProgress, RowReading, Rules};

/// Lists up to this size are read for each lookup, which takes at most a
/// millisecond.
const MAX_UNCACHED_BYTES: u64 = BLOCK_BYTES as u64;

/// The most lists in memory: `Authenticate(/pins/${EXTEN})` may name any number.
const MAX_LISTS: usize = 1000;

/// How often a scan starts again if the file is written to while it is read.
const MAX_PASSES: usize = 3;

/// A list: where it is, and what its lines are.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Debug)]
pub struct List {
    /// Its path, as the dialplan names it.
    pub path: PathBuf,
    /// The format of its lines.
    pub format: Format,
}

/// The result of looking up an entry in a cached list.
pub struct Lookup {
    /// The verdict.
    pub verdict: Verdict,
    /// Reports for the administrator.
    pub reports: Vec<Report>,
    /// An index to be made, by [`Rebuild::step`], when there is time.
    pub rebuild: Option<Rebuild>,
    /// What was known of the list before it changed. To wipe it takes a while,
    /// and the caller need not wait for that.
    _outdated: Option<CacheEntry>,
}

/// The lists in memory.
pub struct Cache {
    inner: Mutex<Inner>,
}

struct Inner {
    lists: BTreeMap<CacheKey, CacheEntry>,
    /// The detected kinds of lists without a configured format.
    kinds: BTreeMap<PathBuf, (Seen, FileKind)>,
    /// Counts the lookups, to find the least recently used list.
    time: u64,
}

/// A list, read as what.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord)]
enum CacheKey {
    Pins(List),
    Rows(RowList),
}

struct CacheEntry {
    seen: Seen,
    state: EntryState,
    memory: u64,
    asked: u64,
}

#[derive(Clone)]
enum EntryState {
    Index(Arc<Index>),
    /// An index is being made, as long as the rebuild holds the token.
    Rebuilding(Weak<()>),
    /// It does not fit into this many bytes.
    TooLarge(u64),
    Rows(Arc<Rows>, Arc<Rules>),
    /// Nothing of it counts, and why.
    Broken(Report, Arc<Rules>),
}

enum Known {
    Current(EntryState, bool),
    Outdated(Option<CacheEntry>),
}

impl Cache {
    /// With no list in it.
    pub const fn new() -> Self {
        Self {
            inner: Mutex::new(Inner {
                lists: BTreeMap::new(),
                kinds: BTreeMap::new(),
                time: 0,
            }),
        }
    }

    /// Lets go of all lists, and of their memory.
    pub fn clear(&self) {
        let (lists, kinds) = {
            let mut kept = self.lock();
            (
                std::mem::take(&mut kept.lists),
                std::mem::take(&mut kept.kinds),
            )
        };
        drop((lists, kinds));
    }

    fn lock(&self) -> MutexGuard<'_, Inner> {
        self.inner.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Verifies an entry by what is in `file`, which was opened for it at the
    /// path of `list`, at `now` or after. The lists may take `limit` bytes of
    /// memory, each and all together.
    pub fn verify(
        &self,
        list: &List,
        file: io::Result<File>,
        pin: &Pin,
        limit: u64,
        now: SystemTime,
    ) -> Lookup {
        let mut task = LookupTask {
            cache: self,
            list,
            pin,
            limit,
            now,
            reports: Vec::new(),
            rebuild: None,
            outdated: None,
        };
        let verdict = file.and_then(|file| task.verify(file));
        let verdict = verdict.unwrap_or_else(|error| {
            let why = Report::Unreadable(list.path.clone(), error.to_string());
            task.reports.push(why);
            Verdict::Unavailable
        });
        Lookup {
            verdict,
            reports: task.reports,
            rebuild: task.rebuild,
            _outdated: task.outdated,
        }
    }

    /// Verifies an entry by what is in memory alone, if that is what is on the
    /// disk: the file that `list` leads to has this stamp, at `now` or after.
    pub fn ask(&self, list: &List, stamp: Stamp, pin: &Pin, now: SystemTime) -> Option<Lookup> {
        let index = {
            let mut kept = self.lock();
            kept.time += 1;
            let time = kept.time;
            let entry = kept.lists.get_mut(&CacheKey::Pins(list.clone()))?;
            match &entry.state {
                EntryState::Index(index) if entry.seen.is_sure(stamp, now) => {
                    entry.asked = time;
                    Arc::clone(index)
                }
                _ => return None,
            }
        };
        let (verdict, report) = ask(list, &index, pin);
        Some(Lookup {
            verdict,
            reports: report.into_iter().collect(),
            rebuild: None,
            _outdated: None,
        })
    }

    /// Returns the cached state of a list if it is still that of the file on disk, and
    /// whether that is certain. An outdated state is removed.
    fn known(&self, list: &CacheKey, stamp: Stamp, still: bool) -> Known {
        let mut kept = self.lock();
        kept.time += 1;
        let time = kept.time;
        match kept.lists.get_mut(list) {
            Some(entry) if entry.seen.stamp == stamp => {
                entry.asked = time;
                let sure = entry.seen.telling && entry.seen.still == still;
                Known::Current(entry.state.clone(), sure)
            }
            Some(_) => Known::Outdated(kept.lists.remove(list)),
            None => Known::Outdated(None),
        }
    }

    /// Caches the state of a list, and evicts the lists whose last lookup is oldest.
    fn keep(&self, list: &CacheKey, mut entry: CacheEntry, limit: u64) {
        let mut let_go = Vec::new();
        let mut kept = self.lock();
        entry.asked = kept.time;
        let_go.extend(kept.lists.remove(list));
        let others = |kept: &Inner| kept.lists.values().map(|entry| entry.memory).sum::<u64>();
        while kept.lists.len() >= MAX_LISTS || others(&kept).saturating_add(entry.memory) > limit {
            let oldest = kept.lists.iter().min_by_key(|(_, entry)| entry.asked);
            let Some(oldest) = oldest.map(|(list, _)| list.clone()) else {
                break;
            };
            let_go.extend(kept.lists.remove(&oldest));
        }
        kept.lists.insert(list.clone(), entry);
    }

    /// Whether an index is still wanted: `token` is the one that was promised.
    fn wants(&self, list: &List, token: &Arc<()>) -> bool {
        let list = CacheKey::Pins(list.clone());
        match self.lock().lists.get(&list).map(|entry| &entry.state) {
            Some(EntryState::Rebuilding(promised)) => Weak::as_ptr(promised) == Arc::as_ptr(token),
            _ => false,
        }
    }

    fn forget(&self, list: &CacheKey) {
        let forgotten = self.lock().lists.remove(list);
        drop(forgotten);
    }
}

impl Default for Cache {
    fn default() -> Self {
        Self::new()
    }
}

/// One entry being verified.
struct LookupTask<'a> {
    cache: &'a Cache,
    list: &'a List,
    pin: &'a Pin,
    limit: u64,
    now: SystemTime,
    reports: Vec<Report>,
    rebuild: Option<Rebuild>,
    outdated: Option<CacheEntry>,
}

impl LookupTask<'_> {
    fn verify(&mut self, mut file: File) -> io::Result<Verdict> {
        if Stamp::of(&file.metadata()?).is_world_writable() {
            let path = self.list.path.clone();
            self.reports.push(Report::WorldWritable(path));
        }
        if self.pin.is_empty() {
            return Ok(Verdict::Wrong);
        }
        for _ in 0..MAX_PASSES {
            let seen = self.look(&file)?;
            let known = match self.cache.known(&self.key(), seen.stamp, seen.still) {
                Known::Current(state, sure) => Some((state, sure)),
                Known::Outdated(entry) => {
                    self.outdated = entry.or(self.outdated.take());
                    None
                }
            };
            let rebuilding = match &known {
                Some((EntryState::Index(index), true)) => return Ok(self.ask(index)),
                Some((EntryState::TooLarge(limit), true)) if self.limit <= *limit => {
                    return Ok(self.too_large());
                }
                Some((EntryState::Rebuilding(token), _)) => token.strong_count() > 0,
                _ => false,
            };
            if seen.stamp.size <= MAX_UNCACHED_BYTES {
                if let Some(verdict) = self.read_whole(&mut file, seen, known.is_none())? {
                    return Ok(verdict);
                }
            }
            if let Some(verdict) = self.pass(&mut file, seen, !rebuilding)? {
                return Ok(verdict);
            }
        }
        self.reports.push(Report::Unsteady(self.list.path.clone()));
        Ok(Verdict::Unavailable)
    }

    fn key(&self) -> CacheKey {
        CacheKey::Pins(self.list.clone())
    }

    fn ask(&mut self, index: &Index) -> Verdict {
        let (verdict, report) = ask(self.list, index, self.pin);
        self.reports.extend(report);
        verdict
    }

    fn look(&self, file: &File) -> io::Result<Seen> {
        Seen::of(file, self.now)
    }

    /// Makes an index of a small list at once. Returns `None` if the list was written
    /// to meanwhile.
    fn read_whole(
        &mut self,
        file: &mut File,
        seen: Seen,
        report: bool,
    ) -> io::Result<Option<Verdict>> {
        let size = seen.stamp.size as usize + 1;
        let mut text = Zeroizing::new(Vec::with_capacity(size));
        file.rewind()?;
        (&*file).take(size as u64).read_to_end(&mut text)?;
        if Stamp::of(&file.metadata()?) != seen.stamp {
            return Ok(None);
        }
        let lines = memchr::memchr_iter(b'\n', &text).count() as u64 + 1;
        let (format, bytes) = (self.list.format, text.len() as u64);
        let mut blocks = Blocks::of_size(text.as_slice(), seen.still, size);
        let made = Building::new(format, lines, bytes, self.limit).and_then(|mut building| {
            while let Ok(Some(block)) = blocks.next_block() {
                building.add(block.lines)?;
            }
            Ok(building.finish())
        });
        let state = match made {
            Ok(index) => EntryState::Index(Arc::new(index)),
            Err(IndexError::TooLarge) => EntryState::TooLarge(self.limit),
            Err(IndexError::Grown) => return Ok(None),
        };
        let verdict = match &state {
            EntryState::Index(index) => {
                if report {
                    self.reports.extend(broken_lines(&self.list.path, index));
                }
                self.ask(index)
            }
            _ => self.too_large(),
        };
        self.cache.keep(&self.key(), seen.entry(state), self.limit);
        Ok(Some(verdict))
    }

    /// Searches the file for the entry, and has an index made if it `may`. Returns
    /// `None` if the list was written to meanwhile, so that what looked like a line
    /// is none.
    fn pass(&mut self, file: &mut File, seen: Seen, may: bool) -> io::Result<Option<Verdict>> {
        let format = self.list.format;
        file.rewind()?;
        let passed = pass(&*file, format, seen.still, self.pin)?;
        let needed = memory(format, passed.lines, passed.bytes);
        if needed > self.limit {
            let entry = seen.entry(EntryState::TooLarge(self.limit));
            self.cache.keep(&self.key(), entry, self.limit);
            return Ok(Some(self.too_large()));
        }
        let verdict = match &passed.found {
            None => Verdict::Wrong,
            Some(found) if found.is_there(file)? => {
                Verdict::Right(Grant::of(found.account.clone()))
            }
            Some(_) => return Ok(None),
        };
        if may && seen.telling && Stamp::of(&file.metadata()?) == seen.stamp {
            self.rebuild = Some(self.promise(file.try_clone()?, seen, &passed, needed));
        }
        Ok(Some(verdict))
    }

    fn promise(&self, file: File, seen: Seen, passed: &Passed, memory: u64) -> Rebuild {
        let token = Arc::new(());
        let entry = CacheEntry {
            memory,
            ..seen.entry(EntryState::Rebuilding(Arc::downgrade(&token)))
        };
        self.cache.keep(&self.key(), entry, self.limit);
        Rebuild {
            list: self.list.clone(),
            seen,
            limit: self.limit,
            token,
            stage: RebuildStage::Promised(file, passed.lines, passed.bytes),
        }
    }

    fn too_large(&mut self) -> Verdict {
        let report = Report::TooLarge(self.list.path.clone(), self.limit);
        self.reports.push(report);
        Verdict::Unavailable
    }
}

fn ask(list: &List, index: &Index, pin: &Pin) -> (Verdict, Option<Report>) {
    let verdict = index.verify(pin);
    let spoilt = match verdict {
        Verdict::Wrong => index.spoilt_by_line_end(pin),
        _ => None,
    };
    let report = spoilt.map(|account| Report::LineEnd(list.path.clone(), account.to_vec()));
    (verdict, report)
}

/// The state of a list before it was read.
#[derive(Clone, Copy)]
struct Seen {
    stamp: Stamp,
    /// When that was.
    at: SystemTime,
    /// Whether a last line without a line end counts.
    still: bool,
    /// Whether any change since would show in the stamp.
    telling: bool,
}

impl Seen {
    fn of(file: &File, now: SystemTime) -> io::Result<Self> {
        let stamp = Stamp::of(&file.metadata()?);
        Ok(Self {
            stamp,
            at: now,
            still: stamp.is_still(now),
            telling: stamp.is_telling(now),
        })
    }

    /// Whether what was read then is for sure what is there now.
    fn is_sure(&self, stamp: Stamp, now: SystemTime) -> bool {
        self.stamp == stamp && self.still == stamp.is_still(now) && self.telling
    }

    fn entry(self, state: EntryState) -> CacheEntry {
        let memory = match &state {
            EntryState::Index(index) => index.memory(),
            EntryState::Rows(rows, _) => rows.memory(),
            _ => 0,
        };
        CacheEntry {
            seen: self,
            state,
            memory,
            asked: 0,
        }
    }
}

#[cfg(test)]
mod tests;
