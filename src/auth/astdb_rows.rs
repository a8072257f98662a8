//! Families of Asterisk's database, read on threads of ours while the caller is
//! serviced: Asterisk holds one lock over all of its database, and over the disk.

use std::time::Duration;

use pinset::credential::table::of_credentials;
use pinset::verify::{Answer, Family, FileQuery, NoChannel, ServiceChannel};
use zeroize::Zeroizing;

use crate::asterisk::astdb::{self, MAX_WAITING};
use crate::asterisk::log::log_once;
use crate::pin_files::Checked;
use crate::work_queue::{Failed, Priority, WorkQueue};

/// Longest queue for whole families, each of which may take long.
const MAX_WAITING_FAMILIES: usize = 64;

/// Asterisk's database serves one after the other anyway.
static LOOKUPS: WorkQueue = WorkQueue::new(Priority::Normal, MAX_WAITING);
static READERS: WorkQueue = WorkQueue::new(Priority::Low, MAX_WAITING_FAMILIES);

/// Whether a family holds a key. Returns `None` if the caller has hung up.
///
/// # Errors
///
/// The database has not answered in time.
pub fn holds<H: ServiceChannel>(
    host: &mut H,
    name: &[u8],
    key: &[u8],
    timeout: Duration,
) -> Option<Result<bool, String>> {
    let (name, key) = (name.to_vec(), Zeroizing::new(key.to_vec()));
    let there = LOOKUPS.ask(host, 1, timeout, move |wanted| {
        wanted().then(|| astdb::exists(&name, &key))
    })?;
    Some(there.map_err(|failed| late(failed, timeout)))
}

/// Reads a family as it is now, in `limit` bytes of memory at most. Returns `None`
/// if the caller has hung up.
///
/// # Errors
///
/// The database has not answered in time, or nothing of the family counts.
pub fn read<H: ServiceChannel>(
    host: &mut H,
    name: &str,
    limit: u64,
    timeout: Duration,
) -> Option<Result<Family, String>> {
    let family = name.to_owned();
    let family = READERS.ask(host, 1, timeout, move |wanted| {
        wanted().then(|| read_now(family, limit))
    })?;
    Some(family.unwrap_or_else(|failed| Err(late(failed, timeout))))
}

/// Checks whether a family is, as it is now, what its PIN set needs. Waits for the
/// database for at most `timeout`.
pub fn check(name: &str, wanted: &FileQuery, limit: u64, timeout: Duration) -> Checked {
    let answer = match read(&mut NoChannel, name, limit, timeout) {
        Some(Ok(family)) => Answer::Family(Box::new(family)),
        Some(Err(why)) => Answer::Refused(why),
        None => return Checked::default(),
    };
    Checked {
        objection: wanted.objection(&answer),
        doubts: wanted.doubts(&answer),
    }
}

fn late(failed: Failed, timeout: Duration) -> String {
    failed.of("Asterisk's database", timeout)
}

fn read_now(name: String, limit: u64) -> Result<Family, String> {
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
    let rows = of_credentials(credentials, limit).map_err(|broken| broken.to_string())?;
    // Not by its key: in FreePBX's families that is a PIN.
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

/// Lets go of what waited.
pub fn clear() {
    LOOKUPS.clear();
    READERS.clear();
}
