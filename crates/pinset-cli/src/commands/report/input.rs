//! Input files of a report, recognized by their contents.

use std::fs::File;
use std::io::{self, Cursor, Read};
use std::path::{Path, PathBuf};

use pinset::list::Blocks;

use crate::common::error::{note, At, CommandError};
use crate::reports::InputKind;

/// Number of bytes by which a file is recognized.
const MAX_HEAD_BYTES: u64 = 64 << 10;

/// Maximum number of skipped lines that are reported per file; the others are counted.
const MAX_REPORTED_LINES: u64 = 20;

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
        let kind = InputKind::of(&head).ok_or_else(|| {
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
