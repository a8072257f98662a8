//! From a list to its rows.

use std::io::{self, Read};
use std::mem;
use std::num::NonZeroU32;

use super::builder::{Draft, RowIndexing};
use super::error::{RowError, RowErrorKind, TableError};
use super::record::Terms;
use super::weighing::Weighing;
use super::{credential, Rows};
use crate::credential::secret::Secret;
use crate::dialplan::MAX_NAME_BYTES;
use crate::list::format::csv::{self, Column};
use crate::list::format::lines::{first_line, trimmed};
use crate::list::{Blocks, FileKind, Format, Gives};
use crate::phone_number::{Number, Numbering};
use crate::timestamp::{Moment, Zone};

/// The rows of a CSV list that are read in one step.
const ROWS_PER_STEP: usize = 1000;

/// The bytes of a list of another format that are read in one step.
const BYTES_PER_STEP: usize = 64 << 10;

/// A list being read into memory, a part at a time, so that callers get their
/// turn. What it holds is wiped when dropped.
pub struct Reading<R> {
    numbering: Numbering,
    stage: LoadStage<R>,
}

enum LoadStage<R> {
    Csv(Box<csv::Reader<R>>, Box<Draft>),
    /// With how many lines there were.
    Lines(Blocks<R>, Format, u64, Box<Draft>),
    Indexing(Box<RowIndexing>),
    Weighing(Box<Weighing>),
    Ended,
}

impl<R: Read> Reading<R> {
    /// The rows of `list`, from where it stands; `kind` is what it is. Of plain
    /// lists they have no account, of plain and md5 ones no number.
    ///
    /// A last row without a line end counts only if `settled`: a writer may be
    /// at it. `zone` says what dates without an offset mean, `numbering` what
    /// number a caller is. The rows, and making them, may take `limit` bytes of
    /// memory.
    pub fn new(
        list: R,
        kind: FileKind,
        settled: bool,
        zone: &Zone,
        numbering: &Numbering,
        limit: u64,
    ) -> Self {
        let draft = Box::new(Draft::new(limit));
        Self {
            numbering: numbering.clone(),
            stage: match kind {
                FileKind::Csv => {
                    LoadStage::Csv(Box::new(csv::Reader::new(list, settled, zone)), draft)
                }
                FileKind::Lines(format) => {
                    let blocks = Blocks::of_size(list, settled, BYTES_PER_STEP);
                    LoadStage::Lines(blocks, format, 0, draft)
                }
            },
        }
    }

    /// Does a part, of a few milliseconds. The rows, when all is done.
    ///
    /// # Errors
    ///
    /// Nothing of the list counts. After that, and after the rows, there is
    /// nothing more to be had, which is an error.
    pub fn step(&mut self) -> Result<Option<Rows>, TableError> {
        self.stage = match mem::replace(&mut self.stage, LoadStage::Ended) {
            LoadStage::Csv(mut reader, mut draft) => {
                if add_rows(&mut reader, &self.numbering, &mut draft)? {
                    LoadStage::Csv(reader, draft)
                } else {
                    LoadStage::Indexing(Box::new(draft.index()?))
                }
            }
            LoadStage::Lines(mut blocks, format, mut line, mut draft) => {
                match blocks.next_block().map_err(TableError::Unreadable)? {
                    Some(block) => {
                        add_lines(block.lines, format, &mut line, &mut draft)?;
                        LoadStage::Lines(blocks, format, line, draft)
                    }
                    None => LoadStage::Indexing(Box::new(draft.index()?)),
                }
            }
            LoadStage::Indexing(mut indexing) => {
                if indexing.step()? {
                    LoadStage::Indexing(indexing)
                } else {
                    LoadStage::Weighing(Box::new(indexing.finish()?))
                }
            }
            LoadStage::Weighing(mut weighing) => {
                if !weighing.step() {
                    return weighing.finish().map(Some);
                }
                LoadStage::Weighing(weighing)
            }
            LoadStage::Ended => {
                return Err(TableError::Unreadable(io::ErrorKind::UnexpectedEof.into()))
            }
        };
        Ok(None)
    }
}

