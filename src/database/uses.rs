//! Uses of rows, for administrators.

use pinset::config::Source;
use pinset::database::{list_uses, reset_accounts, reset_uses, used_rows, UsedRow};
use pinset::PinSet;

use super::lockouts::ask;
use super::DatabaseError;
use crate::config::InForce;

/// Returns the name that a PIN set has in the database, if it is there.
pub(crate) fn stored_name<'a>(name: &'a str, set: &'a PinSet) -> Option<&'a str> {
    match &set.source {
        Some(Source::Database(other)) => Some(other.as_deref().unwrap_or(name)),
        _ => None,
    }
}

/// Returns the uses of rows with a higher id, at most `limit`, and the number of all rows
/// with uses.
///
/// # Errors
///
/// The database has not answered.
pub(crate) fn uses(
    in_force: &InForce,
    stored_name: &str,
    after: u64,
    limit: usize,
) -> Result<(Vec<UsedRow>, u64), DatabaseError> {
    let reply = ask(in_force, list_uses(stored_name, after, limit))?;
    used_rows(&reply).map_err(|_| DatabaseError::Unreadable)
}

/// Sets uses back to zero, of an account, of a row, or of both. Returns the accounts of
/// the rows.
///
/// # Errors
///
/// The database has not answered: whether they are set back is unknown.
pub(crate) fn reset(
    in_force: &InForce,
    stored_name: &str,
    account: Option<&str>,
    id: Option<u64>,
) -> Result<Vec<String>, DatabaseError> {
    let reply = ask(in_force, reset_uses(stored_name, account, id))?;
    reset_accounts(&reply).map_err(|_| DatabaseError::Unreadable)
}
