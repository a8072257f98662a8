//! Tags by which a row is found again in a file that has changed meanwhile.

use std::fmt;

use hmac::{Hmac, Mac};
use pinset::hex;
use pinset::list::format::csv::Column;
use sha2::Sha256;
use zeroize::Zeroizing;

use crate::common::csv_list::CsvList;

/// Number of bytes of a tag.
const TAG_BYTES: usize = 16;

/// Number of bytes of a key: a block of SHA-256, so that it is used as it is.
const KEY_BYTES: usize = 64;

/// The random key of tags. It is made at each start and never stored: without it, the PIN
/// of a row in the clear could be found by trying all PINs.
pub(crate) struct RowTagKey(Zeroizing<[u8; KEY_BYTES]>);

/// The tag of a row: an HMAC-SHA256 of its values. It stays the same if columns are added
/// or the row moves.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) struct RowTag([u8; TAG_BYTES]);

impl RowTagKey {
    pub(crate) fn new() -> Result<Self, getrandom::Error> {
        let mut key = Zeroizing::new([0; KEY_BYTES]);
        getrandom::fill(&mut *key)?;
        Ok(Self(key))
    }

    /// Returns the tag of a row, which is counted from 0.
    pub(crate) fn tag(&self, list: &CsvList, row: usize) -> RowTag {
        let mut mac = Hmac::<Sha256>::new((&*self.0).into());
        for column in Column::ALL {
            let value = list.value(row, column).unwrap_or_default();
            mac.update(&(value.len() as u64).to_be_bytes());
            mac.update(value.as_bytes());
        }
        let digest = mac.finalize().into_bytes();
        let mut tag = RowTag([0; TAG_BYTES]);
        tag.0
            .iter_mut()
            .zip(digest)
            .for_each(|(to, from)| *to = from);
        tag
    }

    /// Returns the first row with a tag. Rows with the same tag have the same values.
    pub(crate) fn find(&self, list: &CsvList, tag: RowTag) -> Option<usize> {
        (0..list.rows().len()).find(|row| self.tag(list, *row) == tag)
    }
}

impl RowTag {
    /// Parses a tag as [`fmt::Display`] writes it.
    pub(crate) fn parse(text: &str) -> Option<Self> {
        hex::bytes(text.as_bytes()).map(Self)
    }
}

impl fmt::Display for RowTag {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut text = String::with_capacity(2 * TAG_BYTES);
        hex::append(&mut text, &self.0);
        f.write_str(&text)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn list(text: &str) -> CsvList {
        CsvList::read(Zeroizing::new(text.as_bytes().to_vec())).expect("a list")
    }

    #[test]
    fn row_is_found_by_its_values_wherever_it_is() {
        let key = RowTagKey::new().expect("a key");
        let old = list("account,secret,name\nada,plain:1234,\nbob,plain:2345,Bob\n");
        let tags = [0, 1].map(|row| key.tag(&old, row));
        assert_ne!(tags[0], tags[1]);
        for (text, found) in [
            // A new row, a new column, other quotes.
            (
                "account,secret,name,level\neve,plain:1,,\n\"bob\", plain:2345,Bob,\nada,plain:1234,,\n",
                [Some(2), Some(1)],
            ),
            // Another secret, another name.
            ("account,secret,name\nada,plain:1235,\nbob,plain:2345,bob\n", [None; 2]),
            // A level; the value of one column in another.
            ("account,secret,level,context\nada,plain:1234,1,\nbob,plain:2345,,Bob\n", [None; 2]),
            ("account,secret\nada,plain:1234\nada,plain:1234\n", [Some(0), None]),
        ] {
            assert_eq!(tags.map(|tag| key.find(&list(text), tag)), found, "{text}");
        }
    }

    #[test]
    fn tag_is_written_and_parsed_and_differs_at_each_start() {
        let list = list("account,secret\nada,plain:1234\n");
        let [one, other] = [(); 2].map(|()| RowTagKey::new().expect("a key").tag(&list, 0));
        assert_ne!(one, other);
        assert_eq!(RowTag::parse(&one.to_string()), Some(one));
        assert_eq!(RowTag::parse("1"), None);
        assert_eq!(one.to_string().len(), 2 * TAG_BYTES);
    }
}
