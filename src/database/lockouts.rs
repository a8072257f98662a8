//! Lockouts in the database, for administrators.

use std::time::Duration;

use libpq::Reply;
use pinset::config::Source;
use pinset::database::{EntryBudget, Request};
use pinset::lockout::{stored_admin, Held, Kind, Unlock, Unlocked};
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
/// The database has not answered, or has not got through all of them in time.
pub(crate) fn each_lock(
    pin_set: Option<&str>,
    mut look: impl FnMut(Held),
) -> Result<(), DatabaseError> {
    let in_force = config::current();
    if pin_sets(&in_force, pin_set).is_empty() {
        return Ok(());
    }
    let budget = budget(&in_force);
    let mut last: Option<Held> = None;
    loop {
        let request = stored_admin::locks(pin_set, last.as_ref());
        let reply = ask_within(&budget, request)?;
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

/// Returns the numbers of locks in force, of all PIN sets, by their names and kinds.
///
/// # Errors
///
/// The database has not answered.
pub(crate) fn lock_counts() -> Result<Vec<(String, Kind, u64)>, DatabaseError> {
    let in_force = config::current();
    if pin_sets(&in_force, None).is_empty() {
        return Ok(Vec::new());
    }
    let reply = ask(&in_force, stored_admin::lock_counts())?;
    stored_admin::counted(&reply).map_err(|_| DatabaseError::Unreadable)
}

fn budget(in_force: &InForce) -> EntryBudget {
    EntryBudget::new(in_force.settings.source_timeout.max(MIN_TIMEOUT))
}

/// Runs what an administrator asks.
pub(super) fn ask(in_force: &InForce, request: Request) -> Result<Reply, DatabaseError> {
    ask_within(&budget(in_force), request)
}

fn ask_within(budget: &EntryBudget, request: Request) -> Result<Reply, DatabaseError> {
    let Request {
        statement,
        parameters,
    } = request;
    // There is no caller to hang up.
    run(&mut NoChannel, statement, parameters, budget.left(), budget)
        .unwrap_or(Err(DatabaseError::Timeout(budget.timeout())))
}
