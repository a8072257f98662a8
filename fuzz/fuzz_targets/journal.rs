#![no_main]

use libfuzzer_sys::fuzz_target;
use pinset::use_journal::read;

// What is written again, as at each start, is read as it was; a line that was cut off costs
// itself only.
fuzz_target!(|journal: &[u8]| {
    let (records, broken) = read(journal);
    let lines: Vec<u8> = records
        .iter()
        .flat_map(|record| record.line().as_bytes().to_vec())
        .collect();
    let (again, none) = read(&lines);
    assert!(again == records && none == 0);
    let (with_half, same) = read(&[journal, b"\nuse 61 6"].concat());
    assert!(with_half.len() >= records.len());
    assert!(same >= broken);
});
