//! A fast linear scan of a list for one PIN, used while the list has no index.

use std::fs::File;
use std::io::{self, Read};
use std::ops::Range;
use std::os::unix::fs::FileExt;

use memchr::memmem::Finder;
use zeroize::Zeroizing;

use crate::list::format::blocks::{Block, Blocks, BYTE_ORDER_MARK};
use crate::list::format::line::{Format, Gives};
use crate::list::format::lines::trimmed;
use crate::list::format::md5;
use crate::pin::Pin;

/// The result of a pass.
pub struct Passed {
    /// The first line that gives the entry, if one does.
    pub found: Option<MatchingLine>,
    /// The number of lines.
    pub lines: u64,
    /// The number of bytes in them.
    pub bytes: u64,
}

/// A line that gives somebody the PIN.
pub struct MatchingLine {
    /// Its account, in an MD5 list.
    pub account: Option<Vec<u8>>,
    /// Its offset in the list.
    offset: u64,
    /// It, and its line end.
    text: Zeroizing<Vec<u8>>,
}

/// Looks for an entry from the start of a list to its end. An empty one is not
/// found. For `settled`, see [`Blocks`].
pub fn pass(list: impl Read, format: Format, settled: bool, pin: &Pin) -> io::Result<Passed> {
    let digest = md5::digest(pin);
    let hex = md5::to_hex(&digest);
    let wanted = Needle::new(format, pin, &digest, &hex);
    let mut blocks = Blocks::new(list, settled);
    let mut passed = Passed {
        found: None,
        lines: 0,
        bytes: 0,
    };
    while let Some(block) = blocks.next_block()? {
        let ends = memchr::memchr_iter(b'\n', block.lines).count();
        let unended = !block.lines.ends_with(b"\n");
        passed.lines += ends as u64 + u64::from(unended);
        passed.bytes += block.lines.len() as u64;
        if passed.found.is_none() && !pin.is_empty() {
            passed.found = wanted.find(&block);
        }
    }
    Ok(passed)
}

/// What is looked for: bytes that only few lines have, and what the whole line
/// must give.
struct Needle<'a> {
    format: Format,
    pin: &'a Pin,
    digest: &'a [u8; 16],
    needle: Finder<'a>,
    /// How much of what the line must have, the PIN or the digest in
    /// hexadecimal, stands before the needle, and how long it is in all.
    before: usize,
    length: usize,
}

impl<'a> Needle<'a> {
    fn new(format: Format, pin: &'a Pin, digest: &'a [u8; 16], hex: &'a [u8; 32]) -> Self {
        let (whole, part) = match format {
            Format::Plain => (pin.as_bytes(), 0..pin.len()),
            // Letters may be of either case, digits are the same in both.
            Format::Md5 => (&hex[..], longest_run_of_digits(hex)),
        };
        let needle = whole.get(part.clone()).unwrap_or_default();
        Self {
            format,
            pin,
            digest,
            needle: Finder::new(needle),
            before: part.start,
            length: whole.len(),
        }
    }

    fn find(&self, block: &Block<'_>) -> Option<MatchingLine> {
        let lines = block.lines;
        self.needle.find_iter(lines).find_map(|at| {
            let whole = at.checked_sub(self.before)?;
            if !self.stands_alone(lines, whole) {
                return None;
            }
            let (before, behind) = lines.split_at(whole);
            let start = memchr::memrchr(b'\n', before).map_or(0, |end| end + 1);
            let end = memchr::memchr(b'\n', behind).map_or(lines.len(), |end| whole + end);
            let account = match Gives::of(trimmed(lines.get(start..end)?), self.format) {
                Gives::Pin(text) if self.pin.is(text) => None,
                Gives::Account(account, digest) if digest == *self.digest => Some(account.to_vec()),
                _ => return None,
            };
            let with_end = lines.len().min(end + 1);
            Some(MatchingLine {
                account,
                offset: block.offset + start as u64,
                text: Zeroizing::new(lines.get(start..with_end)?.to_vec()),
            })
        })
    }

    /// Whether no more of the same follows or goes before: most that looks
    /// like it is part of something longer, and not worth a look at its line.
    fn stands_alone(&self, lines: &[u8], start: usize) -> bool {
        let edge =
            |byte: Option<&u8>| byte.is_none_or(|byte| *byte == b':' || byte.is_ascii_whitespace());
        let before = start.checked_sub(1).and_then(|before| lines.get(before));
        edge(before) && edge(lines.get(start + self.length))
    }
}

fn longest_run_of_digits(hex: &[u8; 32]) -> Range<usize> {
    let mut longest = 0..0;
    let mut start = 0;
    for (at, digit) in hex.iter().enumerate() {
        if !digit.is_ascii_digit() {
            start = at + 1;
        } else if at + 1 - start > longest.len() {
            longest = start..at + 1;
        }
    }
    longest
}

