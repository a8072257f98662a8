//! Identities, PIN sets and dispositions, each stored once.

use std::collections::HashMap;

use rusqlite::{Connection, OptionalExtension};

/// Number of names that are kept in memory.
const MAX_NAMES: usize = 10_000;

/// The names that were used last.
#[derive(Default)]
pub(super) struct Names(HashMap<String, i64>);

impl Names {
    /// Returns the number of a name, which is added if it is new.
    pub(super) fn id(&mut self, database: &Connection, name: &str) -> rusqlite::Result<i64> {
        if let Some(id) = self.0.get(name) {
            return Ok(*id);
        }
        let mut insert = database.prepare_cached("INSERT OR IGNORE INTO name (text) VALUES (?)")?;
        insert.execute([name])?;
        let mut select = database.prepare_cached("SELECT id FROM name WHERE text = ?")?;
        let id = select.query_row([name], |row| row.get(0))?;
        if self.0.len() >= MAX_NAMES {
            self.0.clear();
        }
        self.0.insert(name.to_owned(), id);
        Ok(id)
    }

    /// Drops the numbers of names, which may have been removed or not stored.
    pub(super) fn clear(&mut self) {
        self.0.clear();
    }
}

/// Returns the number of a name, if it is stored.
pub(super) fn find(database: &Connection, name: &str) -> rusqlite::Result<Option<i64>> {
    let mut select = database.prepare_cached("SELECT id FROM name WHERE text = ?")?;
    select.query_row([name], |row| row.get(0)).optional()
}
