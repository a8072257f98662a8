//! Removal of old calls.

use std::time::Duration;

use rusqlite::Connection;

use super::seconds;
use super::tables::{slot, DAY_SECS};

/// Returns the time before which calls are removed: the start of a day in UTC, so that no
/// sum is of calls of which some are removed.
pub(super) fn cutoff(now: Duration, retention: Duration) -> i64 {
    slot(seconds(now.saturating_sub(retention)), DAY_SECS)
}

/// Removes calls, records, outcomes and sums before a time, and names that nothing has.
pub(super) fn remove_before(database: &mut Connection, cutoff: i64) -> rusqlite::Result<()> {
    let transaction = database.transaction()?;
    for table in ["call", "record"] {
        let delete = format!("DELETE FROM {table} WHERE began < ?");
        transaction.execute(&delete, [cutoff])?;
    }
    for table in ["channel", "link", "attempt"] {
        let delete = format!("DELETE FROM {table} WHERE time < ?");
        transaction.execute(&delete, [cutoff])?;
    }
    for table in ["quarter", "day", "set_quarter"] {
        let delete = format!("DELETE FROM {table} WHERE slot < ?");
        transaction.execute(&delete, [cutoff])?;
    }
    let used = ["identity", "pin_set", "disposition"]
        .map(|column| format!("SELECT {column} FROM day"))
        .join(" UNION ");
    let delete = format!("DELETE FROM name WHERE id NOT IN ({used})");
    transaction.execute(&delete, [])?;
    transaction.commit()
}
