//! Operations on lists that the benchmarks share.

use std::fmt::Debug;
use std::fs::File;
use std::io::BufWriter;
use std::path::Path;
use std::time::{Duration, SystemTime};

use pinset::cache::{Cache, List, Lookup, Progress};
use pinset::list::{open, Blocks, Building, Format, Index};
use pinset::Pin;

use crate::made;

/// No list is so long that it has the PIN of this line.
const NOBODYS: u64 = 999_999_999;

/// There is nothing to go on with when a benchmark can't do its work.
pub(crate) fn must<T, E: Debug>(result: Result<T, E>) -> T {
    result.unwrap_or_else(|error| panic!("{error:?}"))
}

/// Writes a list of `entries` entries into a folder.
pub(crate) fn write(folder: &Path, format: Format, entries: u64) -> List {
    let path = folder.join(format!("{format:?}-{entries}"));
    let file = BufWriter::new(must(File::create(&path)));
    must(made::write(file, format == Format::Md5, entries));
    List { path, format }
}

/// Returns the index of a list of `entries` entries.
pub(crate) fn index(format: Format, entries: u64) -> Index {
    let mut text = Vec::new();
    must(made::write(&mut text, format == Format::Md5, entries));
    let building = Building::new(format, entries, text.len() as u64, u64::MAX);
    let mut building = must(building);
    let mut blocks = Blocks::new(text.as_slice(), true);
    while let Some(block) = must(blocks.next_block()) {
        must(building.add(block.lines));
    }
    building.finish()
}

/// Makes the index of a list as the module does: the entry of a caller has
/// the file gone over, which counts its lines, and the index is made of it in
/// parts.
pub(crate) fn build(list: &List) -> Cache {
    let cache = Cache::new();
    let first = verify(&cache, list, &entered(&made::pin(NOBODYS)));
    if let Some(mut rebuild) = first.rebuild {
        while rebuild.step(&cache) == Progress::More {}
    }
    cache
}

/// Verifies an entry as the module does: the file is opened and looked at.
pub(crate) fn verify(cache: &Cache, list: &List, pin: &Pin) -> Lookup {
    // As if the list had been written a while ago. Until then a pass would
    // answer.
    let now = SystemTime::now() + Duration::from_secs(60);
    cache.verify(list, open(&list.path), pin, u64::MAX, now)
}

/// Returns an entry of these digits.
pub(crate) fn entered(keys: &str) -> Pin {
    let mut pin = Pin::new();
    keys.bytes().for_each(|key| pin.push(key));
    pin
}

/// Entries to look up in a list, in no order, without an end.
pub(crate) fn entries(of: u64, hit: bool) -> impl Iterator<Item = Pin> {
    let mut state: u64 = 1;
    std::iter::repeat_with(move || {
        // A linear congruential generator, by Knuth; its high bits are good.
        state = state.wrapping_mul(6_364_136_223_846_793_005);
        state = state.wrapping_add(1_442_695_040_888_963_407);
        let line = (state >> 32) % of;
        entered(&made::pin(if hit { line } else { of + line }))
    })
}
