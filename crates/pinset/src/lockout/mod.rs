//! Lockouts of callers, PIN sets and accounts after wrong entries. No Asterisk, no input
//! or output, no clock: the caller of each function passes the time.
//!
//! A call asks [`Lockouts::look`] before its first prompt, [`Lockouts::charge`] before an
//! attempt is verified, [`Lockouts::charge_account`] before it is verified for an account,
//! and then reports the result with [`Lockouts::settle`]. Until then the attempt counts as
//! wrong, so concurrent attempts can never exceed the limit.
//!
//! The tables are bounded ([`Capacity`]). Locked keys are never evicted; of the others,
//! those that would expire first are.

use std::time::Duration;

use thiserror::Error;

use crate::config::Lockout;
use bounded_table::BoundedTable;
use counter::{Count, CounterError, FailureOwner, UNTIL_UNLOCKED};
use key::{Key, KeyTable};
use monotonic_clock::Clock;
use trust::Trust;

mod admin;
mod bounded_table;
mod charge;
mod counter;
mod failure_times;
mod key;
mod monotonic_clock;
mod owed;
mod persist;
pub mod stored;
pub mod stored_admin;
mod subject;
mod trust;

pub use admin::{Cursor, Held, Unlock, Unlocked};
pub use charge::Charge;
pub use persist::{Change, StoredRowError};
pub use subject::{endpoint, Account, Caller, Limits, Subject};

/// The largest number of keys, in memory and in the database.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Capacity {
    /// Callers with failures.
    pub callers: usize,
    /// Accounts with failures. Those that are in no list take half of them at
    /// most.
    pub accounts: usize,
    /// Callers who have succeeded in a PIN set in the last 30 days; and as many
    /// who have with an account, a hundredth of them for one account.
    pub trusted: usize,
    /// PIN sets with failures.
    pub pin_sets: usize,
}

impl Capacity {
    /// As much as the module takes.
    pub const DEFAULT: Self = Self {
        callers: 100_000,
        accounts: 100_000,
        trusted: 100_000,
        pin_sets: 10_000,
    };
}

/// The kind of subject that is locked.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug)]
pub enum Kind {
    /// A caller.
    Caller,
    /// A PIN set: it is over its budget.
    PinSet,
    /// An account.
    Account,
}

impl Kind {
    /// All there are.
    pub const ALL: [Self; 3] = [Self::Caller, Self::Account, Self::PinSet];

    /// Returns its name in commands and events.
    pub fn word(self) -> &'static str {
        match self {
            Self::Caller => "caller",
            Self::PinSet => "pinset",
            Self::Account => "account",
        }
    }
}

/// A lock.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Lock {
    /// The kind of subject that is locked.
    pub kind: Kind,
    /// The end, since the Unix epoch, to the millisecond. `None` if it lasts until it
    /// is unlocked by hand.
    pub until: Option<Duration>,
}

/// The standing of a caller.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Standing {
    /// Make entries.
    Open,
    /// Make one entry: the PIN set is over its budget, but this caller has
    /// succeeded there.
    OneTry,
    /// Nothing.
    Locked(Lock),
    /// Nothing: the database with the lockouts has not answered.
    Unknown,
}

/// Why an attempt can't be charged, so that its digits must not be verified.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Error)]
pub enum ChargeError {
    /// There is a lock.
    #[error("locked out")]
    Locked(Lock),
    /// The limit is reached if all attempts in flight fail. Once they are settled,
    /// the attempt can be charged again.
    #[error("attempts in flight use up the limit")]
    Busy,
}

/// The result of an entry.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum AttemptResult<'a> {
    /// It admits, with this account; `None` if the list has no accounts.
    Right(Option<&'a [u8]>),
    /// It does not.
    Wrong,
    /// It does not count: the PIN was right but outside its dates or uses,
    /// there was no list, or the caller has hung up.
    Void,
}

/// All counts and locks.
pub struct Lockouts {
    clock: Clock,
    callers: BoundedTable<Count>,
    accounts: BoundedTable<Count>,
    pin_sets: BoundedTable<Count>,
    trusted: BoundedTable<Trust>,
    trusted_for_account: BoundedTable<Trust>,
}

impl Lockouts {
    /// With nothing counted.
    pub const fn new(capacity: Capacity) -> Self {
        let of_account = match capacity.trusted / 100 {
            0 => 1,
            of_account => of_account,
        };
        Self {
            clock: Clock::new(),
            callers: BoundedTable::new(capacity.callers, capacity.callers),
            accounts: BoundedTable::new(capacity.accounts, capacity.accounts / 2),
            pin_sets: BoundedTable::new(capacity.pin_sets, capacity.pin_sets),
            trusted: BoundedTable::new(capacity.trusted, capacity.trusted),
            trusted_for_account: BoundedTable::new(capacity.trusted, of_account),
        }
    }

    /// What a caller may do, before the first prompt. `now` is, here and
    /// below, the time since the Unix epoch.
    pub fn look(&mut self, who: &Subject<'_>, now: Duration) -> Standing {
        let now = self.now(now);
        match self.standing(who, &Keys::of(who), now) {
            (_, Err(ChargeError::Locked(lock))) => Standing::Locked(lock),
            (Some(_), _) => Standing::OneTry,
            (None, _) => Standing::Open,
        }
    }

