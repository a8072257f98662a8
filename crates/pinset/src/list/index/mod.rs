//! An index of a list in memory, which answers with one or two memory accesses, however
//! long the list is.

pub(crate) mod hash_table;
pub(crate) mod linear_scan;

use std::borrow::Borrow;
use std::collections::HashSet;
use std::hash::{Hash, Hasher};

use foldhash::quality::RandomState;
use subtle::ConstantTimeEq;
use thiserror::Error;
use zeroize::{Zeroize, ZeroizeOnDrop};

use super::format::line::{Format, Gives};
use super::format::lines::{first_line, trimmed};
use super::format::{md5, plain};
use crate::pin::Pin;
use crate::verdict::{Grant, Verdict};
use hash_table::{HashTable, Heap, Sorting, TableFullError};

/// The most invalid lines that are reported: a file that is not a list must not fill
/// the log.
pub(crate) const MAX_REPORTED_LINES: usize = 20;

/// The memory of a PIN that does not fit into a word, without its digits: its place
/// in a set, and the overhead of the allocator.
const LONG_PIN_BYTES: usize = 48;

/// A list that has been read. It is wiped when dropped.
pub struct Index {
    entries: IndexEntries,
    broken: Vec<u64>,
}

enum IndexEntries {
    Plain {
        words: HashTable<u64>,
        long: LongPins,
    },
    Md5 {
        digests: HashTable<Digest>,
        names: Names,
    },
}

/// An index being made: of the blocks of a list, which are then sorted.
pub struct Building {
    stage: ReadStage,
    lines: u64,
    broken: Vec<u64>,
    limit: u64,
}

enum ReadStage {
    Plain(Heap<u64>, LongPins),
    Md5(Heap<Digest>, Names),
    SortingPlain(Sorting<u64>, LongPins),
    SortingMd5(Sorting<Digest>, Names),
}

/// Why a list can't be held in memory.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Error)]
pub enum IndexError {
    /// The list takes more memory than it may, or than there is.
    #[error("the list takes more memory than it may")]
    TooLarge,
    /// The list has grown while it was read.
    #[error("the list has grown while it was read")]
    Grown,
}

impl From<TableFullError> for IndexError {
    fn from(_: TableFullError) -> Self {
        Self::Grown
    }
}

/// Returns the memory that the index of a list of this many lines and bytes takes,
/// in bytes: 8.5 to 9.7 a line of a plain list; of an MD5 list, 20.5 to 23 and the
/// text next to the digest. It may take more if there are PINs of more than 16 digits, or lines
/// without a digest; [`Building::add`] counts exactly.
pub fn memory(format: Format, lines: u64, bytes: u64) -> u64 {
    let Ok(count) = u32::try_from(lines) else {
        return u64::MAX;
    };
    let count = count as usize;
    match format {
        Format::Plain => hash_table::memory::<u64>(count) as u64,
        Format::Md5 => {
            // A name takes two bytes beside its own: in place of `:` and the
            // line end, which the last line may lack.
            let digests = lines.saturating_mul(32);
            let names = (bytes + 1).saturating_sub(digests);
            (hash_table::memory::<Digest>(count) as u64).saturating_add(names)
        }
    }
}

impl Building {
    /// For a list of `lines` lines and `bytes` bytes, which may take `limit`
    /// bytes of memory.
    pub fn new(format: Format, lines: u64, bytes: u64, limit: u64) -> Result<Self, IndexError> {
        if memory(format, lines, bytes) > limit {
            return Err(IndexError::TooLarge);
        }
        let count = usize::try_from(lines).map_err(|_| IndexError::TooLarge)?;
        let no_memory = |_| IndexError::TooLarge;
        let stage = match format {
            Format::Plain => ReadStage::Plain(
                Heap::with_room(count).map_err(no_memory)?,
                LongPins::default(),
            ),
            Format::Md5 => {
                ReadStage::Md5(Heap::with_room(count).map_err(no_memory)?, Names::default())
            }
        };
        Ok(Self {
            stage,
            lines: 0,
            broken: Vec::new(),
            limit,
        })
    }

