//! Lockouts in the database, for administrators.

use std::time::Duration;

use libpq::Reply;
use pinset::config::Source;
use pinset::database::EntryBudget;
use pinset::lockout::stored::Request;
use pinset::lockout::{stored_admin, Held, Unlock, Unlocked};
use pinset::timestamp::since_epoch;
use pinset::verify::NoChannel;
use pinset::PinSet;

use super::entry::run;
use super::DatabaseError;
use crate::config::{self, InForce};

/// An administrator waits longer than a caller.
const MIN_TIMEOUT: Duration = Duration::from_secs(2);

/// Calls `look` with each lock in force, of one PIN set or of all, in no order.
///
/// # Errors
///
/// The database has not answered.
pub(crate) fn each_lock(
    pin_set: Option<&str>,
    mut look: impl FnMut(Held),
) -> Result<(), DatabaseError> {
    let in_force = config::current();
    if pin_sets(&in_force, pin_set).is_empty() {
        return Ok(());
    }
    let mut last: Option<Held> = None;
    loop {
        let reply = ask(&in_force, stored_admin::locks(pin_set, last.as_ref()))?;
        let held =
            stored_admin::held(&reply, since_epoch()).map_err(|_| DatabaseError::Unreadable)?;
        let is_last = held.len() < stored_admin::MAX_LOCKS;
        last = held.last().cloned();
        held.into_iter().for_each(&mut look);
        if is_last {
            return Ok(());
        }
    }
}

/// Ends locks and resets their failure counts. Returns what was ended.
///
/// # Errors
///
/// The database has not answered: whether they are ended is unknown.
pub(crate) fn unlock(what: Unlock<'_>, pin_set: Option<&str>) -> Result<Unlocked, DatabaseError> {
    let in_force = config::current();
    let pin_sets = pin_sets(&in_force, pin_set);
    if pin_sets.is_empty() {
        return Ok(Unlocked::default());
    }
    let reply = ask(&in_force, stored_admin::unlock(what, pin_set, &pin_sets))?;
    stored_admin::unlocked(&reply).map_err(|_| DatabaseError::Unreadable)
}

/// The names of the PIN sets in the database: this one, or all.
pub(crate) fn pin_sets(in_force: &InForce, only: Option<&str>) -> Vec<String> {
    in_force
        .pin_sets()
        .filter(|(name, _)| only.is_none_or(|only| *name == only))
        .filter(|(_, set)| set.is_some_and(is_here))
        .map(|(name, _)| name.to_string())
        .collect()
}

/// Whether the lockouts of this PIN set are in the database.
pub(crate) fn is_here(set: &PinSet) -> bool {
    matches!(set.source, Some(Source::Database(_)))
}

fn ask(in_force: &InForce, request: Request) -> Result<Reply, DatabaseError> {
    let budget = EntryBudget::new(in_force.settings.source_timeout.max(MIN_TIMEOUT));
    let Request {
        statement,
        parameters,
    } = request;
    // There is no caller to hang up.
    run(
        &mut NoChannel,
        statement,
        parameters,
        budget.left(),
        &budget,
    )
    .unwrap_or(Err(DatabaseError::Timeout(MIN_TIMEOUT)))
}
