//! The journal of uses: what may not yet be on disk in Asterisk's database.
//! One record a line, `use FAMILY KEY` for a one-time PIN whose key is removed,
//! `count FAMILY KEY N` for a row that has had N uses, and `set FAMILY KEY N` for one that
//! has had N since an administrator has set it back; family and key in hexadecimal so
//! that any byte is allowed in either.

use std::fmt::Write;

use zeroize::Zeroizing;

use crate::hex;

/// The effect of a use on a key.
#[derive(Clone, PartialEq, Eq)]
pub struct UseRecord {
    /// The family of Asterisk's database, without the leading `/`.
    pub family: Vec<u8>,
    /// The key in it: of a one-time PIN, the PIN.
    pub key: Zeroizing<Vec<u8>>,
    /// The effect of the use.
    pub effect: Effect,
}

/// The new state of a key.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Effect {
    /// It is removed.
    Removed,
    /// It holds the number of uses so far.
    Counted(u64),
    /// It holds the number of uses since it was set back, whatever the database, which
    /// may not have been written since, holds.
    Set(u64),
}

impl UseRecord {
    /// Whether it is about that key.
    pub fn is_about(&self, family: &[u8], key: &[u8]) -> bool {
        self.family == family && self.key.as_slice() == key
    }

    /// The record's line, its line end included.
    pub fn line(&self) -> Zeroizing<String> {
        // Wide enough to stay where it is: what is moved is not wiped.
        let hex = 2 * (self.family.len() + self.key.len());
        let mut line = Zeroizing::new(String::with_capacity(hex + 32));
        line.push_str(match self.effect {
            Effect::Removed => "use ",
            Effect::Counted(_) => "count ",
            Effect::Set(_) => "set ",
        });
        hex::append(&mut line, &self.family);
        line.push(' ');
        hex::append(&mut line, &self.key);
        if let Effect::Counted(uses) | Effect::Set(uses) = self.effect {
            // Writing to a String can't fail.
            let _ = write!(line, " {uses}");
        }
        line.push('\n');
        line
    }
}

/// Reads a journal. Returns its records and how many ended lines are none.
///
/// Of several records of one key only the last is returned: it counts on from
/// the others, unless the key was set by hand in between.
///
/// A last line without its line end was cut off before it was synced, so no caller
/// was admitted by it: it is skipped.
pub fn read(journal: &[u8]) -> (Vec<UseRecord>, usize) {
    let mut records: Vec<UseRecord> = Vec::new();
    let mut broken = 0;
    for line in journal.split_inclusive(|byte| *byte == b'\n') {
        if let Some(line) = line.strip_suffix(b"\n") {
            match parse(line) {
                Some(record) => {
                    records.retain(|older| !older.is_about(&record.family, &record.key));
                    records.push(record);
                }
                None => broken += 1,
            }
        }
    }
    (records, broken)
}

/// A number of uses: decimal digits and nothing else.
pub fn uses(text: &[u8]) -> Option<u64> {
    // As many as the greatest has.
    let fits = (1..=20).contains(&text.len()) && text.iter().all(u8::is_ascii_digit);
    std::str::from_utf8(text)
        .ok()
        .filter(|_| fits)?
        .parse()
        .ok()
}

fn parse(line: &[u8]) -> Option<UseRecord> {
    let mut words = line.split(|byte| *byte == b' ');
    let kind = words.next()?;
    let family = unhex(words.next()?)?;
    let key = Zeroizing::new(unhex(words.next()?)?);
    let effect = match kind {
        b"use" => Effect::Removed,
        b"count" => Effect::Counted(uses(words.next()?)?),
        b"set" => Effect::Set(uses(words.next()?)?),
        _ => return None,
    };
    (words.next().is_none() && !family.is_empty() && !key.is_empty()).then_some(UseRecord {
        family,
        key,
        effect,
    })
}

