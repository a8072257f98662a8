//! The lines of a list, in bounded memory.

use std::io::{self, BufRead};

/// The longest line that is looked at, its line end not counted. A PIN has
/// 254 keys at most, an account 79 characters; the rest is room for blanks
/// and for the file names that `md5sum` prints.
const LONGEST: usize = 1024;

/// One line as it stands in the list.
pub struct Raw<'a> {
    /// Its number, from 1.
    pub number: u64,
    /// Its text without line end, byte order mark and surrounding blanks;
    /// `None` if it is longer than [`LONGEST`].
    pub text: Option<&'a [u8]>,
    /// Whether it has a line end.
    pub ended: bool,
}

/// Calls `look` with each line until it returns something.
///
/// A last line without a line end counts only if `settled`: a writer may be
/// at it, and the first digits of a PIN must not become one.
pub fn find<T>(
    mut list: impl BufRead,
    settled: bool,
    mut look: impl FnMut(Raw<'_>) -> Option<T>,
) -> io::Result<Option<T>> {
    let mut line = Vec::new();
    let mut number = 0;
    loop {
        line.clear();
        let mut long = false;
        let ended = loop {
            let block = match list.fill_buf() {
                Ok(block) => block,
                Err(error) if error.kind() == io::ErrorKind::Interrupted => continue,
                Err(error) => return Err(error),
            };
            if block.is_empty() {
                break false;
            }
            let end = memchr::memchr(b'\n', block);
            let part = block.get(..end.unwrap_or(block.len())).unwrap_or_default();
            long |= line.len() + part.len() > LONGEST;
            if !long {
                line.extend_from_slice(part);
            }
            let used = part.len() + usize::from(end.is_some());
            list.consume(used);
            if end.is_some() {
                break true;
            }
        };
        if !ended && ((line.is_empty() && !long) || !settled) {
            return Ok(None);
        }
        number += 1;
        let text = if number == 1 {
            line.strip_prefix(b"\xef\xbb\xbf").unwrap_or(&line)
        } else {
            &line
        };
        let found = look(Raw {
            number,
            text: (!long).then(|| text.trim_ascii()),
            ended,
        });
        if found.is_some() || !ended {
            return Ok(found);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn all(list: &[u8], settled: bool) -> Vec<(u64, Option<String>)> {
        let mut lines = Vec::new();
        // A tiny buffer, so that lines span blocks.
        let list = io::BufReader::with_capacity(3, list);
        let end = find(list, settled, |line| {
            let text = line.text.map(|t| String::from_utf8_lossy(t).into_owned());
            lines.push((line.number, text));
            None::<()>
        });
        assert!(matches!(end, Ok(None)));
        lines
    }

    fn texts(list: &[u8], settled: bool) -> Vec<String> {
        all(list, settled).into_iter().filter_map(|l| l.1).collect()
    }

    #[test]
    fn line_ends_marks_and_blanks_go() {
        assert_eq!(
            texts(b"\xef\xbb\xbf1111\r\n  2222\t\n\n3333\n", true),
            ["1111", "2222", "", "3333"]
        );
    }

    #[test]
    fn an_unended_line_counts_when_the_file_is_still() {
        assert_eq!(texts(b"1111\n22", true), ["1111", "22"]);
        assert_eq!(texts(b"1111\n22", false), ["1111"]);
        assert_eq!(texts(b"", true), [""; 0]);
    }

    #[test]
    fn a_long_line_is_skipped_whole() {
        let mut list = vec![b'x'; LONGEST + 1];
        list.extend(b"1234\n5678\n");
        assert_eq!(all(&list, true), [(1, None), (2, Some("5678".into()))]);
        list = vec![b'x'; LONGEST];
        list.extend(b"\n5678\n");
        assert_eq!(all(&list, true).len(), 2);
        assert!(all(&list, true).iter().all(|line| line.1.is_some()));
    }

    #[test]
    fn stops_at_what_is_found() {
        let mut looked = 0;
        let found = find(&b"1\n2\n3\n"[..], true, |line| {
            looked += 1;
            (line.text == Some(b"2")).then_some("two")
        });
        assert!(matches!(found, Ok(Some("two"))));
        assert_eq!(looked, 2);
    }
}
