//! One PIN a line.

use crate::pin::{is_key, Pin, MAX_DIGITS};

/// What a line is to an entry.
pub enum Look {
    /// The entry's PIN.
    Match,
    /// Another PIN, or blank.
    Other,
    /// No PIN at all: nobody can key it.
    Broken,
}

/// Compares a line with an entry.
pub fn look(line: &[u8], pin: &Pin) -> Look {
    if pin.is(line) {
        Look::Match
    } else if line.len() <= MAX_DIGITS && line.iter().all(|key| is_key(*key)) {
        Look::Other
    } else {
        Look::Broken
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lines() {
        let mut pin = Pin::new();
        b"1234".iter().for_each(|key| pin.push(*key));
        assert!(matches!(look(b"1234", &pin), Look::Match));
        assert!(matches!(look(b"12345", &pin), Look::Other));
        assert!(matches!(look(b"", &pin), Look::Other));
        assert!(matches!(look(b"secret", &pin), Look::Broken));
        assert!(matches!(look(b"12#34", &pin), Look::Broken));
        assert!(matches!(look(b"12\x0034", &pin), Look::Broken));
        assert!(matches!(look(&[b'1'; 255], &pin), Look::Broken));
        assert!(matches!(look(b"", &Pin::new()), Look::Other));
    }
}
