//! Search for weak PINs in MD5 files.

use md5::{Digest, Md5};

use super::duplicates::{PinIndex, PinKey};
use crate::common::weak_pins::{weakness, Weakness, COMMON};

/// Maximum number of digits of the PINs that are tried.
const MAX_SEARCHED_DIGITS: usize = 6;

/// The text that an MD5 is of.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) enum Finding {
    /// A weak PIN.
    Weak(Weakness),
    /// Digits and a line end.
    LineEnd,
}

/// Calls `found` for each line of `index` with the MD5 of a weak PIN, or of any PIN and
/// a line end.
pub(super) fn search(index: &PinIndex, mut found: impl FnMut(u64, Finding)) {
    let mut search = |text: &[u8], finding| {
        let digest = PinKey::of_digest(Md5::digest(text).into());
        index.lines(digest).for_each(|line| found(line, finding));
    };
    for length in 1..=MAX_SEARCHED_DIGITS {
        let mut text = vec![b'0'; length];
        text.push(b'\n');
        loop {
            search(&text, Finding::LineEnd);
            let pin = text.get(..length).unwrap_or_default();
            if let Some(why) = weakness(pin) {
                search(pin, Finding::Weak(why));
            }
            if !count_up(&mut text, length) {
                break;
            }
        }
    }
    for pin in COMMON.iter().filter(|pin| pin.len() > MAX_SEARCHED_DIGITS) {
        search(pin.as_bytes(), Finding::Weak(Weakness::Common));
    }
}

/// Increments the first `length` digits. Returns `false` after the last number.
fn count_up(text: &mut [u8], length: usize) -> bool {
    for digit in text.iter_mut().take(length).rev() {
        if *digit < b'9' {
            *digit += 1;
            return true;
        }
        *digit = b'0';
    }
    false
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn weak_pins_and_line_ends_are_found() {
        let texts: &[&[u8]] = &[
            b"1234\n",
            b"1234",
            b"8364",
            b"8364\n",
            b"999999",
            b"098364\n",
            b"7\n",
            b"147258369",
            b"8364\r\n",
            b"1234",
        ];
        let pins = texts.iter().zip(1..).map(|(text, line)| {
            let digest = Md5::digest(text).into();
            (PinKey::of_digest(digest), line)
        });
        let mut found = Vec::new();
        search(&PinIndex::new(pins.collect()), |line, finding| {
            found.push((line, finding));
        });
        found.sort_by_key(|(line, _)| *line);
        assert_eq!(
            found,
            [
                (1, Finding::LineEnd),
                (2, Finding::Weak(Weakness::Run)),
                (4, Finding::LineEnd),
                (5, Finding::Weak(Weakness::Repeat)),
                (6, Finding::LineEnd),
                (7, Finding::LineEnd),
                (8, Finding::Weak(Weakness::Common)),
                (10, Finding::Weak(Weakness::Run)),
            ]
        );
    }

    #[test]
    fn count_up_visits_all_numbers() {
        let mut text = *b"00\n";
        let mut all = 1;
        while count_up(&mut text, 2) {
            all += 1;
            assert_eq!(text[2], b'\n');
        }
        assert_eq!((all, &text), (100, b"00\n"));
    }
}
