//! Trusted callers, who have succeeded before: a rate-limited PIN set still admits them, and
//! so does a locked account that they succeeded with.

use super::bounded_table::{Retention, TableEntry};
use super::key::{Key, KeyTable};
use super::{account_key, Caller};

const DAY_MS: u64 = 24 * 60 * 60 * 1000;

/// How long a success is remembered, in milliseconds.
pub(super) const TRUST_MEMORY_MS: u64 = 30 * DAY_MS;

/// A caller's last success in a PIN set, or with one of its accounts.
#[derive(Clone, Debug)]
pub(super) struct Trust {
    pub pin_set: String,
    pub caller: Caller,
    /// The account; `None` if the success counts for the PIN set.
    pub account: Option<String>,
    /// Its time, or `None` once it has expired.
    pub success: Option<u64>,
    /// The success that is stored, or is to be. It is stored again after a day, so that
    /// not each call has to be written.
    pub stored: u64,
    version: u32,
}

impl Trust {
    /// Creates the trust of a caller whose success was at that time.
    pub(super) fn new(pin_set: &str, caller: &Caller, account: Option<&str>, success: u64) -> Self {
        Self {
            pin_set: pin_set.to_owned(),
            caller: caller.clone(),
            account: account.map(str::to_owned),
            success: Some(success),
            stored: success,
            version: 0,
        }
    }

    /// The table that holds such a success, and its key there.
    pub(super) fn key(pin_set: &str, caller: &Caller, account: Option<&str>) -> (KeyTable, Key) {
        let (number, endpoint) = (caller.number(), Some(caller.endpoint()));
        match account {
            None => {
                let key = KeyTable::Trusted.key(&[Some(pin_set), number, endpoint]);
                (KeyTable::Trusted, key)
            }
            Some(_) => {
                let parts = [Some(pin_set), number, endpoint, account];
                let table = KeyTable::TrustedForAccount;
                (table, table.key(&parts))
            }
        }
    }

    /// Whether the success counts yet.
    pub(super) fn holds(&self, now: u64) -> bool {
        self.success
            .is_some_and(|success| now < success + TRUST_MEMORY_MS)
    }

    /// Success once more.
    pub(super) fn renew(&mut self, now: u64) {
        self.success = Some(now);
        if now.saturating_sub(self.stored) > DAY_MS {
            self.stored = now;
            self.version = self.version.wrapping_add(1);
        }
    }
}

impl TableEntry for Trust {
    fn see(&mut self, now: u64) {
        if !self.holds(now) {
            self.success = None;
        }
    }

    fn retention(&self) -> Retention {
        self.success.map_or(Retention::Expired, |success| {
            Retention::Until(success + TRUST_MEMORY_MS)
        })
    }

    fn version(&self) -> u32 {
        self.version
    }

    /// The trusted callers of one account: many numbers with its PIN can't take the room
    /// of other accounts.
    fn group(&self) -> Option<Key> {
        let account = self.account.as_deref()?;
        Some(account_key(&self.pin_set, account))
    }
}
