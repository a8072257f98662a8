//! The trail of changes: who changed what, when, and from where. A change whose row can't
//! be written must not happen.

use std::net::IpAddr;
use std::sync::Arc;
use std::time::Duration;

use parking_lot::Mutex;
use pinset::escape::escape_audit_value;
use rusqlite::{params, Connection};
use thiserror::Error;

use crate::common::error::note;

pub(super) const TABLE: &str = "
CREATE TABLE IF NOT EXISTS changes (
    id INTEGER PRIMARY KEY,
    time INTEGER NOT NULL,
    user TEXT NOT NULL,
    client TEXT NOT NULL,
    action TEXT NOT NULL,
    pin_set TEXT NOT NULL,
    account TEXT NOT NULL,
    before TEXT NOT NULL,
    after TEXT NOT NULL,
    tag_before TEXT NOT NULL,
    tag_after TEXT NOT NULL
);
";

/// Number of changes on a page.
pub(super) const PAGE_ROWS: usize = 50;

/// A change, or a log-in. No field contains a PIN or a hash of one.
#[derive(Clone, Default, PartialEq, Eq, Debug)]
pub(super) struct Change {
    pub action: &'static str,
    pub pin_set: String,
    pub account: String,
    /// The fields of the row before and after.
    pub before: String,
    pub after: String,
    /// Tags of the file before and after.
    pub tag_before: String,
    pub tag_after: String,
}

impl Change {
    /// Returns a change of nothing but what `action` names.
    pub(super) fn of(action: &'static str) -> Self {
        Self {
            action,
            ..Self::default()
        }
    }
}

/// A change as it is stored.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(super) struct StoredChange {
    pub id: i64,
    /// Milliseconds since the Unix epoch.
    pub time: i64,
    /// Texts in the order of [`COLUMNS`].
    pub fields: [String; 9],
}

/// The columns of a stored change after its time.
pub(super) const COLUMNS: [&str; 9] = [
    "user",
    "client",
    "action",
    "pin_set",
    "account",
    "before",
    "after",
    "tag_before",
    "tag_after",
];

/// The change must not happen, because it can't be recorded.
#[derive(Debug, Error)]
#[error("the trail of changes can't be written, so nothing was changed: {0}")]
pub(super) struct TrailError(#[from] rusqlite::Error);

/// The trail of changes.
pub(super) struct Trail {
    database: Arc<Mutex<Connection>>,
}

impl Trail {
    pub(super) fn new(database: Arc<Mutex<Connection>>) -> Self {
        Self { database }
    }

    /// Records a change of this user, before it is made, and reports it on standard error.
    ///
    /// # Errors
    ///
    /// Then the change must not be made.
    pub(super) fn record(
        &self,
        user: &str,
        client: IpAddr,
        change: &Change,
        now: Duration,
    ) -> Result<(), TrailError> {
        let time = i64::try_from(now.as_millis()).unwrap_or(i64::MAX);
        self.database.lock().execute(
            "INSERT INTO changes (time, user, client, action, pin_set, account, before, after, \
             tag_before, tag_after) VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10)",
            params![
                time,
                user,
                client.to_string(),
                change.action,
                change.pin_set,
                change.account,
                change.before,
                change.after,
                change.tag_before,
                change.tag_after,
            ],
        )?;
        let mut line = format!("{}: user={}", change.action, value(user));
        for (name, text) in [("pin_set", &change.pin_set), ("account", &change.account)] {
            if !text.is_empty() {
                line.push_str(&format!(" {name}={}", value(text)));
            }
        }
        note(format!("{line} client={client}"));
        Ok(())
    }

    /// Returns up to `most` changes, newest first, older than `before` if that is given.
    pub(super) fn newest(
        &self,
        before: Option<i64>,
        most: usize,
    ) -> rusqlite::Result<Vec<StoredChange>> {
        let database = self.database.lock();
        let mut rows = database.prepare_cached(
            "SELECT id, time, user, client, action, pin_set, account, before, after, tag_before, \
             tag_after FROM changes WHERE id < ?1 ORDER BY id DESC LIMIT ?2",
        )?;
        let (before, most) = (
            before.unwrap_or(i64::MAX),
            i64::try_from(most).unwrap_or(i64::MAX),
        );
        let rows = rows.query_map([before, most], |row| {
            let mut fields: [String; 9] = Default::default();
            for (at, field) in fields.iter_mut().enumerate() {
                *field = row.get(at + 2)?;
            }
            Ok(StoredChange {
                id: row.get(0)?,
                time: row.get(1)?,
                fields,
            })
        })?;
        rows.collect()
    }
}

/// Returns a text as a value in a line of the log.
fn value(text: &str) -> String {
    escape_audit_value(text.as_bytes())
}
