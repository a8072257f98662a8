//! The files a report is made of, told apart by what is in them.

use std::fs::File;
use std::io::{self, Cursor, Read};
use std::path::{Path, PathBuf};

use pinset::list::Blocks;
use pinset::timestamp::Zone;

use super::audit_log::is_of_a_log;
use super::cdr::{Parser, Records};
use crate::common::error::{note, At, CommandError};

/// A file is known by its first bytes.
const HEAD: u64 = 64 << 10;

/// So many lines of a file are named; the others are counted.
const NAMED: u64 = 20;

/// What a file is.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Kind {
    /// Asterisk's `Master.csv`.
    Cdr,
    /// A log of Asterisk.
    Log,
    /// Neither yet: there is nothing in it.
    Empty,
}

/// A file.
pub struct Input {
    path: PathBuf,
    pub kind: Kind,
    text: Box<dyn Read>,
}

impl Input {
    /// Opens the file at `path`, or standard input for `-`.
    pub fn open(path: &Path) -> Result<Self, CommandError> {
        let mut text: Box<dyn Read> = if path == Path::new("-") {
            Box::new(io::stdin().lock())
        } else {
            Box::new(File::open(path).at(path)?)
        };
        let mut head = Vec::new();
        text.by_ref().take(HEAD).read_to_end(&mut head).at(path)?;
        let kind = kind(&head).ok_or_else(|| {
            CommandError::at(
                path,
                "it is neither a CDR file (Master.csv) nor a log of Asterisk",
            )
        })?;
        Ok(Self {
            path: path.to_owned(),
            kind,
            text: Box::new(Cursor::new(head).chain(text)),
        })
    }

    /// Calls `look` with each line and its number, without its end.
    pub fn lines(
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

    /// Says that it holds no outcome, so that no call can be looked up in it.
    pub fn no_outcome(path: &Path) {
        let path = path.display();
        note(format!(
            "{path}: no outcome is in it: a log with the level AUTHENTICATE (logger.conf) is needed"
        ));
    }

    /// Its path, or `-`.
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// For what is wrong with its lines.
    pub fn faults(&self) -> Faults {
        Faults {
            path: self.path.clone(),
            count: 0,
        }
    }
}

/// What is wrong with the lines of a file.
pub struct Faults {
    path: PathBuf,
    count: u64,
}

impl Faults {
    /// Tells of a line that is left out.
    pub fn skip(&mut self, line: u64, why: &str) {
        self.count += 1;
        if self.count <= NAMED {
            let path = self.path.display();
            note(format!("{path}: line {line}: left out: {why}"));
        }
    }

    /// Tells how many were not named. Returns whether there were any.
    pub fn end(self) -> bool {
        if self.count > NAMED {
            let (path, more) = (self.path.display(), self.count - NAMED);
            note(format!("{path}: {more} lines more are left out"));
        }
        self.count > 0
    }
}

/// What begins so. Within a record no line is looked at by itself: it may be
/// a caller's.
fn kind(head: &[u8]) -> Option<Kind> {
    let head = head.strip_prefix(b"\xef\xbb\xbf").unwrap_or(head);
    // The first record ends it.
    let mut records = Records::new(Parser::new(Zone::utc()), |_, record| match record {
        Ok(_) => Err(()),
        Err(_) => Ok(()),
    });
    for line in head.split(|byte| *byte == b'\n') {
        let line = line.trim_ascii();
        if !records.is_open() && is_of_a_log(line) {
            return Some(Kind::Log);
        }
        if records.line(0, line).is_err() {
            return Some(Kind::Cdr);
        }
    }
    head.trim_ascii().is_empty().then_some(Kind::Empty)
}
