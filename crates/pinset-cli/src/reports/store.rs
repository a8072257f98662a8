//! Temporary SQLite database for the records and rows of a report.
//!
//! The records of a call may be anywhere in the files, and a CDR of several years does
//! not fit into memory. The database has no name and disappears with the
//! process; it lies in `SQLITE_TMPDIR`, `TMPDIR` or `/var/tmp`, with mode 0600.

use rusqlite::types::Value;
use rusqlite::{params, Connection};

use super::audit_log::Outcomes;
use super::call::Call;
use super::cdr::Record;
use super::record_table::{self, CallReader};
use crate::common::error::CommandError;

/// Size of the database cache in memory, in KiB.
const CACHE_KIB: i64 = 4096;

/// The database.
pub(super) struct Store(Connection);

impl Store {
    /// Opens an empty database. It has no index, because each table is written once and
    /// sorted once.
    pub(super) fn new() -> Result<Self, CommandError> {
        let open = || {
            let database = Connection::open("")?;
            database.pragma_update(None, "cache_size", -CACHE_KIB)?;
            database.pragma_update(None, "journal_mode", "OFF")?;
            database.pragma_update(None, "synchronous", "OFF")?;
            database.execute_batch(&format!(
                "CREATE TABLE record ({}) STRICT;
                CREATE TABLE row (key ANY, first INTEGER, text BLOB) STRICT;
                BEGIN;",
                record_table::COLUMNS
            ))?;
            Ok(database)
        };
        open().map(Self).map_err(failed)
    }

    /// Adds a record of the call with this id. If the id is empty, the record is a call
    /// of its own.
    pub(super) fn add(&self, call: &[u8], record: &Record<'_>) -> Result<(), CommandError> {
        record_table::add(&self.0, call, record)
            .map(|_| ())
            .map_err(failed)
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
        let records = select.query([]).map_err(failed)?;
        let mut calls = CallReader::new(records, |id| {
            Ok(outcomes.and_then(|all| all.of_channel(id)).cloned())
        });
        while let Some(stored) = calls.next().map_err(failed)? {
            look(stored.first, &stored.call)?;
        }
        Ok(())
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
            let text = row.get_ref(0).and_then(|text| Ok(text.as_blob()?));
            look(text.map_err(failed)?)?;
        }
        Ok(())
    }
}

fn failed(error: rusqlite::Error) -> CommandError {
    CommandError::new(format!(
        "the temporary database of the report (in TMPDIR or /var/tmp) can't be used: {error}"
    ))
}