    /// Charges an entry to the caller and the PIN set, before it is verified;
    /// `tries` entries of this call were charged before.
    ///
    /// # Errors
    ///
    /// It is not to be verified; nothing has been charged.
    pub fn charge(
        &mut self,
        who: &Subject<'_>,
        tries: u32,
        now: Duration,
    ) -> Result<Charge, ChargeError> {
        let now = self.now(now);
        let keys = Keys::of(who);
        let (budget, room) = self.standing(who, &keys, now);
        room?;
        if let Some(lock) = budget.filter(|_| tries > 0) {
            return Err(ChargeError::Locked(lock));
        }
        Ok(self.put_in_flight(who, keys, budget.is_some(), tries, now))
    }

    /// Charges an entry to the caller and the PIN set, whatever the limits say.
    fn put_in_flight(
        &mut self,
        who: &Subject<'_>,
        keys: Keys,
        over_budget: bool,
        tries: u32,
        now: u64,
    ) -> Charge {
        let caller = || Count::new(who.pin_set, FailureOwner::Caller(who.caller.clone()));
        let by_caller =
            who.limits.caller.is_some() && fly(&mut self.callers, &keys.caller, caller, now);
        let pin_set = || Count::new(who.pin_set, FailureOwner::PinSet);
        let by_pin_set = if over_budget {
            let fly = |count: &mut Count| count.fly_on_reserve(now);
            self.pin_sets.change(&keys.pin_set, fly).is_some()
        } else {
            who.limits.pin_set.is_some() && fly(&mut self.pin_sets, &keys.pin_set, pin_set, now)
        };
        Charge {
            pin_set: who.pin_set.to_owned(),
            caller: who.caller.clone(),
            limits: who.limits,
            tries,
            by_caller: by_caller.then_some(keys.caller),
            by_pin_set: by_pin_set.then_some(keys.pin_set),
            over_budget,
            by_accounts: Vec::new(),
        }
    }

    /// What the clock has it be, once what is over by then has gone.
    fn now(&mut self, now: Duration) -> u64 {
        let now = self.clock.at(now);
        self.callers.tend(now);
        self.accounts.tend(now);
        self.pin_sets.tend(now);
        self.trusted.tend(now);
        self.trusted_for_account.tend(now);
        now
    }

    /// The PIN set's lock if it is over its budget, and whether there is room
    /// for an entry.
    fn standing(
        &mut self,
        who: &Subject<'_>,
        keys: &Keys,
        now: u64,
    ) -> (Option<Lock>, Result<(), ChargeError>) {
        let full = |table: &mut BoundedTable<Count>, key, limit: Option<Lockout>| {
            let limit = limit?;
            table.change(key, |count| count.full(&limit, now)).flatten()
        };
        let caller = full(&mut self.callers, &keys.caller, who.limits.caller);
        let mut pin_set = full(&mut self.pin_sets, &keys.pin_set, who.limits.pin_set);
        let budget = match pin_set {
            Some(CounterError::Locked(end)) => Some(self.lock(Kind::PinSet, end)),
            _ => None,
        };
        if budget.is_some() && self.trusts(who, now) {
            let count = self.pin_sets.get(&keys.pin_set).zip(who.limits.pin_set);
            pin_set = count.and_then(|(count, limit)| count.reserve_full(&limit));
        }
        let room = match (caller, pin_set) {
            (Some(locked @ CounterError::Locked(_)), _) => Err(self.refused(Kind::Caller, locked)),
            (_, Some(full)) => Err(self.refused(Kind::PinSet, full)),
            (Some(full), None) => Err(self.refused(Kind::Caller, full)),
            (None, None) => Ok(()),
        };
        (budget, room)
    }

    /// Whether the caller has succeeded in the PIN set.
    fn trusts(&self, who: &Subject<'_>, now: u64) -> bool {
        let (_, key) = Trust::key(who.pin_set, who.caller, None);
        self.trusted.get(&key).is_some_and(|trust| trust.holds(now))
    }

    fn trusted(&mut self, table: KeyTable) -> &mut BoundedTable<Trust> {
        match table {
            KeyTable::TrustedForAccount => &mut self.trusted_for_account,
            _ => &mut self.trusted,
        }
    }

    fn refused(&self, kind: Kind, full: CounterError) -> ChargeError {
        match full {
            CounterError::Locked(end) => ChargeError::Locked(self.lock(kind, end)),
            CounterError::InFlight => ChargeError::Busy,
        }
    }

    fn lock(&self, kind: Kind, end: u64) -> Lock {
        let until = self.until(end);
        Lock { kind, until }
    }

    fn until(&self, end: u64) -> Option<Duration> {
        (end != UNTIL_UNLOCKED).then(|| Duration::from_millis(self.clock.says(end)))
    }
}

impl Default for Lockouts {
    fn default() -> Self {
        Self::new(Capacity::DEFAULT)
    }
}

struct Keys {
    caller: Key,
    pin_set: Key,
}

impl Keys {
    fn of(who: &Subject<'_>) -> Self {
        Self {
            caller: caller_key(who.pin_set, who.caller),
            pin_set: KeyTable::PinSets.key(&[Some(who.pin_set)]),
        }
    }
}

fn caller_key(pin_set: &str, caller: &Caller) -> Key {
    KeyTable::Callers.key(&[Some(pin_set), caller.number(), Some(caller.endpoint())])
}

fn account_key(pin_set: &str, name: &str) -> Key {
    KeyTable::Accounts.key(&[Some(pin_set), Some(name)])
}

/// One more entry in flight, if there is room to count it.
fn fly(table: &mut BoundedTable<Count>, key: &Key, new: impl FnOnce() -> Count, now: u64) -> bool {
    let flown = table.change(key, |count| count.fly(now));
    flown.is_some() || {
        let mut count = new();
        count.fly(now);
        table.insert(*key, count)
    }
}

#[cfg(test)]
mod tests;
