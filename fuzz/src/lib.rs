//! What the fuzz targets check: a list means the same whichever way it is
//! read, and it is what `docs/pin-lists.md` says.
#![forbid(unsafe_code)]

mod case;
mod model;

use std::fs::{File, OpenOptions};
use std::os::unix::fs::FileExt;
use std::sync::OnceLock;

use pinset::list::{memory, pass, Blocks, Building, Format, Index, IndexError};
use pinset::{Pin, Verdict};

use case::Case;
use model::Said;

/// So many broken lines are named, and one more if there are more.
const NAMED: usize = 20;

/// Checks one list. `input` is described at [`Case`].
pub fn check(format: Format, input: &[u8]) {
    let Some(case) = Case::of(format, input) else {
        return;
    };
    let said = Said::by_the_model(&case);
    assert!(
        Said::by_reading(&case) == said,
        "read, and what a line means"
    );
    let counted = check_pass(&case, &said);
    check_index(&case, &said, counted);
}

/// The pass finds what the list says. Returns what it counts, lines and bytes.
fn check_pass(case: &Case, said: &Said) -> (u64, u64) {
    let wanted = case.pin(said);
    let pin = keyed(&wanted);
    let passed = pass(case.reader(), case.format, case.settled, &pin).expect("read");
    assert_eq!(passed.lines, said.lines.len() as u64, "lines");
    let expected = said.account_of(case.format, &wanted);
    if let Some(found) = &passed.found {
        let file = file();
        file.set_len(0).expect("emptied");
        file.write_all_at(&case.list, 0).expect("written");
        assert!(found.is_there(file).expect("read"), "the line is there");
    }
    let found = passed.found.map(|found| found.account);
    assert_eq!(found.as_ref(), expected, "found by a pass");
    (passed.lines, passed.bytes)
}

/// The index answers what the list says, in the memory that was counted on.
fn check_index(case: &Case, said: &Said, (lines, bytes): (u64, u64)) {
    let counted = memory(case.format, lines, bytes);
    let too_little = Building::new(case.format, lines, bytes, counted - 1);
    assert_eq!(too_little.err(), Some(IndexError::TooLarge));
    // What comes on top is seen only while the lines are read.
    let all_counted = match case.format {
        Format::Plain => said.pins().all(|pin| pin.len() <= 16),
        Format::Md5 => said.pins().count() as u64 == lines,
    };
    match index(case, (lines, bytes), counted) {
        Ok(index) => assert!(index.memory() <= counted, "over the limit"),
        Err(refused) => assert!(
            !all_counted && refused == IndexError::TooLarge,
            "{refused:?}"
        ),
    }
    let index = index(case, (lines, bytes), u64::MAX).expect("no limit");
    let broken: Vec<u64> = said.broken().take(NAMED + 1).collect();
    assert_eq!(index.broken(), broken, "the broken lines");
    for pin in case.pins(said) {
        let found = match index.verify(&keyed(&pin)) {
            Verdict::Right(grant) => Some(grant.account),
            Verdict::Wrong => None,
            _ => panic!("a list is right or wrong"),
        };
        let expected = said.account_of(case.format, &pin);
        assert_eq!(found.as_ref(), expected, "found by the index");
    }
}

fn index(case: &Case, (lines, bytes): (u64, u64), limit: u64) -> Result<Index, IndexError> {
    let mut building = Building::new(case.format, lines, bytes, limit)?;
    let mut blocks = Blocks::new(case.reader(), case.settled);
    while let Some(block) = blocks.next_block().expect("read") {
        building.add(block.lines)?;
    }
    if case.step_by_step {
        building = building.sort();
        while building.step() {}
    }
    Ok(building.finish())
}

fn keyed(keys: &[u8]) -> Pin {
    let mut pin = Pin::new();
    keys.iter().for_each(|key| pin.push(*key));
    pin
}

/// A file without a name, used again and again.
fn file() -> &'static File {
    static FILE: OnceLock<File> = OnceLock::new();
    FILE.get_or_init(|| {
        let path = std::env::temp_dir().join(format!("pinset-fuzz-{}", std::process::id()));
        let file = OpenOptions::new()
            .read(true)
            .write(true)
            .create_new(true)
            .open(&path)
            .expect("a file");
        std::fs::remove_file(&path).expect("its name removed");
        file
    })
}
