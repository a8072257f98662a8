//! Kinds of input files, recognized by their contents.

use pinset::timestamp::Zone;

use super::audit_log::is_of_a_log;
use super::cdr::{Parser, Records};

/// The kind of a file.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum InputKind {
    /// Asterisk's `Master.csv`.
    Cdr,
    /// A log of Asterisk.
    Log,
    /// An empty file, which may be either.
    Empty,
}

impl InputKind {
    /// Returns the kind of a file that begins with `head`. A line within a record is not
    /// checked by itself, because callers may have determined it.
    pub(crate) fn of(head: &[u8]) -> Option<Self> {
        let head = head.strip_prefix(b"\xef\xbb\xbf").unwrap_or(head);
        // The first record ends the search.
        let mut records = Records::new(Parser::new(Zone::utc()), |_, record| match record {
            Ok(_) => Err(()),
            Err(_) => Ok(()),
        });
        for line in head.split(|byte| *byte == b'\n') {
            let line = line.trim_ascii();
            if !records.is_open() && is_of_a_log(line) {
                return Some(InputKind::Log);
            }
            if records.line(0, line).is_err() {
                return Some(InputKind::Cdr);
            }
        }
        head.trim_ascii().is_empty().then_some(InputKind::Empty)
    }
}