    /// Adds the next lines of the list.
    pub fn add(&mut self, lines: &[u8]) -> Result<(), IndexError> {
        let size = match &mut self.stage {
            ReadStage::Plain(heap, long) => {
                let mut rest = lines;
                while !rest.is_empty() {
                    while let Some((word, behind)) = plain::first_pin(rest) {
                        heap.push(word)?;
                        self.lines += 1;
                        rest = behind;
                    }
                    let Some((line, _, behind)) = first_line(rest) else {
                        break;
                    };
                    rest = behind;
                    self.lines += 1;
                    match Gives::of(trimmed(line), Format::Plain) {
                        Gives::Pin(pin) => match plain::pack(pin) {
                            Some(word) => heap.push(word)?,
                            None => long.add(pin),
                        },
                        Gives::Blank => {}
                        _ => note(&mut self.broken, self.lines),
                    }
                }
                heap.size() + long.memory
            }
            ReadStage::Md5(heap, names) => {
                let mut rest = lines;
                while let Some((line, _, behind)) = first_line(rest) {
                    rest = behind;
                    self.lines += 1;
                    match Gives::of(trimmed(line), Format::Md5) {
                        Gives::Account(owner, digest) => {
                            let owner = names.add(owner).ok_or(IndexError::TooLarge)?;
                            heap.push(Digest { digest, owner })?;
                        }
                        Gives::Blank => {}
                        _ => note(&mut self.broken, self.lines),
                    }
                }
                heap.size() + names.0.len()
            }
            ReadStage::SortingPlain(..) | ReadStage::SortingMd5(..) => 0,
        };
        if size as u64 > self.limit {
            return Err(IndexError::TooLarge);
        }
        Ok(())
    }

    /// The list is at its end: what follows is [`Self::step`].
    pub fn sort(self) -> Self {
        let stage = match self.stage {
            ReadStage::Plain(heap, long) => ReadStage::SortingPlain(heap.sort(), long),
            ReadStage::Md5(heap, mut names) => {
                names.0.shrink_to_fit();
                ReadStage::SortingMd5(heap.sort(), names)
            }
            sorting => sorting,
        };
        Self { stage, ..self }
    }

    /// Sorts a part; false when all is done.
    pub fn step(&mut self) -> bool {
        match &mut self.stage {
            ReadStage::SortingPlain(sorting, _) => sorting.step(),
            ReadStage::SortingMd5(sorting, _) => sorting.step(),
            ReadStage::Plain(..) | ReadStage::Md5(..) => false,
        }
    }

    /// The index; what is not sorted yet is.
    pub fn finish(self) -> Index {
        let entries = match self.stage {
            ReadStage::Plain(heap, long) => IndexEntries::Plain {
                words: heap.sort().finish(),
                long,
            },
            ReadStage::SortingPlain(sorting, long) => IndexEntries::Plain {
                words: sorting.finish(),
                long,
            },
            ReadStage::Md5(heap, names) => IndexEntries::Md5 {
                digests: heap.sort().finish(),
                names,
            },
            ReadStage::SortingMd5(sorting, names) => IndexEntries::Md5 {
                digests: sorting.finish(),
                names,
            },
        };
        Index {
            entries,
            broken: self.broken,
        }
    }
}

fn note(broken: &mut Vec<u64>, line: u64) {
    if broken.len() <= MAX_REPORTED_LINES {
        broken.push(line);
    }
}

impl Index {
    /// Verifies an entry: exactly, never by a hash alone. An empty one is wrong.
    pub fn verify(&self, pin: &Pin) -> Verdict {
        if pin.is_empty() {
            return Verdict::Wrong;
        }
        let account = match &self.entries {
            IndexEntries::Plain { words, long } => {
                let right = match plain::pack(pin.as_bytes()) {
                    Some(word) => words.candidates(&word).any(|found| *found == word),
                    None => long.pins.contains(pin.as_bytes()),
                };
                right.then_some(None)
            }
            IndexEntries::Md5 { .. } => self.owner(md5::digest(pin)).map(Some),
        };
        account.map_or(Verdict::Wrong, |account| {
            Verdict::Right(Grant::of(account.map(<[u8]>::to_vec)))
        })
    }

    /// Returns the account whose digest is that of the entry and a line end, which can't
    /// be entered.
    pub fn spoilt_by_line_end(&self, pin: &Pin) -> Option<&[u8]> {
        self.owner(md5::digest_with_line_end(pin))
    }

