//! The table of the log: adding rows, and removing old ones.

use pinset::timestamp::since_epoch;
use rusqlite::{params, Connection, Params};

use super::entry::{Entry, UNAUTHORIZED};

/// Maximum number of rows that are removed at once.
const MAX_REMOVED: u64 = 5_000;
/// One row without credentials is kept per this many rows of the others.
const UNAUTHORIZED_FRACTION: u64 = 10;
const DAY_MS: i64 = 24 * 60 * 60 * 1000;

/// Rows with and without credentials have an index by age each, so that finding the
/// oldest row does not scan the others.
pub(super) const TABLES: &str = "
    CREATE TABLE IF NOT EXISTS log (
        id INTEGER PRIMARY KEY,
        time INTEGER NOT NULL,
        method TEXT NOT NULL,
        path TEXT NOT NULL,
        client TEXT NOT NULL,
        caller TEXT NOT NULL,
        outcome TEXT NOT NULL,
        account TEXT NOT NULL,
        status INTEGER NOT NULL,
        duration INTEGER NOT NULL,
        request TEXT NOT NULL,
        response TEXT NOT NULL,
        service TEXT NOT NULL DEFAULT '',
        uuid TEXT NOT NULL DEFAULT '',
        call_outcome TEXT NOT NULL DEFAULT '',
        call_destination TEXT NOT NULL DEFAULT '',
        call_duration INTEGER
    );
    CREATE INDEX IF NOT EXISTS log_time ON log (time);
    CREATE INDEX IF NOT EXISTS log_unauthorized ON log (id) WHERE outcome = 'unauthorized';
    CREATE INDEX IF NOT EXISTS log_authorized ON log (id) WHERE outcome <> 'unauthorized';";

/// The columns that files of earlier versions lack.
const ADDED: [(&str, &str); 5] = [
    ("service", "TEXT NOT NULL DEFAULT ''"),
    ("uuid", "TEXT NOT NULL DEFAULT ''"),
    ("call_outcome", "TEXT NOT NULL DEFAULT ''"),
    ("call_destination", "TEXT NOT NULL DEFAULT ''"),
    ("call_duration", "INTEGER"),
];

/// The index that finds the end of a call.
const HANGUP_INDEX: &str = "CREATE INDEX IF NOT EXISTS log_hangup ON log (uuid, service) \
    WHERE outcome = 'hangup'";

const OLDEST_AUTHORIZED: &str = "DELETE FROM log WHERE id IN (SELECT id FROM log \
    INDEXED BY log_authorized WHERE outcome <> 'unauthorized' ORDER BY id LIMIT ?1) \
    RETURNING outcome = 'unauthorized'";
const OLDEST_UNAUTHORIZED: &str = "DELETE FROM log WHERE id IN (SELECT id FROM log \
    INDEXED BY log_unauthorized WHERE outcome = 'unauthorized' ORDER BY id LIMIT ?1) \
    RETURNING outcome = 'unauthorized'";

/// The log in its file.
pub(super) struct LogTable {
    database: Connection,
    days: u32,
    /// The most rows of requests with credentials.
    rows: u64,
    counted: RowCounts,
    /// The version of the data, which changes when another program writes to the file.
    version: i64,
}

/// Numbers of rows with and without credentials.
#[derive(Clone, Copy, Default, PartialEq, Eq, Debug)]
struct RowCounts {
    authorized: u64,
    unauthorized: u64,
}

impl RowCounts {
    fn add(&mut self, is_unauthorized: bool) {
        match is_unauthorized {
            true => self.unauthorized += 1,
            false => self.authorized += 1,
        }
    }
}

/// Adds the columns and the index that a file of an earlier version lacks.
fn add_columns(database: &Connection) -> rusqlite::Result<()> {
    let is_there = "SELECT count(*) FROM pragma_table_info('log') WHERE name = ?1";
    for (name, kind) in ADDED {
        let there: u32 = database.query_row(is_there, [name], |row| row.get(0))?;
        if there == 0 {
            database.execute_batch(&format!("ALTER TABLE log ADD COLUMN {name} {kind}"))?;
        }
    }
    database.execute_batch(HANGUP_INDEX)
}

