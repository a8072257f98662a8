//! Selected calls of the history, and their sums.

use std::collections::BTreeMap;
use std::path::Path;
use std::time::Duration;

use pinset::Numbering;
use rusqlite::{params_from_iter, Connection, OptionalExtension, Row};

use super::filter::{CallFilter, Conditions};
use super::numbers::number;
use super::page::CallKey;
use super::position::{FilePosition, HistorySource};
use crate::common::database;
use crate::reports::row::ReportRow;

/// A call on a page.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(crate) struct StoredRow {
    pub key: CallKey,
    pub identity: String,
    pub pin_set: String,
    pub caller: String,
    pub called: String,
    pub start: String,
    pub answer: String,
    pub disposition: String,
    pub duration: u64,
    pub billed: u64,
}

/// The totals of an identity.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(crate) struct IdentityTotals {
    pub identity: String,
    pub calls: u64,
    pub answered: u64,
    /// In seconds.
    pub duration: u64,
    pub billed: u64,
}

/// The totals of a quarter of an hour.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) struct SlotTotals {
    /// In seconds since 1970.
    pub start: i64,
    pub calls: u64,
    pub answered: u64,
    /// In seconds.
    pub billed: u64,
}

/// What is known about a followed file.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(crate) struct SourceState {
    /// When the last line was read, in seconds since 1970; 0 if there was none.
    pub read: i64,
    /// Number of lines that were skipped.
    pub skipped: u64,
    /// Whether the last record can be looked up in the audit log.
    pub has_ids: bool,
    /// Lines from before this time, in seconds since 1970, may be missing.
    pub gap: Option<i64>,
    pub position: FilePosition,
}

/// An outcome in the audit log.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(crate) struct Attempt {
    /// In seconds since 1970.
    pub time: i64,
    pub outcome: String,
    pub pin_set: String,
    pub identity: String,
    pub caller: String,
    pub unique_id: String,
}

/// Reader of the history.
pub(crate) struct HistoryReader {
    pub(super) database: Connection,
    pub(super) numbering: Numbering,
}

/// Texts of a call, from its table and that of names.
pub(super) const ROWS: &str = "
    CROSS JOIN name AS i ON i.id = call.identity CROSS JOIN name AS s ON s.id = call.pin_set
    CROSS JOIN name AS d ON d.id = call.disposition";
pub(super) const COLUMNS: &str =
    "call.began, call.first, i.text, s.text, call.caller, call.called, \
    call.start, call.answer, call.end, d.text, call.unique_id, call.duration, call.billed";

impl HistoryReader {
    /// Opens the database. All queries read it as it is at the first one, and end after
    /// this time, if it is given. Numbers are compared by the options of the last
    /// [`CallHistory`](super::CallHistory).
    pub(crate) fn open(
        path: &Path,
        longest: Option<Duration>,
        numbering: &Numbering,
    ) -> rusqlite::Result<Self> {
        let database = database::open_read_only(path)?;
        if let Some(longest) = longest {
            database::limit_time(&database, longest);
        }
        database.execute_batch("BEGIN")?;
        Ok(Self {
            database,
            numbering: numbering.clone(),
        })
    }

    /// Returns what is known about a followed file, if anything was read.
    pub(crate) fn state(&self, source: HistorySource) -> rusqlite::Result<Option<SourceState>> {
        let Some(position) = FilePosition::load(&self.database, source)? else {
            return Ok(None);
        };
        let select = "SELECT read, skipped, has_ids, gap FROM file WHERE source = ?";
        let state = self.database.query_row(select, [source.name()], |row| {
            Ok(SourceState {
                read: row.get(0)?,
                skipped: count(row, 1)?,
                has_ids: row.get(2)?,
                gap: row.get(3)?,
                position,
            })
        });
        state.optional()
    }

