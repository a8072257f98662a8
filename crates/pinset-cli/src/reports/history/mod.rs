//! Calls in a database that follows the files of Asterisk.
//!
//! The lines of a file and the position in it are stored in one transaction, so that a
//! crash neither loses a call nor counts one twice.

mod filter;
mod ingest;
mod names;
mod numbers;
mod page;
mod position;
mod reader;
mod retention;
mod sums;
mod tables;

use std::cell::Cell;
use std::path::Path;
use std::time::Duration;

use pinset::timestamp::Zone;
use pinset::Numbering;
use rusqlite::Connection;

use crate::common::database;
use crate::common::error::{At, CommandError};
use crate::reports::audit_log::{self, LogLine};
use crate::reports::cdr::{Parser, Records};
pub(crate) use filter::CallFilter;
use ingest::Ingest;
use names::Names;
pub(crate) use page::{CallColumn, CallKey, CallPart, PageOrder};
pub(crate) use position::{FilePosition, HistorySource};
pub(crate) use reader::{
    Attempt, HistoryReader, IdentityTotals, SlotTotals, SourceState, StoredRow,
};

/// Calls by identity, as far as the files of Asterisk have them.
pub(crate) struct CallHistory {
    database: Connection,
    names: Names,
    numbering: Numbering,
    /// Time for which calls are kept.
    retention: Duration,
}

/// A part of a followed file.
pub(crate) struct Chunk<'a> {
    /// Whole lines.
    pub lines: &'a [u8],
    /// Where they begin.
    pub position: FilePosition,
    /// Whether nothing will follow in this file.
    pub is_last: bool,
}

/// The part of a chunk that was stored.
#[derive(Default)]
struct StoredPart {
    bytes: usize,
    /// The end of the last line of use.
    mark: Option<usize>,
}

impl CallHistory {
    /// Opens the database, and creates it with mode 0600 if it is missing. Calls are kept
    /// for this time. If their numbers were compared by other options, they are compared
    /// by these from now on, which takes seconds for a million calls.
    pub(crate) fn open(
        path: &Path,
        retention: Duration,
        numbering: &Numbering,
    ) -> Result<Self, CommandError> {
        let mut database = database::open(path, &tables::create())?;
        numbers::update(&mut database, numbering).at(path)?;
        Ok(Self {
            database,
            names: Names::default(),
            numbering: numbering.clone(),
            retention,
        })
    }

    /// Returns the position in a followed file, or `None` if nothing was read.
    pub(crate) fn position(&self, source: HistorySource) -> rusqlite::Result<Option<FilePosition>> {
        FilePosition::load(&self.database, source)
    }

    /// Stores what a part of a file has. Returns the position after it, which is before an
    /// incomplete record.
    pub(crate) fn add(
        &mut self,
        source: HistorySource,
        chunk: &Chunk<'_>,
        now: Duration,
    ) -> rusqlite::Result<FilePosition> {
        let cutoff = retention::cutoff(now, self.retention);
        let transaction = self.database.transaction()?;
        let ingest = Ingest::new(&transaction, &mut self.names, &self.numbering, cutoff);
        let stored = store(&transaction, ingest, source, chunk, now);
        let stored = stored.and_then(|position| transaction.commit().map(|()| position));
        if stored.is_err() {
            self.names.clear();
        }
        stored
    }

    /// Begins a file, in place of the one that was followed. Takes note of a gap if lines
    /// of that one may not have been read.
    pub(crate) fn begin(
        &mut self,
        source: HistorySource,
        position: &FilePosition,
        gap: Option<Duration>,
    ) -> rusqlite::Result<()> {
        let transaction = self.database.transaction()?;
        position.store(&transaction, source)?;
        let gap = gap.map(seconds);
        transaction.execute(
            "UPDATE file SET gap = coalesce(?2, gap) WHERE source = ?1",
            (source.name(), gap),
        )?;
        transaction.commit()
    }

    /// Removes what is older than the time for which calls are kept.
    pub(crate) fn remove_old(&mut self, now: Duration) -> rusqlite::Result<()> {
        let removed =
            retention::remove_before(&mut self.database, retention::cutoff(now, self.retention));
        self.names.clear();
        removed
    }
}

/// Stores a chunk and the position after it.
fn store(
    transaction: &Connection,
    mut ingest: Ingest<'_>,
    source: HistorySource,
    chunk: &Chunk<'_>,
    now: Duration,
) -> rusqlite::Result<FilePosition> {
    let taken = match source {
        HistorySource::Cdr => add_records(&mut ingest, chunk)?,
        HistorySource::AuditLog => add_outcomes(&mut ingest, chunk.lines, now)?,
    };
    ingest.finish()?;
    let lines = chunk.lines.get(..taken.bytes).unwrap_or_default();
    let position = chunk.position.after(lines, taken.mark);
    position.store(transaction, source)?;
    let mut update = transaction.prepare_cached(
        "UPDATE file SET read = ?2, skipped = skipped + ?3, has_ids = coalesce(?4, has_ids) WHERE \
         source = ?1",
    )?;
    update.execute((source.name(), seconds(now), ingest.skipped, ingest.has_ids))?;
    Ok(position)
}

fn seconds(time: Duration) -> i64 {
    i64::try_from(time.as_secs()).unwrap_or(i64::MAX)
}

/// Adds the records of a chunk.
fn add_records(ingest: &mut Ingest<'_>, chunk: &Chunk<'_>) -> rusqlite::Result<StoredPart> {
    let mut taken = StoredPart::default();
    let mut starts = Vec::new();
    let is_record = Cell::new(false);
    let parser = Parser::new(Zone::of_the_machine());
    let mut records = Records::new(parser, |_, record| {
        is_record.set(record.is_ok());
        match record {
            Ok(record) => ingest.record(&record),
            Err(_) => {
                ingest.skipped += 1;
                Ok(())
            }
        }
    });
    for (number, line) in (0..).zip(lines(chunk.lines)) {
        starts.push(taken.bytes);
        taken.bytes += line.len();
        is_record.set(false);
        records.line(number, without_end(line))?;
        if is_record.get() && !records.is_open() {
            taken.mark = Some(taken.bytes);
        }
    }
    if chunk.is_last {
        records.end()?;
    }
    let open = records.open_at().and_then(|at| usize::try_from(at).ok());
    if let Some(start) = open.and_then(|open| starts.get(open)) {
        taken.bytes = *start;
    }
    Ok(taken)
}

/// Adds the outcomes of a part of the audit log.
fn add_outcomes(
    ingest: &mut Ingest<'_>,
    text: &[u8],
    now: Duration,
) -> rusqlite::Result<StoredPart> {
    let mut taken = StoredPart::default();
    for line in lines(text) {
        taken.bytes += line.len();
        match audit_log::line(without_end(line)) {
            LogLine::Outcome(outcome) => {
                taken.mark = Some(taken.bytes);
                ingest.outcome(&outcome, seconds(now))?;
            }
            LogLine::Broken => ingest.skipped += 1,
            LogLine::Other => {}
        }
    }
    Ok(taken)
}

/// Returns the lines with their ends.
fn lines(text: &[u8]) -> impl Iterator<Item = &[u8]> {
    text.split_inclusive(|byte| *byte == b'\n')
}

fn without_end(line: &[u8]) -> &[u8] {
    let line = line.strip_suffix(b"\n").unwrap_or(line);
    line.strip_suffix(b"\r").unwrap_or(line)
}

#[cfg(test)]
mod tests;
