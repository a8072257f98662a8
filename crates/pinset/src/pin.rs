//! PINs as callers enter them.

use subtle::ConstantTimeEq;
use zeroize::{Zeroize, ZeroizeOnDrop};

/// The most digits of an entry: the stock application's limit (its buffer of
/// 256 less two), and what `maxdigits` 0 or out of range means.
pub const MAX_DIGITS: usize = 254;

/// The digits of one entry, in order. It has no `Debug` and no `Display`, so that no log
/// line can hold it, and it is wiped when dropped or cleared.
#[derive(Clone, ZeroizeOnDrop)]
pub struct Pin {
    /// Zero behind `len`.
    keys: [u8; MAX_DIGITS],
    len: usize,
}

impl Pin {
    /// Makes an empty entry.
    pub fn new() -> Self {
        Self {
            keys: [0; MAX_DIGITS],
            len: 0,
        }
    }

    /// Parses a text as if it had been entered. Returns `None` if it is too long or has a
    /// character that no telephone keypad has.
    pub fn parse(text: &[u8]) -> Option<Self> {
        let right = text.len() <= MAX_DIGITS && text.iter().all(|key| is_key(*key));
        right.then(|| {
            let mut pin = Self::new();
            text.iter().for_each(|key| pin.push(*key));
            pin
        })
    }

    /// Adds a digit, unless there are [`MAX_DIGITS`] already.
    pub fn push(&mut self, key: u8) {
        if let Some(place) = self.keys.get_mut(self.len) {
            *place = key;
            self.len += 1;
        }
    }

    /// Removes and wipes all digits.
    pub fn clear(&mut self) {
        self.zeroize();
    }

    /// Returns the number of digits.
    pub fn len(&self) -> usize {
        self.len
    }

    /// Returns whether there is no digit. An empty entry never matches anything.
    pub fn is_empty(&self) -> bool {
        self.len == 0
    }

    /// Returns the digits, as the characters `0`-`9`, `*`, `A`-`D`.
    pub fn as_bytes(&self) -> &[u8] {
        self.keys.get(..self.len).unwrap_or_default()
    }

    /// Returns whether the entry is `secret`, in the same time wherever the two differ. An
    /// empty entry is never a PIN.
    pub fn is(&self, secret: &[u8]) -> bool {
        !self.is_empty() && self.as_bytes().ct_eq(secret).into()
    }
}

impl Zeroize for Pin {
    fn zeroize(&mut self) {
        // A byte at a time takes long, and few are not zero.
        let digits = self.keys.get_mut(..self.len).unwrap_or_default();
        digits.zeroize();
        self.len.zeroize();
    }
}

impl Default for Pin {
    fn default() -> Self {
        Self::new()
    }
}

/// Returns whether `key` can be a digit of a PIN; `#` can't, because it ends the entry.
pub fn is_key(key: u8) -> bool {
    nibble(key) != 0
}

/// Returns a digit in four bits: 1 to 15, or 0 for any other character. Different PINs
/// stay different when their digits are packed side by side, whatever their lengths.
pub fn nibble(key: u8) -> u8 {
    const NIBBLES: [u8; 256] = {
        let mut nibbles = [0; 256];
        let keys = b"0123456789*ABCD";
        let mut at = 0;
        while at < keys.len() {
            nibbles[keys[at] as usize] = at as u8 + 1;
            at += 1;
        }
        nibbles
    };
    NIBBLES[usize::from(key)]
}

#[cfg(test)]
mod tests {
    use super::*;

    fn pin(text: &[u8]) -> Pin {
        let mut pin = Pin::new();
        text.iter().for_each(|key| pin.push(*key));
        pin
    }

    #[test]
    fn empty_entry_matches_no_pin() {
        assert!(!Pin::new().is(b""));
        assert!(!pin(b"1").is(b""));
        assert!(pin(b"12*A").is(b"12*A"));
        assert!(!pin(b"12").is(b"123"));
        assert!(!pin(b"123").is(b"12"));
    }

    #[test]
    fn pin_holds_at_most_254_digits() {
        let long = pin(&[b'7'; 300]);
        assert_eq!(long.len(), MAX_DIGITS);
        assert_eq!(long.as_bytes(), [b'7'; MAX_DIGITS]);
    }

    #[test]
    fn clearing_wipes_the_digits() {
        let mut pin = pin(b"4711");
        pin.clear();
        assert!(pin.is_empty());
        assert_eq!(pin.keys, [0; MAX_DIGITS]);
    }
}
