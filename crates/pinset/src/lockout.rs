//! Who may make an entry, and who is locked out for making wrong ones: by
//! caller, by PIN set and by account. No Asterisk, no input or output, no
//! clock: whoever asks says what time it is.
//!
//! A call asks [`Lockouts::look`] before its first prompt,
//! [`Lockouts::charge`] before an entry is judged, [`Lockouts::charge_account`]
//! before it is judged for an account, and then says with
//! [`Lockouts::settle`] what has come of it. Until then an entry counts as
//! wrong: as many as come at once, no more of them are judged than a limit
//! allows.
//!
//! So much of a key is kept as is needed to answer, for so long, and for so
//! many keys ([`Capacity`]): what is locked stays; of the rest, what would be
//! forgotten first makes room.

use std::cmp::Reverse;
use std::time::Duration;

use crate::settings::Lockout;
use clock::Clock;
use count::{Count, Full, Who, BY_HAND};
use key::{Key, Table};
use table::Held as Holding;
use trust::Trust;

mod cells;
mod clock;
mod count;
mod key;
mod owed;
mod stored;
mod subject;
mod table;
mod trust;
mod view;

pub use stored::{Broken, Change};
pub use subject::{endpoint, Account, Caller, Limits, Subject};
pub use view::{Cursor, Held, Unlock};

/// How many keys are held at most, in memory and in the database.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Capacity {
    /// Callers with failures.
    pub callers: usize,
    /// Accounts with failures.
    pub accounts: usize,
    /// Callers who have succeeded in the last 30 days.
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

/// What is locked.
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

    /// As commands and events name it.
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
    /// What is locked.
    pub kind: Kind,
    /// Since the Unix epoch, to the millisecond. `None`: until it is unlocked
    /// by hand.
    pub until: Option<Duration>,
}

/// What a caller may do.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Standing {
    /// Make entries.
    Open,
    /// Make one entry: the PIN set is over its budget, but this caller has
    /// succeeded there.
    OneTry,
    /// Nothing.
    Locked(Lock),
}

/// Why an entry is not to be judged.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Refused {
    /// There is a lock.
    Locked(Lock),
    /// Others in flight would fill the limit if they were wrong. Once they are
    /// settled, the answer is another one.
    Busy,
}

/// What has come of an entry.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Judged {
    /// It admits.
    Right,
    /// It does not.
    Wrong,
    /// It does not count: the PIN was right but outside its dates or uses,
    /// there was no list, the caller has gone.
    Void,
}

/// An entry that is being judged. It counts as wrong until it is settled, so it
/// has to be, whatever becomes of the call.
#[must_use = "it counts as wrong until it is settled"]
#[derive(Debug)]
pub struct Charge {
    pin_set: String,
    caller: Caller,
    limits: Limits,
    /// Where it was charged; `None`: nothing is counted there, or there is no
    /// room.
    by_caller: Option<Key>,
    by_pin_set: Option<Key>,
    /// There it counts among those of trusted callers while it is locked.
    over_budget: bool,
    by_accounts: Vec<Key>,
}

impl Charge {
    /// Whether the PIN set is over its budget, and the entry that of a caller
    /// who has succeeded there.
    pub fn is_over_budget(&self) -> bool {
        self.over_budget
    }
}

/// All counts and locks.
pub struct Lockouts {
    clock: Clock,
    callers: Holding<Count>,
    accounts: Holding<Count>,
    pin_sets: Holding<Count>,
    trusted: Holding<Trust>,
}

impl Lockouts {
    /// With nothing counted.
    pub const fn new(capacity: Capacity) -> Self {
        Self {
            clock: Clock::new(),
            callers: Holding::new(capacity.callers),
            accounts: Holding::new(capacity.accounts),
            pin_sets: Holding::new(capacity.pin_sets),
            trusted: Holding::new(capacity.trusted),
        }
    }