    /// The account of the first line with this digest.
    fn owner(&self, digest: [u8; 16]) -> Option<&[u8]> {
        let IndexEntries::Md5 { digests, names } = &self.entries else {
            return None;
        };
        let wanted = Digest { digest, owner: 0 };
        let owner = digests
            .candidates(&wanted)
            .filter(|entry| entry.digest.ct_eq(&digest).into())
            // The names stand in the order of the list.
            .map(|entry| entry.owner)
            .min()?;
        names.get(owner)
    }

    /// Returns the numbers of the first invalid lines: at most 20, or 21 if there are
    /// more.
    pub fn broken(&self) -> &[u64] {
        &self.broken
    }

    /// Returns the number of lines that assign a PIN. Very many lines with the same PIN
    /// may count once.
    pub fn len(&self) -> u64 {
        let entries = match &self.entries {
            IndexEntries::Plain { words, long } => words.len() + long.pins.len(),
            IndexEntries::Md5 { digests, .. } => digests.len(),
        };
        entries as u64
    }

    /// Whether it holds none.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// Returns the memory it takes, in bytes.
    pub fn memory(&self) -> u64 {
        let bytes = match &self.entries {
            IndexEntries::Plain { words, long } => words.size() + long.memory,
            IndexEntries::Md5 { digests, names } => digests.size() + names.0.len(),
        };
        bytes as u64
    }
}

/// The PINs of more digits than fit into a word.
#[derive(Default)]
struct LongPins {
    pins: HashSet<LongPin, RandomState>,
    memory: usize,
}

impl LongPins {
    fn add(&mut self, pin: &[u8]) {
        if self.pins.insert(LongPin(Box::from(pin))) {
            self.memory += LONG_PIN_BYTES + pin.len();
        }
    }
}

#[derive(PartialEq, Eq, Hash, ZeroizeOnDrop)]
struct LongPin(Box<[u8]>);

impl Borrow<[u8]> for LongPin {
    fn borrow(&self) -> &[u8] {
        &self.0
    }
}

/// A line of an md5 list.
#[derive(Clone, Copy, Default)]
struct Digest {
    digest: [u8; 16],
    /// The position of its account among the names.
    owner: u32,
}

impl Zeroize for Digest {
    fn zeroize(&mut self) {
        self.digest.zeroize();
        self.owner.zeroize();
    }
}

impl PartialEq for Digest {
    fn eq(&self, other: &Self) -> bool {
        self.digest == other.digest
    }
}

impl Eq for Digest {}

impl Hash for Digest {
    fn hash<H: Hasher>(&self, hasher: &mut H) {
        hasher.write_u128(u128::from_ne_bytes(self.digest));
    }
}

/// The accounts of an md5 list: two bytes of length, and the name.
#[derive(Default)]
struct Names(Vec<u8>);

impl Names {
    /// Adds a name and says where it stands, if there is room for it.
    fn add(&mut self, name: &[u8]) -> Option<u32> {
        let place = u32::try_from(self.0.len()).ok()?;
        let length = u16::try_from(name.len()).ok()?;
        self.0.extend_from_slice(&length.to_le_bytes());
        self.0.extend_from_slice(name);
        Some(place)
    }

