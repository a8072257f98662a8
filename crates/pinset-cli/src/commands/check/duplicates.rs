//! All PINs of a list, sorted: 24 bytes each.

use md5::{Digest, Md5};
use pinset::pin::nibble;

/// How many keys fit into a [`Key`].
const PACKED: usize = 31;

/// A PIN in 16 bytes. In two halves: a `u128` would be padded beside a line.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub struct Key(u64, u64);

impl Key {
    /// A PIN as it is, four bits a key; its MD5 if it is too long for that.
    /// The first four bits tell the one from the other.
    pub fn of_pin(pin: &[u8]) -> Self {
        if pin.len() <= PACKED {
            let packed = pin
                .iter()
                .fold(0, |sum, key| sum << 4 | u128::from(nibble(*key)));
            Self::from(packed)
        } else {
            let digest = u128::from_be_bytes(Md5::digest(pin).into());
            Self::from(digest | 0xf << 124)
        }
    }

    /// The MD5 of a PIN.
    pub fn of_digest(digest: [u8; 16]) -> Self {
        Self::from(u128::from_be_bytes(digest))
    }

    /// How many keys the PIN has, for [`Self::of_pin`]; `None` if more than
    /// anybody guesses.
    pub fn length(self) -> Option<usize> {
        let packed = u128::from(self.0) << 64 | u128::from(self.1);
        (packed >> 124 == 0).then(|| (u128::BITS - packed.leading_zeros()).div_ceil(4) as usize)
    }
}

impl From<u128> for Key {
    fn from(bits: u128) -> Self {
        Self((bits >> 64) as u64, bits as u64)
    }
}

/// The PINs of a list and the lines they stand in.
pub struct Index(Vec<(Key, u64)>);

impl Index {
    /// Sorts.
    pub fn new(mut pins: Vec<(Key, u64)>) -> Self {
        pins.sort_unstable();
        Self(pins)
    }

    /// Each PIN, and its lines in order.
    pub fn groups(&self) -> impl Iterator<Item = &[(Key, u64)]> {
        self.0.chunk_by(|one, other| one.0 == other.0)
    }

    /// The lines of one PIN.
    pub fn lines(&self, key: Key) -> impl Iterator<Item = u64> + '_ {
        let start = self.0.partition_point(|(other, _)| *other < key);
        let from_there = self.0.get(start..).unwrap_or_default();
        from_there
            .iter()
            .take_while(move |(other, _)| *other == key)
            .map(|(_, line)| *line)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn an_entry_takes_24_bytes() {
        assert_eq!(size_of::<(Key, u64)>(), 24);
    }

    #[test]
    fn lines_and_groups() {
        let pins = [(&b"1234"[..], 1), (b"77", 2), (b"1234", 3), (b"0077", 4)];
        let index = Index::new(pins.map(|(pin, line)| (Key::of_pin(pin), line)).to_vec());
        let lines = |pin: &[u8]| index.lines(Key::of_pin(pin)).collect::<Vec<_>>();
        assert_eq!(lines(b"1234"), [1, 3]);
        assert_eq!(lines(b"77"), [2]);
        assert_eq!(lines(b"0077"), [4]);
        assert_eq!(lines(b"5555"), [0; 0]);
        assert_eq!(index.groups().count(), 3);
    }

    proptest! {
        #[test]
        fn keys_differ_where_pins_do(one in "[0-9*A-D]{1,40}", other in "[0-9*A-D]{1,40}") {
            let key = Key::of_pin(one.as_bytes());
            prop_assert!(key == Key::of_pin(one.as_bytes()));
            prop_assert_eq!(key == Key::of_pin(other.as_bytes()), one == other);
            prop_assert_eq!(key.length(), (one.len() <= PACKED).then_some(one.len()));
        }
    }
}