    /// What a caller may do, before the first prompt. `now` is, here and
    /// below, the time since the Unix epoch.
    pub fn look(&mut self, who: &Subject<'_>, now: Duration) -> Standing {
        let now = self.now(now);
        match self.standing(who, &Keys::of(who), now) {
            (_, Err(Refused::Locked(lock))) => Standing::Locked(lock),
            (Some(_), _) => Standing::OneTry,
            (None, _) => Standing::Open,
        }
    }

    /// Charges an entry to the caller and the PIN set, before it is judged;
    /// `tries` entries of this call were charged before.
    ///
    /// # Errors
    ///
    /// It is not to be judged; nothing has been charged.
    pub fn charge(
        &mut self,
        who: &Subject<'_>,
        tries: u32,
        now: Duration,
    ) -> Result<Charge, Refused> {
        let now = self.now(now);
        let keys = Keys::of(who);
        let (budget, room) = self.standing(who, &keys, now);
        room?;
        if let Some(lock) = budget.filter(|_| tries > 0) {
            return Err(Refused::Locked(lock));
        }
        Ok(self.put_in_flight(who, keys, budget.is_some(), now))
    }

    /// Charges the entry to an account as well, before it is judged for it. A
    /// number may belong to several; each is charged once.
    ///
    /// # Errors
    ///
    /// It is not to be judged for this account. The charge as a whole is still
    /// to be settled.
    pub fn charge_account(
        &mut self,
        charge: &mut Charge,
        account: Account<'_>,
        now: Duration,
    ) -> Result<(), Refused> {
        let now = self.now(now);
        let Some(limit) = charge.limits.account else {
            return Ok(());
        };
        let name = String::from_utf8_lossy(account.name);
        let key = Table::Accounts.key(&[Some(&charge.pin_set), Some(&name)]);
        if charge.by_accounts.contains(&key) {
            return Ok(());
        }
        let known = account.known.then(|| name.into_owned());
        let full = self.accounts.change(&key, |count| {
            count.known_as(known.as_deref());
            count.full(&limit, now)
        });
        if let Some(full) = full.flatten() {
            return Err(self.refused(Kind::Account, full));
        }
        let new = || Count::new(&charge.pin_set, Who::Account(known));
        if fly(&mut self.accounts, &key, new, now) {
            charge.by_accounts.push(key);
        }
        Ok(())
    }

    /// Says what has come of an entry. Returns the longest of the locks that
    /// begin with it, if any do, or from now on hold for trusted callers as
    /// well: the call it was made in is locked out.
    pub fn settle(&mut self, charge: Charge, result: Judged, now: Duration) -> Option<Lock> {
        let now = self.now(now);
        let limits = charge.limits;
        let mut locks = Vec::new();
        let mut settle = |kind, table: &mut Holding<Count>, key: &Key, limit: Option<Lockout>| {
            let on_reserve = kind == Kind::PinSet && charge.over_budget;
            let lock = table.change(key, |count| match (result, limit) {
                (Judged::Wrong, Some(limit)) if on_reserve => count.wrong_on_reserve(&limit, now),
                _ if on_reserve => count.refund_reserve(now),
                (Judged::Wrong, Some(limit)) => count.wrong(&limit, now),
                (Judged::Right, _) if kind == Kind::Account => count.right(now),
                _ => count.refund(now),
            });
            locks.extend(lock.flatten().map(|end| (end, kind)));
        };
        if let Some(key) = charge.by_caller {
            settle(Kind::Caller, &mut self.callers, &key, limits.caller);
        }
        if let Some(key) = charge.by_pin_set {
            settle(Kind::PinSet, &mut self.pin_sets, &key, limits.pin_set);
        }
        for key in &charge.by_accounts {
            settle(Kind::Account, &mut self.accounts, key, limits.account);
        }
        if result == Judged::Right && limits.pin_set.is_some() {
            self.trust(&charge.pin_set, &charge.caller, now);
        }
        let (end, kind) = locks
            .into_iter()
            .max_by_key(|(end, kind)| (*end, Reverse(*kind)))?;
        Some(self.lock(kind, end))
    }