fn unhex(text: &[u8]) -> Option<Vec<u8>> {
    // Wide enough at once: what is moved is not wiped.
    let mut bytes = Vec::with_capacity(text.len() / 2);
    for pair in text.chunks(2) {
        let [byte] = hex::bytes(pair)?;
        bytes.push(byte);
    }
    Some(bytes)
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn record(family: &[u8], key: &[u8], effect: Effect) -> UseRecord {
        UseRecord {
            family: family.to_vec(),
            key: Zeroizing::new(key.to_vec()),
            effect,
        }
    }

    fn journal(records: &[UseRecord]) -> String {
        records.iter().map(|r| r.line().to_string()).collect()
    }

    #[test]
    fn a_record_is_one_line_of_hexadecimal() {
        for (effect, line) in [
            (Effect::Removed, "use 70696e 31322a41\n"),
            (Effect::Counted(0), "count 70696e 31322a41 0\n"),
            (
                Effect::Counted(u64::MAX),
                "count 70696e 31322a41 18446744073709551615\n",
            ),
            (Effect::Set(0), "set 70696e 31322a41 0\n"),
        ] {
            assert_eq!(*record(b"pin", b"12*A", effect).line(), line);
        }
    }

    #[test]
    fn invalid_records_are_counted() {
        for (line, right) in [
            ("use 70696e 31", true),
            ("use 70696E 31", true),
            ("count 70696e 31 1", true),
            ("count 70696e 31 007", true),
            ("set 70696e 31 0", true),
            ("set 70696e 31", false),
            ("", false),
            ("use 7 31", false),
            ("use  31", false),
            ("use 70 ", false),
            ("use 70", false),
            ("rm 70 31", false),
            ("use 70 31 1", false),
            ("use 70 31 ", false),
            ("use 70 zz", false),
            ("count 70 31", false),
            ("count 70 31 ", false),
            ("count 70 31 -1", false),
            ("count 70 31 +1", false),
            ("count 70 31 1 ", false),
            ("count 70 31 1 1", false),
            ("count 70 31 18446744073709551616", false),
            ("count  31 1", false),
            ("counted 70 31 1", false),
        ] {
            let (records, broken) = read(format!("{line}\n").as_bytes());
            assert_eq!(
                (records.len(), broken),
                (usize::from(right), usize::from(!right)),
                "{line:?}"
            );
        }
    }

    #[test]
    fn a_number_of_uses_is_digits_that_fit() {
        for (text, number) in [
            ("0", Some(0)),
            ("17", Some(17)),
            ("00000000000000000003", Some(3)),
            ("18446744073709551615", Some(u64::MAX)),
            ("18446744073709551616", None),
            ("000000000000000000003", None),
            ("", None),
            (" 1", None),
            ("1\n", None),
            ("+1", None),
            ("-1", None),
            ("1.0", None),
            ("0x1", None),
            ("yes", None),
            ("\u{661}", None),
        ] {
            assert_eq!(uses(text.as_bytes()), number, "{text:?}");
        }
    }

    #[test]
    fn last_record_of_a_key_wins() {
        use Effect::{Counted, Removed};
        let [three, four, one] = [3, 4, 1].map(|uses| record(b"a", b"k", Counted(uses)));
        let others = [
            record(b"a", b"l", Counted(9)),
            record(b"b", b"k", Counted(9)),
        ];
        let standing = [&others[..], std::slice::from_ref(&four)].concat();
        let all = [&[three][..], &standing].concat();
        assert!(read(journal(&all).as_bytes()) == (standing, 0));
        // Set back by hand, used again.
        let all = [four.clone(), one.clone()];
        assert!(read(journal(&all).as_bytes()) == (vec![one], 0));
        let all = [four, record(b"a", b"k", Removed)];
        assert!(read(journal(&all).as_bytes()) == (vec![all[1].clone()], 0));
    }

    /// Records can't be printed, nor can what fails be with them.
    type Parts = (Vec<u8>, Vec<u8>, Effect);

    fn any_parts() -> impl Strategy<Value = Parts> {
        // Few bytes, so that keys meet.
        let bytes = || {
            prop_oneof![
                proptest::collection::vec(0_u8..2, 1..3),
                proptest::collection::vec(any::<u8>(), 1..40),
            ]
        };
        let effect = prop_oneof![
            Just(Effect::Removed),
            any::<u64>().prop_map(Effect::Counted)
        ];
        (bytes(), bytes(), effect)
    }

    /// Returns the last record of each key.
    fn last_of_each(records: &[UseRecord]) -> Vec<UseRecord> {
        let superseded = |number: usize, record: &UseRecord| {
            records[number + 1..]
                .iter()
                .any(|later| later.family == record.family && later.key == record.key)
        };
        let standing = records.iter().enumerate();
        standing
            .filter(|(number, record)| !superseded(*number, record))
            .map(|(_, record)| record.clone())
            .collect()
    }

    proptest! {
        #[test]
        fn written_journal_is_read_back(
            parts in proptest::collection::vec(any_parts(), 0..20),
            cut in any::<proptest::sample::Index>(),
        ) {
            let records: Vec<_> = parts.iter().map(|(f, k, e)| record(f, k, *e)).collect();
            let written = journal(&records);
            let (standing, broken) = read(written.as_bytes());
            prop_assert_eq!(broken, 0);
            prop_assert!(standing == last_of_each(&records));
            // Written again, it is read the same.
            prop_assert!(read(journal(&standing).as_bytes()) == (standing, 0));
            // Cut off anywhere: whole records are kept, the torn one is none.
            let cut = cut.index(written.len() + 1);
            let (kept, broken) = read(&written.as_bytes()[..cut]);
            prop_assert_eq!(broken, 0);
            let whole = written[..cut].matches('\n').count();
            prop_assert!(kept == last_of_each(&records[..whole]));
        }

        #[test]
        fn reading_any_bytes_does_not_panic(
            journal in proptest::collection::vec(any::<u8>(), 0..200),
        ) {
            let ended = journal.iter().filter(|byte| **byte == b'\n').count();
            let (records, broken) = read(&journal);
            prop_assert!(records.len() + broken <= ended);
        }
    }
}
