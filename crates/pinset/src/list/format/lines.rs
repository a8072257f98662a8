//! The lines of a list, one by one.

use std::io::{self, Read};

use super::blocks::{Blocks, MAX_LINE_BYTES};

/// One line as it stands in the list.
pub(crate) struct Raw<'a> {
    /// Its number, from 1.
    pub number: u64,
    /// Its text without line end and surrounding blanks; `None` if it is
    /// longer than [`MAX_LINE_BYTES`].
    pub text: Option<&'a [u8]>,
    /// Whether it has a line end.
    pub ended: bool,
}

/// Calls `look` with each line until it returns something. For `settled`, see
/// [`Blocks`].
pub(crate) fn find<T>(
    list: impl Read,
    settled: bool,
    mut look: impl FnMut(Raw<'_>) -> Option<T>,
) -> io::Result<Option<T>> {
    let mut blocks = Blocks::new(list, settled);
    let mut number = 0;
    while let Some(block) = blocks.next_block()? {
        let mut rest = block.lines;
        while let Some((line, ended, behind)) = first_line(rest) {
            number += 1;
            rest = behind;
            let text = trimmed(line);
            let found = look(Raw {
                number,
                text,
                ended,
            });
            if found.is_some() {
                return Ok(found);
            }
        }
    }
    Ok(None)
}

/// The first line of `lines` without its end, whether it had one, and what is
/// behind it.
pub(crate) fn first_line(lines: &[u8]) -> Option<(&[u8], bool, &[u8])> {
    match memchr::memchr(b'\n', lines) {
        Some(end) => {
            let (line, behind) = lines.split_at(end);
            Some((line, true, behind.get(1..).unwrap_or_default()))
        }
        None if lines.is_empty() => None,
        None => Some((lines, false, &[])),
    }
}

/// A line without the blanks around it; `None` if it is too long.
pub(crate) fn trimmed(line: &[u8]) -> Option<&[u8]> {
    (line.len() <= MAX_LINE_BYTES).then(|| line.trim_ascii())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn all(list: &[u8], settled: bool) -> Vec<(u64, Option<String>)> {
        let mut lines = Vec::new();
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
        let mut list = vec![b'x'; MAX_LINE_BYTES + 1];
        list.extend(b"1234\n5678\n");
        assert_eq!(all(&list, true), [(1, None), (2, Some("5678".into()))]);
        list = vec![b'x'; MAX_LINE_BYTES];
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