impl MatchingLine {
    /// Whether the line stands in the file as it was found. A file that is
    /// written to while it is read may look, for a moment, as if it had a line
    /// that it never had: the start of one and the end of another.
    pub fn is_there(&self, file: &File) -> io::Result<bool> {
        let lead = self.offset.min(BYTE_ORDER_MARK.len() as u64);
        let mut there = Zeroizing::new(vec![0; lead as usize + self.text.len()]);
        match file.read_exact_at(&mut there, self.offset - lead) {
            Ok(()) => {}
            Err(error) if error.kind() == io::ErrorKind::UnexpectedEof => return Ok(false),
            Err(error) => return Err(error),
        }
        let (lead, text) = there.split_at(lead as usize);
        let begins = lead.is_empty() || lead == BYTE_ORDER_MARK || lead.ends_with(b"\n");
        Ok(begins && text == self.text.as_slice())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;
    use std::io::Seek;

    use crate::list::read;

    fn entered(text: &str) -> Pin {
        let mut pin = Pin::new();
        text.bytes().for_each(|key| pin.push(key));
        pin
    }

    fn found(list: &[u8], format: Format, pin: &str) -> Option<Option<Vec<u8>>> {
        let passed = pass(list, format, true, &entered(pin)).expect("read");
        passed.found.map(|found| found.account)
    }

    /// The content of the list, line by line.
    fn read_out(list: &[u8], format: Format, pin: &str) -> Option<Option<Vec<u8>>> {
        let pin = entered(pin);
        read(list, format, true, |line| match line.gives {
            Gives::Pin(text) => pin.is(text).then_some(None),
            Gives::Account(account, digest) => {
                (digest == md5::digest(&pin)).then(|| Some(account.to_vec()))
            }
            _ => None,
        })
        .expect("read")
    }

    #[test]
    fn the_first_line_is_found_in_any_case() {
        let list = b"bob:81dC9bdb52d04dc20036dbd8313ed055\n\
                     alice:81DC9BDB52D04DC20036DBD8313ED055  -\r\n\
                     carol:b59c67bf196a4758191e42f76670ceba";
        assert_eq!(
            found(list, Format::Md5, "1234"),
            Some(Some(b"bob".to_vec()))
        );
        assert_eq!(
            found(list, Format::Md5, "1111"),
            Some(Some(b"carol".to_vec()))
        );
        assert_eq!(found(list, Format::Md5, "2222"), None);
        assert_eq!(found(b"1111\n", Format::Plain, ""), None);
    }

    #[test]
    fn lines_are_counted() {
        for (list, settled, lines) in [("", true, 0), ("1\n\n2", true, 3), ("1\n\n2", false, 2)] {
            let passed =
                pass(list.as_bytes(), Format::Plain, settled, &entered("1")).expect("read");
            assert_eq!(passed.lines, lines, "{list:?}");
        }
    }

    #[test]
    fn a_line_is_there_or_it_is_not() {
        let file = tempfile::tempfile().expect("a file");
        let write = |at, text: &[u8]| file.write_all_at(text, at).expect("written");
        write(0, b"\xef\xbb\xbf77\n1234\n88\n");
        let in_it = |pin| {
            (&file).rewind().expect("rewound");
            let passed = pass(&file, Format::Plain, true, &entered(pin)).expect("read");
            passed.found.expect("found")
        };
        let (first, second, last) = (in_it("77"), in_it("1234"), in_it("88"));
        for found in [&first, &second, &last] {
            assert!(found.is_there(&file).expect("read"));
        }
        // The line end in front of it, then its own.
        write(5, b"9");
        assert!(!first.is_there(&file).expect("read"));
        assert!(!second.is_there(&file).expect("read"));
        write(5, b"\n");
        assert!(second.is_there(&file).expect("read"));
        write(10, b"0");
        assert!(!second.is_there(&file).expect("read"));
        file.set_len(12).expect("cut");
        assert!(!last.is_there(&file).expect("read"));
    }

    proptest! {
        #[test]
        fn finds_in_a_plain_list_what_reading_does(
            list in "(\u{feff})?([ \t\r]{0,2}[12*A]{0,4}[ \r\u{0}x:]{0,2}\n?){0,30}",
            pin in "[12*A]{1,3}",
        ) {
            let list = list.as_bytes();
            prop_assert_eq!(found(list, Format::Plain, &pin), read_out(list, Format::Plain, &pin));
        }

        #[test]
        fn finds_in_an_md5_list_what_reading_does(
            lines in prop::collection::vec(("[a: ]{0,3}", 0..3_usize, "(  -| \\*1)?[\r ]{0,1}", any::<u32>()), 0..20),
            pin in 0..3_usize,
        ) {
            let pins = ["1", "22", "*A"];
            let mut list = Vec::new();
            for (head, which, tail, case) in lines {
                let mut hex = md5::to_hex(&md5::digest(&entered(pins[which])));
                for (at, digit) in hex.iter_mut().enumerate() {
                    if case >> at & 1 == 1 {
                        digit.make_ascii_uppercase();
                    }
                }
                list.extend([head.as_bytes(), &hex, tail.as_bytes(), b"\n"].concat());
            }
            let pin = pins[pin];
            prop_assert_eq!(found(&list, Format::Md5, pin), read_out(&list, Format::Md5, pin));
        }
    }
}
