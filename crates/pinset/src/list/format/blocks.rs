//! A list, a block of whole lines at a time, in bounded memory.

use std::io::{self, Read};

use zeroize::Zeroizing;

/// The longest line that is parsed, without its line end. A PIN has at most 254
/// digits, an account 79 characters; the rest is room for blanks and for the file
/// names that `md5sum` prints.
pub const MAX_LINE_BYTES: usize = 1024;

/// The number of bytes that are read at once: it fits into the processor's cache, and
/// the cost of the system call is small compared with it.
pub const BLOCK_BYTES: usize = 256 << 10;

/// The byte order mark.
pub const BYTE_ORDER_MARK: &[u8] = b"\xef\xbb\xbf";

/// The blocks of a list. A byte order mark in front of it is left out. A line
/// over 1024 bytes may be cut: what is left of it is still over that.
///
/// A last line without a line end counts only if `settled`: a writer may be at
/// it, and the first digits of a PIN must not become one.
pub struct Blocks<R> {
    list: R,
    settled: bool,
    buffer: Zeroizing<Vec<u8>>,
    /// The parts of the buffer that were handed out, and that are filled.
    used: usize,
    filled: usize,
    /// Where in the list the buffer starts.
    offset: u64,
    begun: bool,
    ended: bool,
}

/// Whole lines, in the order of the list.
pub struct Block<'a> {
    /// The lines with their ends. Only the last line of the last block may be
    /// without one.
    pub lines: &'a [u8],
    /// Where in the list they start; with a line that was cut among them,
    /// where they would start for those behind it to be where they are.
    pub offset: u64,
}

impl<R: Read> Blocks<R> {
    /// The blocks of `list`, from where it stands.
    pub fn new(list: R, settled: bool) -> Self {
        Self::of_size(list, settled, BLOCK_BYTES)
    }

    /// The same in blocks of about `size` bytes, for a list known to be small:
    /// the buffer is wiped each time.
    pub fn of_size(list: R, settled: bool, size: usize) -> Self {
        Self {
            list,
            settled,
            buffer: Zeroizing::new(vec![
                0;
                size.max(BYTE_ORDER_MARK.len() + MAX_LINE_BYTES + 2)
            ]),
            used: 0,
            filled: 0,
            offset: 0,
            begun: false,
            ended: false,
        }
    }

    /// The list that the blocks are of.
    pub fn list(&self) -> &R {
        &self.list
    }

    /// The next lines; `None` at the end.
    pub fn next_block(&mut self) -> io::Result<Option<Block<'_>>> {
        self.buffer.copy_within(self.used..self.filled, 0);
        self.offset += self.used as u64;
        self.filled -= self.used;
        self.used = 0;
        while !self.ended {
            self.fill()?;
            if !self.begun {
                self.begun = true;
                if self.filled_part().starts_with(BYTE_ORDER_MARK) {
                    self.used = BYTE_ORDER_MARK.len();
                }
            }
            let start = self.used;
            let last = memchr::memrchr(b'\n', self.filled_part());
            if let Some(end) = last.filter(|_| !self.ended) {
                self.used = end + 1;
                return Ok(Some(self.block(start)));
            }
            if !self.ended {
                // A line that fills the buffer: its start is enough.
                let kept = start + MAX_LINE_BYTES + 1;
                self.offset += (self.filled - kept) as u64;
                self.filled = kept;
                continue;
            }
            self.used = match last {
                _ if self.settled => self.filled,
                Some(end) => end + 1,
                None => start,
            };
            return Ok((self.used > start).then(|| self.block(start)));
        }
        Ok(None)
    }

    fn block(&self, start: usize) -> Block<'_> {
        Block {
            lines: self.buffer.get(start..self.used).unwrap_or_default(),
            offset: self.offset + start as u64,
        }
    }

    fn filled_part(&self) -> &[u8] {
        self.buffer.get(..self.filled).unwrap_or_default()
    }

    /// Fills the buffer, or finds the end of the list.
    fn fill(&mut self) -> io::Result<()> {
        self.ended = fill(&mut self.list, &mut self.buffer, &mut self.filled)?;
        Ok(())
    }
}

/// Reads from `list` until the buffer is full or the list ends, and adds to `filled`.
/// Returns whether the list has ended.
pub(super) fn fill(
    list: &mut impl Read,
    buffer: &mut [u8],
    filled: &mut usize,
) -> io::Result<bool> {
    while let Some(room @ [_, ..]) = buffer.get_mut(*filled..) {
        match list.read(room) {
            Ok(0) => return Ok(true),
            Ok(read) => *filled += read,
            Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
            Err(error) => return Err(error),
        }
    }
    Ok(false)
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn all(list: &[u8], settled: bool, size: usize) -> Vec<u8> {
        let mut blocks = Blocks::of_size(list, settled, size);
        let mut all = Vec::new();
        while let Some(block) = blocks.next_block().expect("read") {
            assert!(!block.lines.is_empty());
            all.extend_from_slice(block.lines);
        }
        all
    }

    #[test]
    fn the_mark_goes_and_the_last_line_waits() {
        assert_eq!(all(b"\xef\xbb\xbf11\n22", true, 0), b"11\n22");
        assert_eq!(all(b"\xef\xbb\xbf11\n22", false, 0), b"11\n");
        assert_eq!(
            all(b"11\n\xef\xbb\xbf22\n", true, 0),
            b"11\n\xef\xbb\xbf22\n"
        );
        assert_eq!(all(b"", true, 0), b"");
        assert_eq!(all(b"22", false, 0), b"");
        assert_eq!(all(b"\xef\xbb\xbf", true, 0), b"");
    }

    #[test]
    fn a_line_over_the_longest_stays_over_it_and_takes_nothing_along() {
        for long in [MAX_LINE_BYTES + 1, MAX_LINE_BYTES + 2, 5000, 50_000] {
            for tail in ["", "\n", "\n12\n"] {
                for head in ["", "\u{feff}", "1\n"] {
                    let list = format!("{head}{}{tail}", "x".repeat(long));
                    let all = all(list.as_bytes(), true, 0);
                    let lines = all.strip_prefix(b"1\n").unwrap_or(&all);
                    let end = lines.len() - tail.len();
                    assert!(lines[..end].iter().all(|byte| *byte == b'x'));
                    assert!(end > MAX_LINE_BYTES);
                    assert_eq!(&lines[end..], tail.as_bytes());
                }
            }
        }
    }

    proptest! {
        #[test]
        fn blocks_hold_every_line(
            lines in prop::collection::vec("[0-9a\r]{0,300}", 0..40),
            settled: bool,
            size in 0..4000_usize,
        ) {
            let list = lines.join("\n");
            let whole = match list.rfind('\n') {
                _ if settled => list.as_str(),
                Some(end) => &list[..=end],
                None => "",
            };
            prop_assert_eq!(all(list.as_bytes(), settled, size), whole.as_bytes());
        }

        #[test]
        fn offsets_are_those_of_the_list(lines in prop::collection::vec("[0-9]{0,300}", 0..40)) {
            let list = format!("\u{feff}{}", lines.join("\n"));
            let mut blocks = Blocks::of_size(list.as_bytes(), true, 0);
            while let Some(block) = blocks.next_block().expect("read") {
                let at = block.offset as usize;
                prop_assert_eq!(block.lines, &list.as_bytes()[at..at + block.lines.len()]);
            }
        }
    }
}
