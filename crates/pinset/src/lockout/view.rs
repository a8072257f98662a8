//! What is locked, for those who run the PBX, and unlocking it.

use std::collections::BTreeSet;
use std::time::Duration;

use super::count::{Count, Who};
use super::key::Table;
use super::{Kind, Lockouts};

/// What is to be unlocked.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Unlock<'a> {
    /// The callers with this number, as it was given or normalized, wherever
    /// they come in; or all who come in at this endpoint.
    Caller(&'a str, Option<&'a str>),
    /// The account of this name.
    Account(&'a str),
    /// The budget of the PIN set of this name.
    PinSet(&'a str),
}

/// A lock that stands. They sort by PIN set, kind and name.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Debug)]
pub struct Held {
    /// In which PIN set.
    pub pin_set: String,
    /// What is locked.
    pub kind: Kind,
    /// The caller's number, or the endpoint of one without; the account; the
    /// PIN set: what [`Unlock`] takes. `None`: an account that is in no list.
    pub what: Option<String>,
    /// Of a caller, the endpoint.
    pub endpoint: Option<String>,
    /// Since the Unix epoch; `None`: until it is unlocked by hand.
    pub until: Option<Duration>,
    /// How often it was locked, without 24 hours between.
    pub times: u32,
    /// Failures in its window since the lock began. Of an account locked until
    /// it is unlocked by hand, those since its last success.
    pub failures: u32,
}

impl Lockouts {
    /// The locks that stand, in one PIN set or in all, sorted.
    pub fn locks(&self, pin_set: Option<&str>, now: Duration) -> Vec<Held> {
        let now = self.clock.would_be(now);
        let tables = [&self.callers, &self.accounts, &self.pin_sets];
        let locked = tables.into_iter().flat_map(|table| table.locked(now));
        let mut held: Vec<_> = locked
            .filter(|count| pin_set.is_none_or(|pin_set| count.pin_set == pin_set))
            .map(|count| self.held(count))
            .collect();
        held.sort_unstable();
        held
    }

    fn held(&self, count: &Count) -> Held {
        let (what, endpoint) = match &count.who {
            Who::Caller(caller) => {
                let endpoint = caller.endpoint();
                (Some(caller.number().unwrap_or(endpoint)), Some(endpoint))
            }
            Who::Account(name) => (name.as_deref(), None),
            Who::PinSet => (Some(count.pin_set.as_str()), None),
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
                Some(_) => count.cells.count(),
                None => count.consecutive,
            },
        }
    }

    /// Unlocks, in one PIN set or in all, and forgets what was counted there,
    /// earlier locks too. Returns how many were locked.
    pub fn unlock(&mut self, what: Unlock<'_>, pin_set: Option<&str>, now: Duration) -> usize {
        let now = self.now(now);
        let here = |count: &&Count| pin_set.is_none_or(|pin_set| count.pin_set == pin_set);
        let keys: Vec<_> = match what {
            Unlock::Caller(text, normalized) => {
                let meant = |number: &str| Some(number) == normalized || number == text;
                let meant = |count: &Count| match &count.who {
                    Who::Caller(caller) => {
                        caller.endpoint() == text || caller.number().is_some_and(meant)
                    }
                    _ => false,
                };
                let callers = self.callers.iter();
                let meant = callers.filter(|(_, count)| here(count) && meant(count));
                meant.map(|(key, _)| *key).collect()
            }
            // By its key: one that is in no list has no name.
            Unlock::Account(name) => {
                let accounts = self.accounts.iter().map(|(_, count)| count).filter(here);
                let pin_sets: BTreeSet<_> = accounts.map(|count| count.pin_set.as_str()).collect();
                let key = |pin_set| Table::Accounts.key(&[Some(pin_set), Some(name)]);
                pin_sets.into_iter().map(key).collect()
            }
            Unlock::PinSet(name) => {
                let here = pin_set.is_none_or(|pin_set| pin_set == name);
                here.then(|| Table::PinSets.key(&[Some(name)]))
                    .into_iter()
                    .collect()
            }
        };
        let table = match what {
            Unlock::Caller(..) => &mut self.callers,
            Unlock::Account(_) => &mut self.accounts,
            Unlock::PinSet(_) => &mut self.pin_sets,
        };
        let unlock = |key| table.change(key, |count| count.unlock(now));
        keys.iter()
            .filter_map(unlock)
            .filter(|locked| *locked)
            .count()
    }
}
