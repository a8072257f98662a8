//! Sorted index of the PINs of a list, 24 bytes each.

use md5::{Digest, Md5};
use pinset::pin::nibble;

/// Maximum number of digits that fit into a [`PinKey`].
const MAX_PACKED_DIGITS: usize = 31;

/// A PIN in 16 bytes. It has two halves, because a `u128` would add padding.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct PinKey(u64, u64);

impl PinKey {
    /// Returns the key of a PIN: four bits per digit, or its MD5 if it is too long. The
    /// first four bits distinguish the two.
    pub(super) fn of_pin(pin: &[u8]) -> Self {
        if pin.len() <= MAX_PACKED_DIGITS {
            let packed = pin
                .iter()
                .fold(0, |sum, key| sum << 4 | u128::from(nibble(*key)));
            Self::from(packed)
        } else {
            let digest = u128::from_be_bytes(Md5::digest(pin).into());
            Self::from(digest | 0xf << 124)
        }
    }

    /// Returns the key of an MD5.
    pub(super) fn of_digest(digest: [u8; 16]) -> Self {
        Self::from(u128::from_be_bytes(digest))
    }

    /// Returns the number of digits, for a key of [`Self::of_pin`]. Returns `None` if
    /// there are more than anybody would guess.
    pub(super) fn length(self) -> Option<usize> {
        let packed = u128::from(self.0) << 64 | u128::from(self.1);
        (packed >> 124 == 0).then(|| (u128::BITS - packed.leading_zeros()).div_ceil(4) as usize)
    }
}

impl From<u128> for PinKey {
    fn from(bits: u128) -> Self {
        Self((bits >> 64) as u64, bits as u64)
    }
}

/// The PINs of a list and their lines.
pub(super) struct PinIndex(Vec<(PinKey, u64)>);

impl PinIndex {
    /// Sorts the PINs.
    pub(super) fn new(mut pins: Vec<(PinKey, u64)>) -> Self {
        pins.sort_unstable();
        Self(pins)
    }

    /// Returns each PIN with its lines in order.
    pub(super) fn groups(&self) -> impl Iterator<Item = &[(PinKey, u64)]> {
        self.0.chunk_by(|one, other| one.0 == other.0)
    }

    /// Returns the lines of a PIN.
    pub(super) fn lines(&self, key: PinKey) -> impl Iterator<Item = u64> + '_ {
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
    fn index_entry_takes_24_bytes() {
        assert_eq!(size_of::<(PinKey, u64)>(), 24);
    }

    #[test]
    fn index_finds_lines_and_groups() {
        let pins = [(&b"1234"[..], 1), (b"77", 2), (b"1234", 3), (b"0077", 4)];
        let index = PinIndex::new(pins.map(|(pin, line)| (PinKey::of_pin(pin), line)).to_vec());
        let lines = |pin: &[u8]| index.lines(PinKey::of_pin(pin)).collect::<Vec<_>>();
        assert_eq!(lines(b"1234"), [1, 3]);
        assert_eq!(lines(b"77"), [2]);
        assert_eq!(lines(b"0077"), [4]);
        assert_eq!(lines(b"5555"), [0; 0]);
        assert_eq!(index.groups().count(), 3);
    }

    proptest! {
        #[test]
        fn keys_are_equal_only_if_pins_are(one in "[0-9*A-D]{1,40}", other in "[0-9*A-D]{1,40}") {
            let key = PinKey::of_pin(one.as_bytes());
            prop_assert!(key == PinKey::of_pin(one.as_bytes()));
            prop_assert_eq!(key == PinKey::of_pin(other.as_bytes()), one == other);
            prop_assert_eq!(key.length(), (one.len() <= MAX_PACKED_DIGITS).then_some(one.len()));
        }
    }
}
