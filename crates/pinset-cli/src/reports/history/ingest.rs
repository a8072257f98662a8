//! New records and outcomes, and the calls that they change.
//!
//! The audit log has an outcome when the caller has entered a PIN, the CDR a record when
//! the channel has ended, and either file may be read first. So each record keeps the id
//! of its call: a new outcome may join it to another call, and all calls that have
//! changed are assembled again before the transaction ends.

use std::collections::BTreeSet;

use pinset::escape::escape_invisible;
use pinset::Numbering;
use rusqlite::{params, Connection, OptionalExtension};

use super::names::Names;
use super::numbers::number;
use super::sums::{SumChanges, SumKey};
use crate::reports::audit_log::{began, CallOutcome, LoggedOutcome, OutcomeKey};
use crate::reports::cdr::{call_id, Record};
use crate::reports::record_table::{self, CallReader, StoredCall};
use crate::reports::row::ReportRow;

/// A call whose records or outcome have changed.
#[derive(PartialEq, Eq, PartialOrd, Ord)]
enum ChangedCall {
    /// By the id that its records share.
    Shared(Vec<u8>),
    /// Of this record alone.
    Single(i64),
}

impl ChangedCall {
    fn new(id: &[u8], record: i64) -> Self {
        match id {
            [] => Self::Single(record),
            id => Self::Shared(id.to_owned()),
        }
    }
}

/// The changes of a transaction.
pub(super) struct Ingest<'a> {
    database: &'a Connection,
    names: &'a mut Names,
    numbering: &'a Numbering,
    /// Earlier calls are not kept.
    cutoff: i64,
    changed: BTreeSet<ChangedCall>,
    /// Number of lines that were skipped.
    pub skipped: i64,
    /// Whether the last record has an id to look it up by.
    pub has_ids: Option<bool>,
}

impl<'a> Ingest<'a> {
    pub(super) fn new(
        database: &'a Connection,
        names: &'a mut Names,
        numbering: &'a Numbering,
        cutoff: i64,
    ) -> Self {
        Self {
            database,
            names,
            numbering,
            cutoff,
            changed: BTreeSet::new(),
            skipped: 0,
            has_ids: None,
        }
    }

    /// Adds a record.
    pub(super) fn record(&mut self, record: &Record<'_>) -> rusqlite::Result<()> {
        self.has_ids = Some(record.has_id());
        if record.began < self.cutoff {
            return Ok(());
        }
        let channel = self.channel_of(record.unique_id, record.linked_id)?;
        let call = call_id(channel.as_deref(), record.unique_id, record.linked_id);
        let place = record_table::add(self.database, call, record)?;
        self.changed.insert(ChangedCall::new(call, place));
        Ok(())
    }

    /// Adds an outcome that was read at this time.
    pub(super) fn outcome(&mut self, logged: &LoggedOutcome, read: i64) -> rusqlite::Result<()> {
        let time = began(&logged.unique_id).unwrap_or(read);
        if time < self.cutoff {
            return Ok(());
        }
        self.attempt(logged, time)?;
        let outcome = CallOutcome::of(logged, |bytes| escape_invisible(bytes).into());
        for key in OutcomeKey::of_outcome(logged) {
            if self.settle(key, &outcome, time)? {
                self.join(key)?;
            }
        }
        Ok(())
    }

    fn attempt(&self, logged: &LoggedOutcome, time: i64) -> rusqlite::Result<()> {
        let mut insert = self.database.prepare_cached(
            "INSERT INTO attempt (time, outcome, pin_set, identity, caller, number, unique_id) VALUES \
             (?, ?, ?, ?, ?, ?, ?)",
        )?;
        let caller = escape_invisible(&logged.caller);
        insert.execute(params![
            time,
            escape_invisible(&logged.outcome),
            escape_invisible(&logged.pin_set),
            escape_invisible(&logged.identity),
            caller,
            number(self.numbering, &caller),
            escape_invisible(&logged.unique_id),
        ])?;
        Ok(())
    }