    /// Charges an entry to the caller and the PIN set, whatever the limits say.
    fn put_in_flight(
        &mut self,
        who: &Subject<'_>,
        keys: Keys,
        over_budget: bool,
        now: u64,
    ) -> Charge {
        let caller = || Count::new(who.pin_set, Who::Caller(who.caller.clone()));
        let by_caller =
            who.limits.caller.is_some() && fly(&mut self.callers, &keys.caller, caller, now);
        let pin_set = || Count::new(who.pin_set, Who::PinSet);
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
        now
    }

    /// The PIN set's lock if it is over its budget, and whether there is room
    /// for an entry.
    fn standing(
        &mut self,
        who: &Subject<'_>,
        keys: &Keys,
        now: u64,
    ) -> (Option<Lock>, Result<(), Refused>) {
        let full = |table: &mut Holding<Count>, key, limit: Option<Lockout>| {
            let limit = limit?;
            table.change(key, |count| count.full(&limit, now)).flatten()
        };
        let caller = full(&mut self.callers, &keys.caller, who.limits.caller);
        let mut pin_set = full(&mut self.pin_sets, &keys.pin_set, who.limits.pin_set);
        let budget = match pin_set {
            Some(Full::Locked(end)) => Some(self.lock(Kind::PinSet, end)),
            _ => None,
        };
        if budget.is_some() && self.trusts(who, now) {
            let count = self.pin_sets.get(&keys.pin_set).zip(who.limits.pin_set);
            pin_set = count.and_then(|(count, limit)| count.reserve_full(&limit));
        }
        let room = match (caller, pin_set) {
            (Some(locked @ Full::Locked(_)), _) => Err(self.refused(Kind::Caller, locked)),
            (_, Some(full)) => Err(self.refused(Kind::PinSet, full)),
            (Some(full), None) => Err(self.refused(Kind::Caller, full)),
            (None, None) => Ok(()),
        };
        (budget, room)
    }

    fn trusts(&self, who: &Subject<'_>, now: u64) -> bool {
        let key = caller_key(Table::Trusted, who.pin_set, who.caller);
        self.trusted.get(&key).is_some_and(|trust| trust.holds(now))
    }

    fn trust(&mut self, pin_set: &str, caller: &Caller, now: u64) {
        let key = caller_key(Table::Trusted, pin_set, caller);
        if self
            .trusted
            .change(&key, |trust| trust.renew(now))
            .is_none()
        {
            self.trusted.insert(key, Trust::new(pin_set, caller, now));
        }
    }

    fn refused(&self, kind: Kind, full: Full) -> Refused {
        match full {
            Full::Locked(end) => Refused::Locked(self.lock(kind, end)),
            Full::InFlight => Refused::Busy,
        }
    }

    fn lock(&self, kind: Kind, end: u64) -> Lock {
        let until = self.until(end);
        Lock { kind, until }
    }

    fn until(&self, end: u64) -> Option<Duration> {
        (end != BY_HAND).then(|| Duration::from_millis(self.clock.says(end)))
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
            caller: caller_key(Table::Callers, who.pin_set, who.caller),
            pin_set: Table::PinSets.key(&[Some(who.pin_set)]),
        }
    }
}

fn caller_key(table: Table, pin_set: &str, caller: &Caller) -> Key {
    table.key(&[Some(pin_set), caller.number(), Some(caller.endpoint())])
}

/// One more entry in flight, if there is room to count it.
fn fly(table: &mut Holding<Count>, key: &Key, new: impl FnOnce() -> Count, now: u64) -> bool {
    let flown = table.change(key, |count| count.fly(now));
    flown.is_some() || {
        let mut count = new();
        count.fly(now);
        table.insert(*key, count)
    }
}

#[cfg(test)]
mod tests;
