//! Tags by which a file, and a row in a file that has changed meanwhile, are recognized.

use std::fmt;

use hmac::{Hmac, Mac};
use pinset::hex;
use sha2::Sha256;
use zeroize::Zeroizing;

use crate::common::csv_list::CsvList;

/// Number of bytes of a tag.
const TAG_BYTES: usize = 16;

/// Number of bytes of a key: a block of SHA-256, so that it is used as it is.
const KEY_BYTES: usize = 64;

/// What begins the input of a tag, so that no file has the tag of a row.
const OF_ROW: &[u8] = b"row";
const OF_FILE: &[u8] = b"file";

/// The random key of tags. It is made at each start and never stored: without it, the PIN
/// of a row in the clear could be found by trying all PINs.
pub(crate) struct TagKey(Zeroizing<[u8; KEY_BYTES]>);

/// The tag of a row: an HMAC-SHA256 of its values. It stays the same if columns are added
/// or the row moves.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub(crate) struct RowTag([u8; TAG_BYTES]);

/// The tag of a file: an HMAC-SHA256 of its bytes.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) struct FileTag([u8; TAG_BYTES]);

impl TagKey {
    pub(crate) fn new() -> Result<Self, getrandom::Error> {
        let mut key = Zeroizing::new([0; KEY_BYTES]);
        getrandom::fill(&mut *key)?;
        Ok(Self(key))
    }

    /// Returns the tag of a row, which is counted from 0.
    pub(crate) fn row(&self, list: &CsvList, row: usize) -> RowTag {
        let mut mac = self.mac(OF_ROW);
        for value in list.values(row) {
            mac.update(&(value.len() as u64).to_be_bytes());
            mac.update(value.as_bytes());
        }
        RowTag(truncated(mac))
    }

    /// Returns the row with a tag: the one in this line, in which it was, or the first one.
    /// Rows with the same tag have the same values.
    pub(crate) fn find(&self, list: &CsvList, tag: RowTag, line: u64) -> Option<usize> {
        let has_tag = |row: &usize| self.row(list, *row) == tag;
        let there = list.row_in_line(line).filter(has_tag);
        there.or_else(|| (0..list.rows().len()).find(has_tag))
    }

    /// Returns the tag of a file.
    pub(crate) fn file(&self, text: &[u8]) -> FileTag {
        let mut mac = self.mac(OF_FILE);
        mac.update(text);
        FileTag(truncated(mac))
    }

    fn mac(&self, of: &[u8]) -> Hmac<Sha256> {
        let mut mac = Hmac::<Sha256>::new((&*self.0).into());
        mac.update(of);
        mac
    }
}

fn truncated(mac: Hmac<Sha256>) -> [u8; TAG_BYTES] {
    let mut tag = [0; TAG_BYTES];
    let digest = mac.finalize().into_bytes();
    tag.iter_mut().zip(digest).for_each(|(to, from)| *to = from);
    tag
}

impl RowTag {
    /// Parses a tag as [`fmt::Display`] writes it.
    pub(crate) fn parse(text: &str) -> Option<Self> {
        hex::bytes(text.as_bytes()).map(Self)
    }
}

impl fmt::Display for RowTag {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write_hex(&self.0, f)
    }
}

impl fmt::Display for FileTag {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write_hex(&self.0, f)
    }
}

fn write_hex(tag: &[u8], f: &mut fmt::Formatter<'_>) -> fmt::Result {
    let mut text = String::with_capacity(2 * TAG_BYTES);
    hex::append(&mut text, tag);
    f.write_str(&text)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn list(text: &str) -> CsvList {
        CsvList::read(Zeroizing::new(text.as_bytes().to_vec())).expect("a list")
    }

    #[test]
    fn row_is_found_by_its_values_wherever_it_is() {
        let key = TagKey::new().expect("a key");
        let old = list("account,secret,name\nada,plain:1234,\nbob,plain:2345,Bob\n");
        let tags = [0, 1].map(|row| key.row(&old, row));
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
            assert_eq!(tags.map(|tag| key.find(&list(text), tag, 0)), found, "{text}");
            assert_eq!(tags.map(|tag| key.find(&list(text), tag, 2)), found, "{text}");
        }
        let twice = list("account,secret\nada,plain:1234\nada,plain:1234\n");
        assert_eq!(key.find(&twice, tags[0], 3), Some(1));
    }

    #[test]
    fn tag_is_written_and_parsed_and_differs_at_each_start() {
        let list = list("account,secret\nada,plain:1234\n");
        let keys = [(); 2].map(|()| TagKey::new().expect("a key"));
        let [one, other] = keys.each_ref().map(|key| key.row(&list, 0));
        assert_ne!(one, other);
        assert_eq!(RowTag::parse(&one.to_string()), Some(one));
        assert_eq!(RowTag::parse("1"), None);
        assert_eq!(one.to_string().len(), 2 * TAG_BYTES);
        let [one, other] = keys.each_ref().map(|key| key.file(list.text()));
        assert_ne!(one, other);
        assert_ne!(one, keys[0].file(b"account,secret\nada,plain:1235\n"));
    }
}