/// Adds the next rows of a csv list; false at its end.
fn add_rows<R: Read>(
    reader: &mut csv::Reader<R>,
    numbering: &Numbering,
    draft: &mut Draft,
) -> Result<bool, TableError> {
    for _ in 0..ROWS_PER_STEP {
        let row = match reader.next_row()? {
            Some(Ok(row)) => row,
            Some(Err(bad)) => {
                draft.note(bad.into());
                continue;
            }
            None => return Ok(false),
        };
        let caller = row.caller.map(|text| numbering.normalize(text.as_bytes()));
        if caller == Some(None) {
            draft.note(RowError {
                line: row.line,
                column: Some(Column::Caller),
                error: RowErrorKind::InvalidNumber,
            });
            continue;
        }
        let terms = Terms {
            level: row.level,
            from: row.from,
            until: row.until,
            max_uses: row.max_uses,
            context: row.context,
            enabled: row.enabled,
        };
        let caller = caller.flatten();
        if let Some(number) = &caller {
            draft.note_number(number, numbering);
        }
        let credential = (row.account.as_bytes(), row.secret.as_bytes());
        draft.add(row.line, credential, terms, caller.as_ref())?;
    }
    Ok(true)
}

/// Adds whole lines, which follow the line `number`.
fn add_lines(
    lines: &[u8],
    format: Format,
    number: &mut u64,
    draft: &mut Draft,
) -> Result<(), TableError> {
    let mut rest = lines;
    while let Some((line, _, behind)) = first_line(rest) {
        rest = behind;
        *number += 1;
        match Gives::of(trimmed(line), format) {
            Gives::Invalid(error) => draft.note(RowError {
                line: *number,
                column: None,
                error: RowErrorKind::Line(error),
            }),
            gives => {
                if let Some((account, secret)) = credential(&gives) {
                    draft.add(*number, (account, &secret), Terms::default(), None)?;
                }
            }
        }
    }
    Ok(())
}

/// The rows of a database with `astdb_value = account:secret`: an account and
/// the text of a secret each, without number, level and the rest. An entry's
/// place among them, from 1, is its line.
///
/// # Errors
///
/// They would take more than `limit` bytes of memory, or one account has too
/// many slow secrets.
pub fn of_credentials<'a>(
    entries: impl IntoIterator<Item = (&'a [u8], &'a [u8])>,
    limit: u64,
) -> Result<Rows, TableError> {
    let mut draft = Draft::new(limit);
    for (line, (account, secret)) in (1..).zip(entries) {
        let account = account.trim_ascii();
        let error = if account.is_empty() {
            csv::ValueError::Empty
        } else if account.len() > MAX_NAME_BYTES {
            csv::ValueError::TooLong
        } else if account.iter().any(u8::is_ascii_control) {
            csv::ValueError::ControlCharacter
        } else {
            draft.add(line, (account, secret), Terms::default(), None)?;
            continue;
        };
        draft.note(RowError {
            line,
            column: Some(Column::Account),
            error: RowErrorKind::Value(error),
        });
    }
    draft.index()?.finish()?.finish()
}

/// A row of a database with the columns of a CSV list. It has no `Debug`: its secret is a
/// digest or a hash.
pub struct StoredRow<'a> {
    /// Its account.
    pub account: &'a [u8],
    /// The text of its secret.
    pub secret: &'a [u8],
    /// Its level.
    pub level: u8,
    /// Whether it admits at all.
    pub enabled: bool,
    /// From when on it admits.
    pub from: Option<Moment>,
    /// Until when it admits.
    pub until: Option<Moment>,
    /// How many calls it admits.
    pub max_uses: Option<NonZeroU32>,
    /// Takes the place of the context of `on_success`.
    pub context: Option<&'a str>,
}

/// The rows that a database has found for one entry, at the time `now` of its own clock.
/// The place of each among them, from 1, is its line; all have this number, if there is
/// one. `dearest` is the work of the most expensive Argon2id hash of the PIN set, 0 if it
/// has none: each entry of an identified caller costs as much.
///
/// # Errors
///
/// They have too many slow secrets or accounts.
pub fn of_stored(
    found: &[StoredRow<'_>],
    number: Option<&Number>,
    now: Moment,
    dearest: u64,
) -> Result<Rows, TableError> {
    let mut draft = Draft::new(u64::MAX);
    for (line, row) in (1..).zip(found) {
        let terms = Terms {
            level: row.level,
            from: row.from,
            until: row.until,
            max_uses: row.max_uses,
            context: row.context,
            enabled: row.enabled,
        };
        draft.add(line, (row.account, row.secret), terms, number)?;
    }
    let mut rows = draft.index()?.finish()?.finish()?;
    rows.now = Some(now);
    rows.dearest.at_least(dearest);
    Ok(rows)
}

impl Rows {
    /// Raises the cost of each entry of an identified caller to that of this secret.
    pub fn cost_at_least(&mut self, secret: &Secret) {
        let work = secret.cost().map_or(0, |cost| u64::from(cost.work()));
        self.dearest.at_least(work);
    }
}
