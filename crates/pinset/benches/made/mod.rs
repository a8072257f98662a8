//! Made-up lists for the benchmarks: always the same, and no PIN twice.

use std::io::{self, Write};

use md5::{Digest, Md5};

/// How many PINs of nine digits there are.
const PINS: u64 = 1_000_000_000;

/// The PIN of a line, nine digits. They come in no order, and no two of them
/// are the same.
pub(super) fn pin(line: u64) -> String {
    // Each step can be undone, so no PIN comes twice: 3^18 and 10^9 have no
    // factor in common, and then four digits swap places with five.
    let mixed = (0..3).fold(line % PINS, |pin, _| {
        let pin = (pin * 387_420_489 + 123_456_789) % PINS;
        pin % 10_000 * 100_000 + pin / 10_000
    });
    format!("{mixed:09}")
}

/// Writes the first `lines` lines of the plain list, or of the md5 list, whose
/// accounts have eleven characters.
pub(super) fn write(mut list: impl Write, md5: bool, lines: u64) -> io::Result<()> {
    for line in 0..lines {
        let pin = pin(line);
        if md5 {
            let digest = u128::from_be_bytes(Md5::digest(&pin).into());
            writeln!(list, "user{line:07}:{digest:032x}")?;
        } else {
            writeln!(list, "{pin}")?;
        }
    }
    list.flush()
}
