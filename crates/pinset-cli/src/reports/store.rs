//! Temporary SQLite database for the records and rows of a report.
//!
//! The records of a call may be anywhere in the files, and a CDR of several years does
//! not fit into memory. The database has no name and disappears with the
//! process; it lies in `SQLITE_TMPDIR`, `TMPDIR` or `/var/tmp`, with mode 0600.

use rusqlite::types::Value;
use rusqlite::{params, Connection, Row};

use super::audit_log::Outcomes;
use super::call::Call;
use super::cdr::Record;
use crate::common::error::CommandError;

/// Size of the database cache in memory, in KiB.
const CACHE_KIB: i64 = 4096;

/// `call` is the id that the records of a call share. There is no index, because each
/// table is written once and sorted once.
const TABLES: &str = "
    CREATE TABLE record (
        call BLOB, account_code BLOB, source BLOB, destination BLOB, start BLOB,
        answer BLOB, end BLOB, disposition BLOB, unique_id BLOB,
        began INTEGER, answered INTEGER, duration INTEGER, billed INTEGER
    ) STRICT;
    CREATE TABLE row (key ANY, first INTEGER, text BLOB) STRICT;
    BEGIN;";

/// The database.
pub(super) struct Store(Connection);

impl Store {
    /// Opens an empty database.
    pub(super) fn new() -> Result<Self, CommandError> {
        let open = || {
            let database = Connection::open("")?;
            database.pragma_update(None, "cache_size", -CACHE_KIB)?;
            database.pragma_update(None, "journal_mode", "OFF")?;
            database.pragma_update(None, "synchronous", "OFF")?;
            database.execute_batch(TABLES)?;
            Ok(database)
        };
        open().map(Self).map_err(failed)
    }

    /// Adds a record of the call with this id. If the id is empty, the record is a call
    /// of its own.
    pub(super) fn add(&self, call: &[u8], record: &Record<'_>) -> Result<(), CommandError> {
        let add = || {
            let mut insert = self.0.prepare_cached(
                "INSERT INTO record VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)",
            )?;
            insert.execute(params![
                call,
                record.account_code,
                record.source,
                record.destination,
                record.start,
                record.answer,
                record.end,
                record.disposition,
                record.unique_id,
                record.began,
                record.answered,
                i64::try_from(record.duration).unwrap_or(i64::MAX),
                i64::try_from(record.billed).unwrap_or(i64::MAX),
            ])
        };
        add().map(|_| ()).map_err(failed)
    }

    /// Calls `look` with each call and the position of its first record.
    pub(super) fn calls(
        &self,
        outcomes: Option<&Outcomes>,
        mut look: impl FnMut(i64, &Call) -> Result<(), CommandError>,
    ) -> Result<(), CommandError> {
        let mut select = self
            .0
            .prepare("SELECT *, rowid FROM record ORDER BY call, rowid")
            .map_err(failed)?;
        let mut records = select.query([]).map_err(failed)?;
        let mut open: Option<(i64, Vec<u8>, Call)> = None;
        while let Some(row) = records.next().map_err(failed)? {
            let id = bytes(row, 0).map_err(failed)?;
            let record = record(row).map_err(failed)?;
            if let Some((first, _, call)) =
                open.take_if(|(_, open, _)| open.is_empty() || open != id)
            {
                look(first, &call)?;
            }
            let place = row.get("rowid").map_err(failed)?;
            let (_, _, call) = open.get_or_insert_with(|| {
                let outcome = outcomes.and_then(|outcomes| outcomes.of_channel(id));
                (place, id.to_owned(), Call::new(&record, outcome.cloned()))
            });
            call.add(&record, record.unique_id.is_none_or(|own| own == id));
        }
        match open {
            Some((first, _, call)) => look(first, &call),
            None => Ok(()),
        }
    }

    /// Stores a row of the report, to be sorted by `key` and then by `first`.
    pub(super) fn keep(&self, key: &Value, first: i64, text: &[u8]) -> Result<(), CommandError> {
        let keep = || {
            let mut insert = self.0.prepare_cached("INSERT INTO row VALUES (?, ?, ?)")?;
            insert.execute(params![key, first, text])
        };
        keep().map(|_| ()).map_err(failed)
    }

    /// Calls `look` with each stored row, in order or in reverse order of the keys.
    pub(super) fn rows(
        &self,
        reverse: bool,
        mut look: impl FnMut(&[u8]) -> Result<(), CommandError>,
    ) -> Result<(), CommandError> {
        let order = if reverse { "DESC" } else { "ASC" };
        let select = format!("SELECT text FROM row ORDER BY key {order}, first");
        let mut select = self.0.prepare(&select).map_err(failed)?;
        let mut rows = select.query([]).map_err(failed)?;
        while let Some(row) = rows.next().map_err(failed)? {
            look(bytes(row, 0).map_err(failed)?)?;
        }
        Ok(())
    }
}

/// Returns the record in a row of the table `record`.
fn record<'a>(row: &'a Row<'_>) -> rusqlite::Result<Record<'a>> {
    let seconds = |at| row.get(at).map(i64::unsigned_abs);
    Ok(Record {
        account_code: bytes(row, 1)?,
        source: bytes(row, 2)?,
        destination: bytes(row, 3)?,
        start: bytes(row, 4)?,
        answer: bytes(row, 5)?,
        end: bytes(row, 6)?,
        disposition: bytes(row, 7)?,
        unique_id: row.get_ref(8)?.as_blob_or_null()?,
        linked_id: None,
        began: row.get(9)?,
        answered: row.get(10)?,
        duration: seconds(11)?,
        billed: seconds(12)?,
    })
}

fn bytes<'a>(row: &'a Row<'_>, at: usize) -> rusqlite::Result<&'a [u8]> {
    Ok(row.get_ref(at)?.as_blob()?)
}

fn failed(error: rusqlite::Error) -> CommandError {
    CommandError::new(format!(
        "the temporary database of the report (in TMPDIR or /var/tmp) can't be used: {error}"
    ))
}