    /// Stores the outcome of a channel or link if it counts. Returns whether it does.
    fn settle(
        &self,
        key: OutcomeKey<'_>,
        outcome: &CallOutcome,
        time: i64,
    ) -> rusqlite::Result<bool> {
        let (before, store) = match key {
            OutcomeKey::Channel(_) => (
                "SELECT admitted FROM channel WHERE id = ?",
                "REPLACE INTO channel VALUES (?, ?, ?, ?, ?)",
            ),
            OutcomeKey::Link(_) => (
                "SELECT admitted FROM link WHERE id = ?",
                "REPLACE INTO link VALUES (?, ?, ?, ?)",
            ),
        };
        let mut before = self.database.prepare_cached(before)?;
        let before: Option<bool> = before.query_row([key.id()], |row| row.get(0)).optional()?;
        if !before.is_none_or(|before| outcome.replaces(before)) {
            return Ok(false);
        }
        let mut store = self.database.prepare_cached(store)?;
        let (id, admitted) = (key.id(), outcome.admitted);
        match key {
            OutcomeKey::Channel(_) => store.execute(params![
                id,
                admitted,
                outcome.identity,
                outcome.pin_set,
                time
            ]),
            OutcomeKey::Link(_) => store.execute(params![id, admitted, outcome.channel, time]),
        }?;
        Ok(true)
    }

    /// Joins records to the calls that they belong to, now that this outcome is known.
    fn join(&mut self, key: OutcomeKey<'_>) -> rusqlite::Result<()> {
        if let OutcomeKey::Channel(id) = key {
            self.changed.insert(ChangedCall::Shared(id.to_owned()));
        }
        let mut select = self.database.prepare_cached(
            "SELECT rowid, call, unique_id, linked_id FROM record WHERE unique_id = ?1 OR \
             linked_id = ?1",
        )?;
        type Ids = (i64, Vec<u8>, Option<Vec<u8>>, Option<Vec<u8>>);
        let records = select.query_map([key.id()], |row| {
            Ok((row.get(0)?, row.get(1)?, row.get(2)?, row.get(3)?))
        })?;
        let records: Vec<Ids> = records.collect::<Result<_, _>>()?;
        for (place, before, unique_id, linked_id) in records {
            let (unique_id, linked_id) = (unique_id.as_deref(), linked_id.as_deref());
            let channel = self.channel_of(unique_id, linked_id)?;
            let call = call_id(channel.as_deref(), unique_id, linked_id);
            if call == before {
                continue;
            }
            let mut update = self
                .database
                .prepare_cached("UPDATE record SET call = ? WHERE rowid = ?")?;
            update.execute(params![call, place])?;
            self.changed.insert(ChangedCall::new(&before, place));
            self.changed.insert(ChangedCall::new(call, place));
        }
        Ok(())
    }

    /// Returns the channel that authenticated the call of a channel, if it is in the log.
    fn channel_of(
        &self,
        unique_id: Option<&[u8]>,
        linked_id: Option<&[u8]>,
    ) -> rusqlite::Result<Option<Vec<u8>>> {
        for key in OutcomeKey::of_channel(unique_id, linked_id) {
            let mut select = self.database.prepare_cached(match key {
                OutcomeKey::Channel(_) => "SELECT id FROM channel WHERE id = ?",
                OutcomeKey::Link(_) => "SELECT channel FROM link WHERE id = ?",
            })?;
            let found = select.query_row([key.id()], |row| row.get(0)).optional()?;
            if found.is_some() {
                return Ok(found);
            }
        }
        Ok(None)
    }

