//! Plain lists: one PIN a line.

use super::line_error::LineError;
use crate::pin::{is_key, nibble, MAX_DIGITS};

/// Reads a line that is not blank: the PIN it gives.
pub fn parse(line: &[u8]) -> Result<&[u8], LineError> {
    if line.contains(&0) {
        Err(LineError::Nul)
    } else if line.len() > MAX_DIGITS {
        Err(LineError::TooLong)
    } else if line.iter().all(|key| is_key(*key)) {
        Ok(line)
    } else {
        Err(LineError::NotOnKeypad)
    }
}

/// The most digits of a PIN that fit into a word.
pub const MAX_PACKED_DIGITS: usize = 16;

/// A PIN of up to [`MAX_PACKED_DIGITS`] digits as one number: four bits a digit, none of
/// them 0, so that no two PINs are the same number, and none is 0.
pub fn pack(pin: &[u8]) -> Option<u64> {
    let word = pin.iter().try_fold(0, |word, key| match nibble(*key) {
        0 => None,
        nibble => Some(word << 4 | u64::from(nibble)),
    })?;
    (1..=MAX_PACKED_DIGITS).contains(&pin.len()).then_some(word)
}

/// The PIN that `lines` begin with, packed, and what is behind its line end.
/// `None` for everything out of the ordinary: blanks, long PINs, broken lines.
pub fn first_pin(lines: &[u8]) -> Option<(u64, &[u8])> {
    let mut word = 0;
    for (length, key) in lines.iter().take(MAX_PACKED_DIGITS + 1).enumerate() {
        match nibble(*key) {
            0 if *key == b'\n' && length > 0 => {
                return Some((word, lines.get(length + 1..)?));
            }
            0 => return None,
            nibble => word = word << 4 | u64::from(nibble),
        }
    }
    None
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn lines() {
        assert_eq!(parse(b"1234"), Ok(&b"1234"[..]));
        assert_eq!(parse(b"*12AD"), Ok(&b"*12AD"[..]));
        assert_eq!(parse(&[b'1'; 254]), Ok(&[b'1'; 254][..]));
        assert_eq!(parse(b"secret"), Err(LineError::NotOnKeypad));
        assert_eq!(parse(b"12#34"), Err(LineError::NotOnKeypad));
        assert_eq!(parse(b"12 34"), Err(LineError::NotOnKeypad));
        assert_eq!(parse(b"12\x0034"), Err(LineError::Nul));
        assert_eq!(parse(&[b'1'; 255]), Err(LineError::TooLong));
    }

    #[test]
    fn pins_of_at_most_16_digits_are_packed() {
        assert_eq!(pack(b""), None);
        assert_eq!(pack(b"12#"), None);
        assert_eq!(pack(&[b'0'; 17]), None);
        assert_eq!(pack(&[b'0'; 16]), Some(0x1111_1111_1111_1111));
        assert_eq!(pack(b"09*AD"), Some(0x1abcf));
    }

    proptest! {
        #[test]
        fn different_pins_pack_to_different_numbers(one in "[0-9*A-D]{1,16}", other in "[0-9*A-D]{1,16}") {
            let (a, b) = (pack(one.as_bytes()), pack(other.as_bytes()));
            prop_assert!(a.is_some_and(|word| word != 0));
            prop_assert_eq!(a == b, one == other);
        }

        #[test]
        fn the_first_pin_is_that_of_the_line(line in "[0-9*A-D#\r a]{0,20}", behind in "\n?[0-9]{0,3}") {
            let lines = format!("{line}{behind}");
            let expected = match lines.split_once('\n') {
                Some((line, rest)) => pack(line.as_bytes()).map(|word| (word, rest.as_bytes())),
                None => None,
            };
            prop_assert_eq!(first_pin(lines.as_bytes()), expected);
        }
    }
}
