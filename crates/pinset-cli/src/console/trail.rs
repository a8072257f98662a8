//! The trail of changes: who changed what, when, and from where. A change whose row can't
//! be written must not happen.

use std::net::IpAddr;
use std::sync::Arc;
use std::time::Duration;

use parking_lot::Mutex;
use pinset::escape::escape_audit_value;
use rusqlite::{params, Connection, OptionalExtension};
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

/// The order of changes: by one of [`COLUMNS`], or by their time.
#[derive(Clone, Copy, Debug)]
pub(super) struct TrailOrder {
    pub column: Option<&'static str>,
    pub is_descending: bool,
}

impl TrailOrder {
    pub(super) const NEWEST_FIRST: Self = Self {
        column: None,
        is_descending: true,
    };
}

/// A part of the changes in an order.
#[derive(Clone, Copy, Debug)]
pub(super) enum TrailPart {
    First,
    /// Those after the change with this id.
    After(i64),
    Before(i64),
}

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

    /// Returns the user that has changed a PIN file to the one with this tag, if the trail
    /// has it.
    pub(super) fn user_of(
        &self,
        pin_set: &str,
        tag_after: &str,
    ) -> rusqlite::Result<Option<String>> {
        let database = self.database.lock();
        let mut found = database.prepare_cached(
            "SELECT user FROM changes WHERE pin_set = ?1 AND tag_after = ?2 ORDER BY id DESC LIMIT 1",
        )?;
        let found = found.query_row([pin_set, tag_after], |row| row.get(0));
        found.optional()
    }

    /// Returns up to `most` changes of a part, in its order.
    pub(super) fn page(
        &self,
        order: TrailOrder,
        part: TrailPart,
        most: usize,
    ) -> rusqlite::Result<Vec<StoredChange>> {
        let (is_back, id) = match part {
            TrailPart::First => (false, None),
            TrailPart::After(id) => (false, Some(id)),
            TrailPart::Before(id) => (true, Some(id)),
        };
        let (than, direction) = match order.is_descending != is_back {
            true => ("<", "DESC"),
            false => (">", "ASC"),
        };
        let (beyond, by_value) = match order.column {
            None => (format!("id {than} ?1"), String::new()),
            Some(column) => (
                format!("({column}, id) {than} ((SELECT {column} FROM changes WHERE id = ?1), ?1)"),
                format!("{column} {direction}, "),
            ),
        };
        let database = self.database.lock();
        let mut rows = database.prepare_cached(&format!(
            "SELECT id, time, user, client, action, pin_set, account, before, after, tag_before, \
             tag_after FROM changes WHERE ?1 IS NULL OR {beyond} \
             ORDER BY {by_value}id {direction} LIMIT ?2"
        ))?;
        let most = i64::try_from(most).unwrap_or(i64::MAX);
        let rows = rows.query_map(params![id, most], |row| {
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
        let mut rows = rows.collect::<rusqlite::Result<Vec<_>>>()?;
        if is_back {
            rows.reverse();
        }
        Ok(rows)
    }
}

/// Returns a text as a value in a line of the log.
fn value(text: &str) -> String {
    escape_audit_value(text.as_bytes())
}
