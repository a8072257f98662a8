//! Families of Asterisk's database whose values are `account:secret`.

use std::sync::Arc;
use std::time::{Duration, Instant};

use pinset::judging::Family;
use pinset::rows::of_credentials;
use zeroize::Zeroizing;

use crate::asterisk::database;
use crate::asterisk::log::log_once;
use crate::crew::Crew;
use crate::patience::{Awaited, Patient, Promise};

/// Asterisk's database serves one after the other anyway.
static CREW: Crew = Crew::new();

/// Reads a family as it is now, in `limit` bytes of memory at most. `None`: the
/// caller is gone.
///
/// # Errors
///
/// The database has not answered in time, or nothing of the family counts.
pub fn read<H: Patient>(
    host: &mut H,
    name: &str,
    limit: u64,
    timeout: Duration,
) -> Option<Result<Family, String>> {
    let promise = Arc::new(Promise::new());
    let told = Arc::downgrade(&promise);
    let family = name.to_owned();
    let taken = CREW.take_on(1, move || {
        if let Some(promise) = told.upgrade() {
            promise.keep(read_now(family, limit));
        }
    });
    if !taken {
        return Some(Err("too many wait for the database".to_owned()));
    }
    match promise.wait_with(host, Instant::now() + timeout) {
        Awaited::There(family) => Some(family),
        Awaited::Late => Some(Err(format!(
            "the database has not answered within {} s",
            timeout.as_secs_f64()
        ))),
        Awaited::Gone => None,
    }
}

fn read_now(name: String, limit: u64) -> Result<Family, String> {
    let mut keys = Vec::new();
    let mut values: Vec<Zeroizing<Vec<u8>>> = Vec::new();
    database::each(name.as_bytes(), |key, value| {
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
            row.fault
        );
    }
    Ok(Family { rows, keys })
}

/// Lets go of what waited.
pub fn forget() {
    CREW.forget();
}
