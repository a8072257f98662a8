//! Input files of a report, recognized by their contents.

use std::fs::File;
use std::io::{self, Cursor, Read};
use std::path::{Path, PathBuf};

use pinset::list::Blocks;
use pinset::timestamp::Zone;

use super::audit_log::is_of_a_log;
use super::cdr::{Parser, Records};
use crate::common::error::{note, At, CommandError};

/// Number of bytes by which a file is recognized.
const MAX_HEAD_BYTES: u64 = 64 << 10;

/// Maximum number of skipped lines that are reported per file; the others are counted.
const MAX_REPORTED_LINES: u64 = 20;

/// The kind of a file.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) enum InputKind {
    /// Asterisk's `Master.csv`.
    Cdr,
    /// A log of Asterisk.
    Log,
    /// An empty file, which may be either.
    Empty,
}

/// An input file.
pub(super) struct Input {
    path: PathBuf,
    pub kind: InputKind,
    text: Box<dyn Read>,
}

impl Input {
    /// Opens the file at `path`, or standard input for `-`.
    pub(super) fn open(path: &Path) -> Result<Self, CommandError> {
        let mut text: Box<dyn Read> = if path == Path::new("-") {
            Box::new(io::stdin().lock())
        } else {
            Box::new(File::open(path).at(path)?)
        };
        let mut head = Vec::new();
        text.by_ref()
            .take(MAX_HEAD_BYTES)
            .read_to_end(&mut head)
            .at(path)?;
        let kind = kind(&head).ok_or_else(|| {
            CommandError::at(
                path,
                "neither a CDR file (Master.csv) nor a log of Asterisk",
            )
        })?;
        Ok(Self {
            path: path.to_owned(),
            kind,
            text: Box::new(Cursor::new(head).chain(text)),
        })
    }

    /// Calls `look` with the number of each line, and the line without its line end.
    pub(super) fn lines(
        self,
        mut look: impl FnMut(u64, &[u8]) -> Result<(), CommandError>,
    ) -> Result<(), CommandError> {
        let mut number = 0;
        let mut blocks = Blocks::new(self.text, true);
        while let Some(block) = blocks.next_block().at(&self.path)? {
            let lines = block.lines.strip_suffix(b"\n").unwrap_or(block.lines);
            for line in lines.split(|byte| *byte == b'\n') {
                number += 1;
                look(number, line.strip_suffix(b"\r").unwrap_or(line))?;
            }
        }
        Ok(())
    }

    /// Reports that a log has no outcome, so that no call can be looked up in it.
    pub(super) fn no_outcome(path: &Path) {
        let path = path.display();
        note(format!(
            "{path}: no outcome found: use a log with level AUTHENTICATE (logger.conf)"
        ));
    }

    /// Returns the path, or `-`.
    pub(super) fn path(&self) -> &Path {
        &self.path
    }

    /// Returns the counter of its skipped lines.
    pub(super) fn skipped(&self) -> SkippedLines {
        SkippedLines {
            path: self.path.clone(),
            count: 0,
        }
    }
}

/// Counter and reporter of the skipped lines of a file.
pub(super) struct SkippedLines {
    path: PathBuf,
    count: u64,
}

impl SkippedLines {
    /// Reports a skipped line.
    pub(super) fn skip(&mut self, line: u64, why: &str) {
        self.count += 1;
        if self.count <= MAX_REPORTED_LINES {
            let path = self.path.display();
            note(format!("{path}: line {line}: skipped: {why}"));
        }
    }

    /// Reports the number of further skipped lines. Returns whether any was skipped.
    pub(super) fn end(self) -> bool {
        if self.count > MAX_REPORTED_LINES {
            let (path, more) = (self.path.display(), self.count - MAX_REPORTED_LINES);
            note(format!("{path}: {more} more lines skipped"));
        }
        self.count > 0
    }
}

/// Returns the kind of a file that begins with `head`. A line within a record is not
/// checked by itself, because callers may have determined it.
fn kind(head: &[u8]) -> Option<InputKind> {
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