    /// Assembles the changed calls again, and corrects the sums.
    pub(super) fn finish(&mut self) -> rusqlite::Result<()> {
        let changed = std::mem::take(&mut self.changed);
        let mut sums = SumChanges::default();
        // A record may have been the first of another call, which has changed, too.
        for call in &changed {
            self.remove(call, &mut sums)?;
        }
        for call in &changed {
            self.assemble(call, &mut sums)?;
        }
        sums.store(self.database)
    }

    /// Removes the stored calls whose first record is one of this call.
    fn remove(&self, call: &ChangedCall, sums: &mut SumChanges) -> rusqlite::Result<()> {
        const RETURNED: &str = "RETURNING began, pin_set, identity, disposition, duration, billed";
        let of_record = format!("DELETE FROM call WHERE first = ? {RETURNED}");
        let of_records = format!(
            "DELETE FROM call WHERE first IN (SELECT rowid FROM record WHERE call = ? AND call <> \
             x'') {RETURNED}"
        );
        let mut delete;
        let mut rows = match call {
            ChangedCall::Single(record) => {
                delete = self.database.prepare_cached(&of_record)?;
                delete.query([record])?
            }
            ChangedCall::Shared(id) => {
                delete = self.database.prepare_cached(&of_records)?;
                delete.query([id])?
            }
        };
        while let Some(row) = rows.next()? {
            let key = SumKey {
                pin_set: row.get(1)?,
                identity: row.get(2)?,
                disposition: row.get(3)?,
            };
            sums.count(row.get(0)?, key, [row.get(4)?, row.get(5)?], true);
        }
        Ok(())
    }

    /// Stores a call as its records make it up, if there are any.
    fn assemble(&mut self, call: &ChangedCall, sums: &mut SumChanges) -> rusqlite::Result<()> {
        let database = self.database;
        let mut select;
        let records = match call {
            ChangedCall::Single(record) => {
                select = database
                    .prepare_cached("SELECT *, rowid FROM record WHERE rowid = ? AND call = x''")?;
                select.query([record])?
            }
            ChangedCall::Shared(id) => {
                select = database.prepare_cached(
                    "SELECT *, rowid FROM record WHERE call = ? AND call <> x'' ORDER BY rowid",
                )?;
                select.query([id])?
            }
        };
        let outcome_of = |id: &[u8]| outcome(database, id);
        let mut calls = CallReader::new(records, outcome_of);
        while let Some(stored) = calls.next()? {
            self.store(&stored, sums)?;
        }
        Ok(())
    }

    fn store(&mut self, stored: &StoredCall, sums: &mut SumChanges) -> rusqlite::Result<()> {
        let row = ReportRow::new(&stored.call);
        let key = SumKey {
            pin_set: self.names.id(self.database, row.pin_set)?,
            identity: self.names.id(self.database, row.identity)?,
            disposition: self.names.id(self.database, row.disposition)?,
        };
        let seconds = [row.duration, row.billed];
        let seconds = seconds.map(|seconds| i64::try_from(seconds).unwrap_or(i64::MAX));
        let [duration, billed] = seconds;
        let mut insert = self
            .database
            .prepare_cached("INSERT INTO call VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)")?;
        insert.execute(params![
            stored.first,
            row.began,
            key.identity,
            key.pin_set,
            key.disposition,
            number(self.numbering, row.caller),
            duration,
            billed,
            row.caller,
            row.called,
            row.start,
            row.answer,
            row.end,
            row.unique_id,
        ])?;
        sums.count(row.began, key, seconds, false);
        Ok(())
    }
}

/// Returns the outcome of the call of this channel.
fn outcome(database: &Connection, channel: &[u8]) -> rusqlite::Result<Option<CallOutcome>> {
    let mut select =
        database.prepare_cached("SELECT admitted, identity, pin_set FROM channel WHERE id = ?")?;
    let outcome = select.query_row([channel], |row| {
        Ok(CallOutcome {
            channel: channel.into(),
            admitted: row.get(0)?,
            identity: row.get(1)?,
            pin_set: row.get(2)?,
        })
    });
    outcome.optional()
}
