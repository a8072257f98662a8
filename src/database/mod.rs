//! PIN sets in PostgreSQL: `docs/cluster.md`.
//!
//! Threads of ours do the queries ([`worker`]), with a connection each, for as long as there
//! are any; a channel's thread only waits, servicing its channel, until a deadline of its
//! own. There is one database for all PIN sets.

mod entry;
mod job;
mod lockouts;
mod pool;
mod reader;
mod row_source;
mod signal;
mod status;
mod uses;
mod worker;

use std::sync::{Arc, Mutex};
use std::time::Duration;

use libpq::{ConnectionString, Library};
use pinset::database::{fingerprints, DatabaseError};
use thiserror::Error;

use crate::config::InForce;
use crate::sync::lock::lock;

pub(crate) use entry::CallDatabase;
pub(crate) use lockouts::{each_lock, is_here, lock_counts, pin_sets, unlock};
use pool::Pool;
pub(crate) use row_source::{consume, look_up};
pub(crate) use status::Status;
pub(crate) use uses::{reset as reset_uses, stored_name, uses};

/// The database in use, if a PIN set has one.
static CURRENT: Mutex<Option<Arc<Pool>>> = Mutex::new(None);

/// Why a database can't be used as it is configured. The text holds nothing of the
/// connection string.
#[derive(Debug, Error)]
pub(crate) enum DatabaseSetupError {
    /// There is no libpq.
    #[error(transparent)]
    Library(#[from] libpq::LibraryError),
    /// The file has no connection string.
    #[error(transparent)]
    String(#[from] libpq::ConnectionStringError),
    /// No file descriptor is left.
    #[error("eventfd: {0}")]
    Descriptor(std::io::Error),
}

/// Checks whether connections can be made with a connection string, without making one.
///
/// # Errors
///
/// There is no libpq, or it is no connection string.
pub(crate) fn check(string: &[u8]) -> Result<(), DatabaseSetupError> {
    ConnectionString::parse(&Library::load()?, string)?;
    Ok(())
}

/// Uses the database of a configuration from now on. Connections of another one end when
/// their queries have. Asterisk loads and reloads on one thread at a time.
pub(crate) fn sync(in_force: &InForce) {
    let wanted = in_force.database_string();
    let max_connections = in_force.settings.database_connections;
    let keys = fingerprints(&in_force.pepper);
    let is_current = |string| {
        let pool = current_pool();
        pool.is_some_and(|pool| pool.is_for(string, max_connections, &keys))
    };
    if wanted.is_some_and(is_current) {
        return;
    }
    // Not under the lock: libpq is read from the disk.
    let pool = wanted.and_then(|string| Pool::new(string, max_connections, keys.clone()).ok());
    let pool = pool.map(Arc::new);
    let old = std::mem::replace(&mut *lock(&CURRENT), pool.clone());
    if let Some(old) = old {
        old.retire();
    }
    if let Some(pool) = pool {
        // So that the log says at once if there is something wrong.
        pool.connect();
    }
}

/// What an administrator asks about the database in use, if there is one.
pub(crate) fn status() -> Option<Status> {
    Some(current_pool()?.status())
}

/// The database in use.
fn current_pool() -> Option<Arc<Pool>> {
    lock(&CURRENT).clone()
}

/// Ends all threads with connections, before an unload. Returns whether they have ended:
/// libpq can't be interrupted while it connects. If the unload is refused, the next query
/// starts one again.
pub(crate) fn stop() -> bool {
    /// `connect_timeout`, as it is unless the connection string has another, and a second.
    const STOP_TIMEOUT: Duration = Duration::from_secs(3);
    current_pool().is_none_or(|pool| {
        pool.stop();
        pool.has_ended(STOP_TIMEOUT)
    })
}

/// Forgets the database. Its threads have ended.
pub(crate) fn clear() {
    *lock(&CURRENT) = None;
}
