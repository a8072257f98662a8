//! The journal of one-time PINs: what was used up and may not yet be on disk
//! in Asterisk's database. One record a line, `use FAMILY KEY`, both in
//! hexadecimal so that any byte is allowed in either.

use std::fmt::Write;

use zeroize::Zeroizing;

/// A one-time PIN that is used up.
#[derive(Clone, PartialEq, Eq)]
pub struct Used {
    /// The family of Asterisk's database, without the leading `/`.
    pub family: Vec<u8>,
    /// The key in it: the PIN.
    pub key: Zeroizing<Vec<u8>>,
}

impl Used {
    /// The record's line, its line end included.
    pub fn line(&self) -> Zeroizing<String> {
        let mut line = Zeroizing::new(String::with_capacity(
            2 * (self.family.len() + self.key.len()) + 8,
        ));
        line.push_str("use ");
        push_hex(&mut line, &self.family);
        line.push(' ');
        push_hex(&mut line, &self.key);
        line.push('\n');
        line
    }
}

/// Reads a journal. Returns its records and how many ended lines are none.
///
/// A last line without its line end was cut off before it was synced, so
/// nobody was admitted by it: it is passed over.
pub fn read(journal: &[u8]) -> (Vec<Used>, usize) {
    let mut records = Vec::new();
    let mut broken = 0;
    for line in journal.split_inclusive(|byte| *byte == b'\n') {
        if let Some(line) = line.strip_suffix(b"\n") {
            match parse(line) {
                Some(record) => records.push(record),
                None => broken += 1,
            }
        }
    }
    (records, broken)
}

fn parse(line: &[u8]) -> Option<Used> {
    let mut words = line.strip_prefix(b"use ")?.split(|byte| *byte == b' ');
    let family = unhex(words.next()?)?;
    let key = Zeroizing::new(unhex(words.next()?)?);
    (words.next().is_none() && !family.is_empty() && !key.is_empty())
        .then_some(Used { family, key })
}

fn push_hex(line: &mut String, bytes: &[u8]) {
    for byte in bytes {
        // Writing to a String can't fail.
        let _ = write!(line, "{byte:02x}");
    }
}

fn unhex(text: &[u8]) -> Option<Vec<u8>> {
    let digit = |c: u8| char::from(c).to_digit(16);
    let pairs = text.chunks(2).map(|pair| match pair {
        [high, low] => u8::try_from(digit(*high)? << 4 | digit(*low)?).ok(),
        _ => None,
    });
    pairs.collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn used(family: &[u8], key: &[u8]) -> Used {
        Used {
            family: family.to_vec(),
            key: Zeroizing::new(key.to_vec()),
        }
    }

    #[test]
    fn a_record_is_one_line_of_hexadecimal() {
        assert_eq!(*used(b"pin", b"12*A").line(), "use 70696e 31322a41\n");
    }

    #[test]
    fn what_is_no_record_is_counted() {
        let (records, broken) = read(b"use 70696e 31\nuse 7 31\n\nuse  31\nuse 70\nrm 70 31\n");
        assert!(records == [used(b"pin", b"1")]);
        assert_eq!(broken, 5);
    }

    proptest! {
        #[test]
        fn what_is_written_is_read(
            records in proptest::collection::vec(
                (proptest::collection::vec(any::<u8>(), 1..40),
                 proptest::collection::vec(any::<u8>(), 1..40)),
                0..10),
            cut in any::<proptest::sample::Index>(),
        ) {
            let records: Vec<Used> = records.iter().map(|(f, k)| used(f, k)).collect();
            let journal: String = records.iter().map(|r| r.line().to_string()).collect();
            prop_assert!(read(journal.as_bytes()) == (records.clone(), 0));
            // Cut off anywhere: whole records are kept, the torn one is none.
            let cut = cut.index(journal.len() + 1);
            let (kept, broken) = read(&journal.as_bytes()[..cut]);
            prop_assert_eq!(broken, 0);
            prop_assert!(kept[..] == records[..kept.len()]);
            prop_assert_eq!(kept.len(), journal[..cut].matches('\n').count());
        }
    }
}
