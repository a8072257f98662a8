//! Lookups in families of Asterisk's database, on threads of ours while the channel is
//! serviced: Asterisk holds one lock for all of its database, also while it writes to
//! the disk.

use std::time::Duration;

use pinset::credential::table::of_credentials;
use pinset::verify::{Answer, Family, FileQuery, NoChannel, ServiceChannel};
use thiserror::Error;
use zeroize::Zeroizing;

use crate::asterisk::astdb::{self, MAX_WAITING};
use crate::asterisk::log::log_once;
use crate::pin_files::SourceState;
use crate::work_queue::{Priority, QueueError, WorkQueue};

/// The resource that the jobs use, for error messages.
const RESOURCE: &str = "Asterisk's database";

/// Longest queue for whole families, each of which may take long.
const MAX_WAITING_FAMILIES: usize = 64;

/// One thread: Asterisk's database serves one lookup after the other anyway.
static LOOKUPS: WorkQueue = WorkQueue::new(Priority::Normal, MAX_WAITING, RESOURCE);
static READERS: WorkQueue = WorkQueue::new(Priority::Low, MAX_WAITING_FAMILIES, RESOURCE);

/// Returns whether a family holds a key, or `None` if the caller has hung up.
///
/// # Errors
///
/// Fails if the database has not answered in time.
pub(crate) fn holds<H: ServiceChannel>(
    host: &mut H,
    name: &[u8],
    key: &[u8],
    timeout: Duration,
) -> Option<Result<bool, QueueError>> {
    let (name, key) = (name.to_vec(), Zeroizing::new(key.to_vec()));
    LOOKUPS.run(host, 1, timeout, move |wanted| {
        wanted().then(|| astdb::exists(&name, &key))
    })
}

/// Why a family can't be used.
#[derive(Debug, Error)]
pub(crate) enum FamilyError {
    /// The database has not answered.
    #[error(transparent)]
    Queue(#[from] QueueError),
    /// The family as a whole is invalid.
    #[error("{0}")]
    Invalid(String),
}

/// Reads a family as it is now, in at most `limit` bytes of memory. Returns `None`
/// if the caller has hung up.
///
/// # Errors
///
/// Fails if the database has not answered in time, or the family as a whole is invalid.
pub(crate) fn read<H: ServiceChannel>(
    host: &mut H,
    name: &str,
    limit: u64,
    timeout: Duration,
) -> Option<Result<Family, FamilyError>> {
    let family = name.to_owned();
    let family = READERS.run(host, 1, timeout, move |wanted| {
        wanted().then(|| read_now(family, limit))
    })?;
    Some(family.unwrap_or_else(|error| Err(error.into())))
}

/// Checks whether a family is, as it is now, what its PIN set needs. Waits for the
/// database for at most `timeout`.
pub(crate) fn check(name: &str, wanted: &FileQuery, limit: u64, timeout: Duration) -> SourceState {
    let answer = match read(&mut NoChannel, name, limit, timeout) {
        Some(Ok(family)) => Answer::Family(Box::new(family)),
        Some(Err(error)) => Answer::Refused(error.to_string()),
        None => return SourceState::default(),
    };
    SourceState {
        objection: wanted.objection(&answer),
        doubts: wanted.doubts(&answer),
    }
}

fn read_now(name: String, limit: u64) -> Result<Family, FamilyError> {
    let mut keys = Vec::new();
    let mut values: Vec<Zeroizing<Vec<u8>>> = Vec::new();
    astdb::each(name.as_bytes(), |key, value| {
        keys.push(key.to_vec());
        values.push(Zeroizing::new(value.to_vec()));
    });
    let credentials = values.iter().map(|value| {
        let colon = value.iter().position(|byte| *byte == b':');
        let (account, secret) = value.split_at(colon.unwrap_or(0));
        (account, secret.get(1..).unwrap_or_default())
    });
    let rows = of_credentials(credentials, limit)
        .map_err(|error| FamilyError::Invalid(error.to_string()))?;
    // The key is not logged: in FreePBX's families that is a PIN.
    for row in rows.broken() {
        log_once!(
            Warning,
            "value {} of family '{name}' of the database is skipped: {}",
            row.line,
            row.error
        );
    }
    Ok(Family { rows, keys })
}

/// Drops the jobs that wait.
pub(crate) fn clear() {
    LOOKUPS.clear();
    READERS.clear();
}