impl LogTable {
    /// Takes an open log file.
    ///
    /// # Errors
    ///
    /// Fails if the file can't be read, or lacks columns and can't be written.
    pub(super) fn new(database: Connection, days: u32, rows: u32) -> rusqlite::Result<Self> {
        add_columns(&database)?;
        let mut table = Self {
            database,
            days,
            rows: rows.into(),
            counted: RowCounts::default(),
            version: 0,
        };
        table.count()?;
        Ok(table)
    }

    /// Adds rows.
    ///
    /// # Errors
    ///
    /// Fails if they can't be written; then none of them is added.
    pub(super) fn store(&mut self, entries: &[Entry]) -> rusqlite::Result<()> {
        let mut counted = self.counted;
        let write = self.database.transaction()?;
        {
            let mut insert = write.prepare_cached(
                "INSERT INTO log (time, method, path, client, caller, outcome, account, status, \
                 duration, request, response, service, uuid, call_outcome, call_destination, \
                 call_duration) VALUES (?1,?2,?3,?4,?5,?6,?7,?8,?9,?10,?11,?12,?13,?14,?15,?16)",
            )?;
            for entry in entries {
                let response = String::from_utf8_lossy(&entry.response);
                insert.execute(params![
                    entry.time,
                    entry.method,
                    entry.path,
                    entry.client,
                    entry.caller,
                    entry.outcome,
                    entry.account,
                    entry.status,
                    entry.duration,
                    entry.request,
                    response,
                    entry.service,
                    entry.uuid,
                    entry.call.outcome,
                    entry.call.destination,
                    entry.call.duration,
                ])?;
                counted.add(entry.outcome == UNAUTHORIZED);
            }
        }
        write.commit()?;
        self.counted = counted;
        Ok(())
    }

    /// Removes rows that are too old or too many.
    ///
    /// # Errors
    ///
    /// Fails if the file can't be written.
    pub(super) fn tidy(&mut self) -> rusqlite::Result<()> {
        if self.version()? != self.version {
            self.count()?;
        }
        let now = i64::try_from(since_epoch().as_millis()).unwrap_or(i64::MAX);
        let oldest = now - i64::from(self.days) * DAY_MS;
        self.remove(
            "DELETE FROM log WHERE id IN (SELECT id FROM log WHERE time < ?1 LIMIT ?2) \
             RETURNING outcome = 'unauthorized'",
            params![oldest, MAX_REMOVED],
        )?;
        let share = (self.rows / UNAUTHORIZED_FRACTION).max(1);
        let many = self.counted.authorized.saturating_sub(self.rows);
        self.remove(OLDEST_AUTHORIZED, params![many.min(MAX_REMOVED)])?;
        let many = self.counted.unauthorized.saturating_sub(share);
        self.remove(OLDEST_UNAUTHORIZED, params![many.min(MAX_REMOVED)])
    }

    fn remove(&mut self, delete: &str, values: impl Params) -> rusqlite::Result<()> {
        let mut delete = self.database.prepare_cached(delete)?;
        let mut removed = delete.query(values)?;
        while let Some(row) = removed.next()? {
            let counted = match row.get(0)? {
                true => &mut self.counted.unauthorized,
                false => &mut self.counted.authorized,
            };
            *counted = counted.saturating_sub(1);
        }
        Ok(())
    }

    fn version(&self) -> rusqlite::Result<i64> {
        self.database
            .query_row("PRAGMA data_version", [], |row| row.get(0))
    }

    fn count(&mut self) -> rusqlite::Result<()> {
        let count = |of: &str| {
            let count = format!("SELECT count(*) FROM log WHERE outcome {of} 'unauthorized'");
            self.database.query_row(&count, [], |row| row.get(0))
        };
        self.counted = RowCounts {
            authorized: count("<>")?,
            unauthorized: count("=")?,
        };
        self.version = self.version()?;
        Ok(())
    }
}
