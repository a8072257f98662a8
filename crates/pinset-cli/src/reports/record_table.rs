//! A table of CDR records, and the calls that they make up.

use rusqlite::{params, Connection, Row, Rows};

use super::audit_log::CallOutcome;
use super::call::Call;
use super::cdr::Record;

/// The columns of the table. `call` is the id that the records of a call share; if it is
/// empty, the record is a call of its own.
pub(super) const COLUMNS: &str = "
    call BLOB, account_code BLOB, source BLOB, destination BLOB, start BLOB,
    answer BLOB, end BLOB, disposition BLOB, unique_id BLOB,
    began INTEGER, answered INTEGER, duration INTEGER, billed INTEGER, linked_id BLOB";

/// Adds a record of the call with this id, and returns its place.
pub(super) fn add(
    database: &Connection,
    call: &[u8],
    record: &Record<'_>,
) -> rusqlite::Result<i64> {
    let mut insert = database
        .prepare_cached("INSERT INTO record VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)")?;
    insert.insert(params![
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
        record.linked_id,
    ])
}

/// Returns the record in a row of the table.
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
        linked_id: row.get_ref(13)?.as_blob_or_null()?,
        began: row.get(9)?,
        answered: row.get(10)?,
        duration: seconds(11)?,
        billed: seconds(12)?,
    })
}

fn bytes<'a>(row: &'a Row<'_>, at: usize) -> rusqlite::Result<&'a [u8]> {
    Ok(row.get_ref(at)?.as_blob()?)
}

/// A call whose records are being read.
pub(super) struct StoredCall {
    /// The place of its first record.
    pub first: i64,
    id: Vec<u8>,
    pub call: Call,
}

/// Reader of calls from records: `SELECT *, rowid FROM record`, ordered by call and rowid.
pub(super) struct CallReader<'a, F> {
    records: Rows<'a>,
    outcome: F,
    open: Option<StoredCall>,
}

impl<'a, F: FnMut(&[u8]) -> rusqlite::Result<Option<CallOutcome>>> CallReader<'a, F> {
    /// `outcome` returns the outcome of a channel.
    pub(super) fn new(records: Rows<'a>, outcome: F) -> Self {
        Self {
            records,
            outcome,
            open: None,
        }
    }

    /// Returns the next call, or `None` at the end.
    pub(super) fn next(&mut self) -> rusqlite::Result<Option<StoredCall>> {
        while let Some(row) = self.records.next()? {
            let id = bytes(row, 0)?;
            let record = record(row)?;
            let is_other = |open: &mut StoredCall| open.id.is_empty() || open.id != id;
            let complete = self.open.take_if(is_other);
            let open = match &mut self.open {
                Some(open) => open,
                none => none.insert(StoredCall {
                    first: row.get("rowid")?,
                    id: id.to_owned(),
                    call: Call::new(&record, (self.outcome)(id)?),
                }),
            };
            let is_own = record.unique_id.is_none_or(|own| own == id);
            open.call.add(&record, is_own);
            if complete.is_some() {
                return Ok(complete);
            }
        }
        Ok(self.open.take())
    }
}