    fn get(&self, place: u32) -> Option<&[u8]> {
        let (length, names) = self.0.get(place as usize..)?.split_first_chunk()?;
        names.get(..usize::from(u16::from_le_bytes(*length)))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::list::format::blocks::Blocks;

    fn index(list: &[u8], format: Format) -> Index {
        let lines = list.split(|byte| *byte == b'\n').count() as u64;
        let bytes = list.len() as u64;
        let mut building = Building::new(format, lines, bytes, u64::MAX).expect("memory");
        let mut blocks = Blocks::new(list, true);
        while let Some(block) = blocks.next_block().expect("read") {
            building.add(block.lines).expect("room");
        }
        let mut sorting = building.sort();
        while sorting.step() {}
        sorting.finish()
    }

    fn entered(pin: &str) -> Pin {
        let mut entered = Pin::new();
        pin.bytes().for_each(|key| entered.push(key));
        entered
    }

    fn verified(index: &Index, pin: &str) -> Verdict {
        index.verify(&entered(pin))
    }

    const RIGHT: Verdict = Verdict::Right(Grant {
        account: None,
        level: None,
        context: None,
    });

    fn of(account: &[u8]) -> Verdict {
        Verdict::Right(Grant::of(Some(account.to_vec())))
    }

    #[test]
    fn plain_lists() {
        let long = "9".repeat(254);
        let list = format!("\u{feff}1111\r\n 2222 \nsecret\n\n3333333333333333\n{long}\n12#\n07");
        let index = index(list.as_bytes(), Format::Plain);
        for pin in ["1111", "2222", "3333333333333333", &long, "07"] {
            assert_eq!(verified(&index, pin), RIGHT, "{pin}");
        }
        for pin in [
            "",
            "4444",
            "111",
            "7",
            "33333333333333333",
            &long[1..],
            "12",
        ] {
            assert_eq!(verified(&index, pin), Verdict::Wrong, "{pin}");
        }
        assert_eq!(index.broken(), [3, 7]);
    }

    #[test]
    fn the_tail_of_a_long_line_is_no_pin() {
        for length in [255, 1020, 9000, 300_000] {
            let list = format!("{}1234\n", "x".repeat(length));
            let index = index(list.as_bytes(), Format::Plain);
            assert_eq!(verified(&index, "1234"), Verdict::Wrong);
            assert_eq!(index.broken(), [1]);
        }
    }

    #[test]
    fn md5_lists() {
        let index = index(
            b"bob:d41d8cd98f00b204e9800998ecf8427e\n\
              :b59c67bf196a4758191e42f76670ceba\n\
              alice:81DC9BDB52D04DC20036DBD8313ED055  -\r\n\
              carol:81dc9bdb52d04dc20036dbd8313ed055\n\
              dave :934b535800b1cba8f96a5d72f72f1611\n",
            Format::Md5,
        );
        // The first of two lines counts.
        assert_eq!(verified(&index, "1234"), of(b"alice"));
        assert_eq!(verified(&index, "2222"), of(b"dave"));
        // A line without an account admits nobody, nor does one for nothing.
        assert_eq!(verified(&index, "1111"), Verdict::Wrong);
        assert_eq!(verified(&index, ""), Verdict::Wrong);
        assert_eq!(index.broken(), [1, 2]);
        assert_eq!(index.spoilt_by_line_end(&entered("1234")), None);
    }

    #[test]
    fn a_digest_with_a_line_end_in_it() {
        // echo 1234 | md5sum
        let index = index(b"eve:e7df7cd2ca07f4f1ab415d457a6e1c13\n", Format::Md5);
        assert_eq!(verified(&index, "1234"), Verdict::Wrong);
        assert_eq!(
            index.spoilt_by_line_end(&entered("1234")),
            Some(&b"eve"[..])
        );
        assert_eq!(index.spoilt_by_line_end(&entered("1235")), None);
    }

    #[test]
    fn at_most_21_broken_lines_are_named() {
        for (lines, named) in [
            (MAX_REPORTED_LINES, MAX_REPORTED_LINES),
            (MAX_REPORTED_LINES + 1, MAX_REPORTED_LINES + 1),
            (5000, MAX_REPORTED_LINES + 1),
        ] {
            let index = index("not a PIN\n".repeat(lines).as_bytes(), Format::Plain);
            assert_eq!(index.broken().len(), named);
        }
    }

    #[test]
    fn the_limit_holds() {
        let (lines, bytes) = (1000, 5000);
        let needed = memory(Format::Plain, lines, bytes);
        assert!(needed <= 9 * lines + 16, "{needed}");
        let needed = |format| memory(format, lines, bytes);
        for format in [Format::Plain, Format::Md5] {
            let made = |limit| Building::new(format, lines, bytes, limit);
            assert!(made(needed(format)).is_ok());
            assert_eq!(made(needed(format) - 1).err(), Some(IndexError::TooLarge));
        }
        assert_eq!(memory(Format::Md5, u64::MAX, u64::MAX), u64::MAX);
        // More lines than were counted, and long PINs, which nobody counted.
        let mut building = Building::new(Format::Plain, 2, 10, 1000).expect("memory");
        assert_eq!(building.add(b"1\n2\n3\n"), Err(IndexError::Grown));
        let mut building = Building::new(Format::Plain, 100, 2000, 2000).expect("memory");
        let long: String = (0..50)
            .map(|pin| format!("123456789012345{pin:02}\n"))
            .collect();
        assert_eq!(building.add(long.as_bytes()), Err(IndexError::TooLarge));
    }
}
