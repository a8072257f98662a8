//! Caller numbers, so that all spellings of one are the same text.

use pinset::Numbering;
use rusqlite::{Connection, OptionalExtension};

/// Returns a number so that two spellings of one are the same text.
pub(super) fn number(numbering: &Numbering, text: &str) -> String {
    match numbering.normalize(text.as_bytes()) {
        Some(number) => number.to_string(),
        None => text.to_owned(),
    }
}

/// Applies numbering options to the stored numbers, unless they are the last ones.
pub(super) fn update(database: &mut Connection, numbering: &Numbering) -> rusqlite::Result<()> {
    let options = numbering.to_string();
    let transaction = database.transaction()?;
    let select = "SELECT options FROM numbering";
    let stored = transaction.query_row(select, [], |row| row.get::<_, String>(0));
    if stored.optional()?.as_ref() == Some(&options) {
        return Ok(());
    }
    for (table, id) in [("call", "first"), ("attempt", "id")] {
        let select = format!("SELECT {id}, caller, number FROM {table} NOT INDEXED");
        let mut select = transaction.prepare(&select)?;
        let update = format!("UPDATE {table} SET number = ?2 WHERE {id} = ?1");
        let mut update = transaction.prepare(&update)?;
        let mut rows = select.query([])?;
        while let Some(row) = rows.next()? {
            let found = number(numbering, row.get_ref(1)?.as_str()?);
            if row.get_ref(2)?.as_str()? != found {
                update.execute((row.get::<_, i64>(0)?, found))?;
            }
        }
    }
    transaction.execute("DELETE FROM numbering", [])?;
    transaction.execute("INSERT INTO numbering VALUES (?)", [options])?;
    transaction.commit()
}
