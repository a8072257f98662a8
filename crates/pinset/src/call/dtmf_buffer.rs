//! A buffer of DTMF digits that were received, but not read yet.

use zeroize::{Zeroize, ZeroizeOnDrop};

/// The most digits in the buffer. No PIN is longer.
pub const MAX_BUFFERED_DIGITS: usize = 256;

/// Digits in the order of arrival. As [`crate::Pin`], it has no `Debug`; a digit is
/// wiped as it is taken, the rest when it is dropped.
#[derive(Zeroize, ZeroizeOnDrop)]
pub struct DtmfBuffer {
    ring: [u8; MAX_BUFFERED_DIGITS],
    first: usize,
    len: usize,
}

impl DtmfBuffer {
    /// None yet.
    pub fn new() -> Self {
        Self {
            ring: [0; MAX_BUFFERED_DIGITS],
            first: 0,
            len: 0,
        }
    }

    /// Appends a digit; beyond [`MAX_BUFFERED_DIGITS`] it is dropped.
    pub fn push(&mut self, key: u8) {
        if self.len < MAX_BUFFERED_DIGITS {
            if let Some(place) = self
                .ring
                .get_mut((self.first + self.len) % MAX_BUFFERED_DIGITS)
            {
                *place = key;
                self.len += 1;
            }
        }
    }

    /// Takes the first digit.
    pub fn take(&mut self) -> Option<u8> {
        if self.len == 0 {
            return None;
        }
        let key = std::mem::take(self.ring.get_mut(self.first)?);
        self.first = (self.first + 1) % MAX_BUFFERED_DIGITS;
        self.len -= 1;
        Some(key)
    }
}

impl Default for DtmfBuffer {
    fn default() -> Self {
        Self::new()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn taken_and_cleared_digits_are_wiped() {
        let mut keys = DtmfBuffer::new();
        for key in *b"4711" {
            keys.push(key);
        }
        assert_eq!(keys.take(), Some(b'4'));
        assert_eq!(keys.ring[..4], [0, b'7', b'1', b'1']);
        keys.zeroize();
        assert_eq!(keys.take(), None);
        assert_eq!(keys.ring, [0; MAX_BUFFERED_DIGITS]);
    }

    proptest! {
        /// Like an unbounded queue, until it is full.
        #[test]
        fn digits_come_out_in_order(
            steps in proptest::collection::vec(proptest::option::weighted(0.7, any::<u8>()), 0..2000),
        ) {
            let mut keys = DtmfBuffer::new();
            let mut model = std::collections::VecDeque::new();
            for step in steps {
                match step {
                    Some(key) => {
                        keys.push(key);
                        if model.len() < MAX_BUFFERED_DIGITS {
                            model.push_back(key);
                        }
                    }
                    None => prop_assert_eq!(keys.take(), model.pop_front()),
                }
            }
            while let Some(key) = model.pop_front() {
                prop_assert_eq!(keys.take(), Some(key));
            }
            prop_assert_eq!(keys.take(), None);
            prop_assert_eq!(keys.ring, [0; MAX_BUFFERED_DIGITS]);
        }
    }
}
