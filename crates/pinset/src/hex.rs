//! Bytes in hexadecimal.

/// Parses digits in lower or upper case. Returns `None` unless `text` has exactly two
/// digits for each byte.
#[inline]
pub fn bytes<const N: usize>(text: &[u8]) -> Option<[u8; N]> {
    let mut bytes = [0; N];
    if text.len() != 2 * N {
        return None;
    }
    let mut all = 0;
    for (byte, pair) in bytes.iter_mut().zip(text.chunks_exact(2)) {
        let [high, low] = [DIGITS[usize::from(pair[0])], DIGITS[usize::from(pair[1])]];
        all |= high | low;
        *byte = high << 4 | low;
    }
    (all <= 15).then_some(bytes)
}

/// Appends bytes to `text` in lower case.
pub fn append(text: &mut String, bytes: &[u8]) {
    text.extend(digits(bytes).map(char::from));
}

/// Returns the lower-case digits of `bytes`.
pub fn digits(bytes: &[u8]) -> impl Iterator<Item = u8> + '_ {
    let values = bytes.iter().flat_map(|byte| [byte >> 4, byte & 15]);
    values.map(|value| match value {
        0..=9 => b'0' + value,
        _ => b'a' + value - 10,
    })
}

/// The value of each character as a hexadecimal digit; above 15 for all others.
const DIGITS: [u8; 256] = {
    let mut digits = [16; 256];
    let mut value = 0;
    while value < 16 {
        digits[b"0123456789abcdef"[value] as usize] = value as u8;
        digits[b"0123456789ABCDEF"[value] as usize] = value as u8;
        value += 1;
    }
    digits
};

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn two_digits_a_byte_and_nothing_else() {
        assert_eq!(bytes(b"00ff7A"), Some([0x00, 0xff, 0x7a]));
        assert_eq!(bytes::<0>(b""), Some([]));
        for text in ["", "0", "000", "0g", "g0", "0x", " 0", "0 ", "+1", "-1"] {
            assert_eq!(bytes::<1>(text.as_bytes()), None, "{text:?}");
        }
        assert_eq!(bytes::<1>(b"\xff\xff"), None);
    }

    proptest! {
        #[test]
        fn written_bytes_are_read_back(written: [u8; 8]) {
            let small = written.map(|byte| format!("{byte:02x}")).concat();
            let mut appended = String::new();
            append(&mut appended, &written);
            prop_assert_eq!(&appended, &small);
            let capital = small.to_uppercase();
            prop_assert_eq!(bytes(small.as_bytes()), Some(written));
            prop_assert_eq!(bytes(capital.as_bytes()), Some(written));
        }
    }
}
