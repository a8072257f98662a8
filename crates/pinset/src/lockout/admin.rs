//! Listing and unlocking of lockouts, for administrators.

use std::time::Duration;

use super::counter::{Count, FailureOwner};
use super::key::{Key, KeyTable};
use super::{account_key, Kind, Lockouts};

/// The target of an unlock.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Unlock<'a> {
    /// The callers with this number, as it was given or normalized, at every
    /// endpoint; or all callers at this endpoint.
    Caller(&'a str, Option<&'a str>),
    /// The account of this name.
    Account(&'a str),
    /// The budget of the PIN set of this name.
    PinSet(&'a str),
}

/// What an unlock has ended.
#[derive(Clone, Copy, PartialEq, Eq, Default, Debug)]
pub struct Unlocked {
    /// How many locks.
    pub locks: usize,
    /// Whether the value may be shown: not if all are locks of accounts that are in no
    /// list, because a caller may have entered a PIN there.
    pub is_named: bool,
}

/// After all others that end then.
const LAST: Key = [u8::MAX; 16];

/// The start of the next piece; by default, the first one.
#[derive(Clone, Copy, PartialEq, Eq, Default, Debug)]
pub struct Cursor {
    table: usize,
    end: u64,
    key: Key,
}

/// A lock that stands. They sort by PIN set, kind and name.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Debug)]
pub struct Held {
    /// In which PIN set.
    pub pin_set: String,
    /// The kind of subject that is locked.
    pub kind: Kind,
    /// What [`Unlock`] takes: the caller number, or the endpoint of a caller without
    /// one; the account; the PIN set. `None` for an account that is in no list.
    pub what: Option<String>,
    /// The endpoint, if it is a caller.
    pub endpoint: Option<String>,
    /// The end, since the Unix epoch. `None` if it lasts until it is unlocked by hand.
    pub until: Option<Duration>,
    /// How often it was locked, without 24 hours between.
    pub times: u32,
    /// Failures in its window since the lock began. Of an account locked until
    /// it is unlocked by hand, those since its last success.
    pub failures: u32,
    /// A digest that no other lock has. Not to be shown: digits that were entered
    /// for an account that is in no list could be found from it.
    pub digest: [u8; 16],
}

impl Lockouts {
    /// The locks that stand, in one PIN set or in all, sorted. It takes as long
    /// as there are locks: some 2 µs each.
    pub fn locks(&self, pin_set: Option<&str>, now: Duration) -> Vec<Held> {
        let (mut held, _) = self.locks_after(pin_set, Cursor::default(), usize::MAX, now);
        held.sort_unstable();
        held
    }

    /// The same in pieces, unsorted: looks at `most` locks, and returns where the next
    /// piece begins, or `None` after the last. Each lock that stands from the
    /// first piece to the last is in one of them.
    pub fn locks_after(
        &self,
        pin_set: Option<&str>,
        cursor: Cursor,
        most: usize,
        now: Duration,
    ) -> (Vec<Held>, Option<Cursor>) {
        let now = self.clock.would_be(now);
        let mut held = Vec::new();
        let mut left = most;
        let tables = [&self.callers, &self.accounts, &self.pin_sets];
        for (at, table) in tables.into_iter().enumerate().skip(cursor.table) {
            let mut after = (now, LAST);
            if at == cursor.table {
                after = after.max((cursor.end, cursor.key));
            }
            for ((end, key), count) in table.locked_after(after) {
                if left == 0 {
                    let (end, key) = after;
                    let table = at;
                    return (held, Some(Cursor { table, end, key }));
                }
                left -= 1;
                after = (end, key);
                if pin_set.is_none_or(|pin_set| count.pin_set == pin_set) {
                    held.push(self.held(key, count));
                }
            }
        }
        (held, None)
    }

    fn held(&self, digest: Key, count: &Count) -> Held {
        let (what, endpoint) = match &count.who {
            FailureOwner::Caller(caller) => {
                let endpoint = caller.endpoint();
                (Some(caller.number().unwrap_or(endpoint)), Some(endpoint))
            }
            FailureOwner::Account(name) => (name.as_deref(), None),
            FailureOwner::PinSet => (Some(count.pin_set.as_str()), None),
        };
        let until = self.until(count.end);
        Held {
            pin_set: count.pin_set.clone(),
            kind: count.kind(),
            what: what.map(str::to_owned),
            endpoint: endpoint.map(str::to_owned),
            until,
            times: count.times,
            failures: match until {
                Some(_) => count.failures(),
                None => count.all_consecutive(),
            },
            digest,
        }
    }

    /// Unlocks, in one PIN set or in all, and forgets what was counted there,
    /// earlier locks too. Returns how many were locked. It takes as long as
    /// there are callers or accounts: up to 2 µs each.
    pub fn unlock(&mut self, what: Unlock<'_>, pin_set: Option<&str>, now: Duration) -> usize {
        let all = self.unlock_after(what, pin_set, Cursor::default(), usize::MAX, now);
        all.0.locks
    }

    /// The same in pieces: looks at `most` callers or accounts, and returns where the
    /// next piece begins, or `None` after the last.
    pub fn unlock_after(
        &mut self,
        what: Unlock<'_>,
        pin_set: Option<&str>,
        cursor: Cursor,
        most: usize,
        now: Duration,
    ) -> (Unlocked, Option<Cursor>) {
        let now = self.now(now);
        let table = match what {
            Unlock::Caller(..) => &mut self.callers,
            Unlock::Account(_) => &mut self.accounts,
            Unlock::PinSet(_) => &mut self.pin_sets,
        };
        let (mut keys, mut next) = (Vec::new(), None);
        if let Unlock::PinSet(name) = what {
            let here = pin_set.is_none_or(|pin_set| pin_set == name);
            keys.extend(here.then(|| KeyTable::PinSets.key(&[Some(name)])));
        } else {
            let mut last = cursor.key;
            for (looked_at, (key, count)) in table.after(&cursor.key).enumerate() {
                if looked_at == most {
                    let key = last;
                    next = Some(Cursor { key, ..cursor });
                    break;
                }
                last = *key;
                let here = pin_set.is_none_or(|pin_set| count.pin_set == pin_set);
                if here && what.means(key, count) {
                    keys.push(*key);
                }
            }
        }
        let mut unlocked = Unlocked::default();
        for key in &keys {
            let is_named = table.change(key, |count| {
                let is_named = !matches!(count.who, FailureOwner::Account(None));
                count.unlock(now).then_some(is_named)
            });
            if let Some(is_named) = is_named.flatten() {
                unlocked.locks += 1;
                unlocked.is_named |= is_named;
            }
        }
        (unlocked, next)
    }
}

impl Unlock<'_> {
    /// Whether that caller or account is meant.
    fn means(self, key: &Key, count: &Count) -> bool {
        match (self, &count.who) {
            (Self::Caller(text, normalized), FailureOwner::Caller(caller)) => {
                let meant = |number: &str| Some(number) == normalized || number == text;
                caller.endpoint() == text || caller.number().is_some_and(meant)
            }
            (Self::Account(name), FailureOwner::Account(Some(own))) => own == name,
            // One that is in no list has no name.
            (Self::Account(name), FailureOwner::Account(None)) => {
                *key == account_key(&count.pin_set, name)
            }
            _ => false,
        }
    }
}