    /// Returns the names of the PIN sets of all calls.
    pub(crate) fn pin_sets(&self) -> rusqlite::Result<Vec<String>> {
        // Each step leads to the next PIN set by the index.
        let mut select = self.database.prepare(
            "WITH RECURSIVE found (id) AS (
                SELECT min(pin_set) FROM set_quarter UNION ALL
                SELECT (SELECT min(pin_set) FROM set_quarter WHERE pin_set > found.id)
                FROM found WHERE found.id IS NOT NULL
            ) SELECT text FROM found JOIN name USING (id) WHERE text <> '' ORDER BY text",
        )?;
        let names = select.query_map([], |row| row.get(0))?;
        names.collect()
    }

    /// Calls `look` with each selected call, in the order of the CDR.
    ///
    /// # Errors
    ///
    /// Fails with what `look` returns, or if the database can't be read.
    pub(crate) fn each<E: From<rusqlite::Error>>(
        &self,
        filter: &CallFilter,
        mut look: impl FnMut(&ReportRow<'_>) -> Result<(), E>,
    ) -> Result<(), E> {
        let conditions = Conditions::new(&self.database, &self.numbering, filter)?;
        let selection = filter.selection(&self.numbering);
        let select = format!(
            "SELECT {COLUMNS} FROM call NOT INDEXED {ROWS} WHERE {} ORDER BY first",
            conditions.of_calls(conditions.from, conditions.to),
        );
        let mut select = self.database.prepare(&select)?;
        let mut rows = select.query(params_from_iter(&conditions.number))?;
        while let Some(row) = rows.next()? {
            let row = report_row(row)?;
            if selection.has(&row) {
                look(&row)?;
            }
        }
        Ok(())
    }

    /// Returns the totals of the selected calls by identity, in order of the identities.
    pub(crate) fn totals(&self, filter: &CallFilter) -> rusqlite::Result<Vec<IdentityTotals>> {
        let conditions = Conditions::new(&self.database, &self.numbering, filter)?;
        let select = format!(
            "SELECT text, calls, answered, duration, billed FROM (
                SELECT identity, sum(calls) AS calls,
                    sum(iif(disposition = {}, calls, 0)) AS answered,
                    sum(duration) AS duration, sum(billed) AS billed
                FROM ({}) GROUP BY identity
            ) AS totals CROSS JOIN name ON id = identity ORDER BY text",
            conditions.answered,
            conditions.parts("identity", filter.identity.is_none().then_some("day")),
        );
        let mut select = self.database.prepare(&select)?;
        let rows = select.query_map(params_from_iter(&conditions.number), |row| {
            Ok(IdentityTotals {
                identity: row.get(0)?,
                calls: count(row, 1)?,
                answered: count(row, 2)?,
                duration: count(row, 3)?,
                billed: count(row, 4)?,
            })
        })?;
        rows.collect()
    }

    /// Returns the totals of the selected calls by quarter of an hour, in order.
    pub(crate) fn slots(&self, filter: &CallFilter) -> rusqlite::Result<Vec<SlotTotals>> {
        let conditions = Conditions::new(&self.database, &self.numbering, filter)?;
        let select = format!(
            "SELECT slot, sum(calls), sum(iif(disposition = {}, calls, 0)), sum(billed)
            FROM ({}) GROUP BY slot ORDER BY slot",
            conditions.answered,
            conditions.parts("slot", None),
        );
        let mut select = self.database.prepare(&select)?;
        let rows = select.query_map(params_from_iter(&conditions.number), |row| {
            Ok(SlotTotals {
                start: row.get(0)?,
                calls: count(row, 1)?,
                answered: count(row, 2)?,
                billed: count(row, 3)?,
            })
        })?;
        rows.collect()
    }

    /// Returns the last attempts of caller numbers, in any spelling, and of accounts, newest
    /// first.
    pub(crate) fn attempts(
        &self,
        numbers: &[String],
        accounts: &[String],
        most: usize,
    ) -> rusqlite::Result<Vec<Attempt>> {
        let mut found = BTreeMap::new();
        let numbers = numbers.iter().map(|text| number(&self.numbering, text));
        let numbers = numbers.map(|number| ("number", number));
        let accounts = accounts.iter().map(|account| ("identity", account.clone()));
        for (column, value) in numbers.chain(accounts) {
            let mut select = self.database.prepare_cached(&format!(
                "SELECT id, time, outcome, pin_set, identity, caller, unique_id FROM attempt WHERE \
                 {column} = ? ORDER BY id DESC LIMIT {most}"
            ))?;
            let rows = select.query_map([value], |row| {
                let attempt = Attempt {
                    time: row.get(1)?,
                    outcome: row.get(2)?,
                    pin_set: row.get(3)?,
                    identity: row.get(4)?,
                    caller: row.get(5)?,
                    unique_id: row.get(6)?,
                };
                Ok((row.get::<_, i64>(0)?, attempt))
            })?;
            for row in rows {
                let (id, attempt) = row?;
                found.insert(id, attempt);
            }
        }
        Ok(found.into_values().rev().take(most).collect())
    }
}

fn text<'a>(row: &'a Row<'_>, at: usize) -> rusqlite::Result<&'a str> {
    Ok(row.get_ref(at)?.as_str()?)
}

fn count(row: &Row<'_>, at: usize) -> rusqlite::Result<u64> {
    row.get::<_, i64>(at).map(i64::unsigned_abs)
}

/// Returns the call in a row with [`COLUMNS`].
fn report_row<'a>(row: &'a Row<'_>) -> rusqlite::Result<ReportRow<'a>> {
    Ok(ReportRow {
        began: row.get(0)?,
        identity: text(row, 2)?,
        pin_set: text(row, 3)?,
        caller: text(row, 4)?,
        called: text(row, 5)?,
        start: text(row, 6)?,
        answer: text(row, 7)?,
        end: text(row, 8)?,
        disposition: text(row, 9)?,
        unique_id: text(row, 10)?,
        duration: count(row, 11)?,
        billed: count(row, 12)?,
    })
}

pub(super) fn stored_row(row: &Row<'_>) -> rusqlite::Result<StoredRow> {
    let key = CallKey {
        began: row.get(0)?,
        first: row.get(1)?,
    };
    let row = report_row(row)?;
    Ok(StoredRow {
        key,
        identity: row.identity.to_owned(),
        pin_set: row.pin_set.to_owned(),
        caller: row.caller.to_owned(),
        called: row.called.to_owned(),
        start: row.start.to_owned(),
        answer: row.answer.to_owned(),
        disposition: row.disposition.to_owned(),
        duration: row.duration,
        billed: row.billed,
    })
}
