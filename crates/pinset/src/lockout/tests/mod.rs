use super::*;

mod accounts;
mod attack;
mod crowds;
mod limits;
mod model;
mod operating;
mod owed;
mod parts;
mod pieces;
mod reserve;
mod rows;
mod trusted;

const SECOND: Duration = Duration::from_secs(1);
const MINUTE: Duration = Duration::from_secs(60);
const HOUR: Duration = Duration::from_secs(60 * 60);
const DAY: Duration = Duration::from_secs(24 * 60 * 60);
const TICK: Duration = Duration::from_millis(1);

/// More than any limit of these tests.
const MANY_TRIES: u32 = 10_000;

/// A day in 2026.
const START: Duration = Duration::from_secs(1_795_000_000);

const SET: &str = "customers";

const NONE: Limits = Limits {
    caller: None,
    account: None,
    pin_set: None,
};

fn limit(failures: u32, window: Duration, lock: Duration) -> Option<Lockout> {
    Some(Lockout {
        failures,
        window,
        lock,
    })
}

/// Those of the configuration.
fn defaults() -> Limits {
    Limits::from(&crate::config::PinSet::default())
}

fn by_caller(failures: u32) -> Limits {
    let caller = limit(failures, 15 * MINUTE, 30 * MINUTE);
    Limits { caller, ..NONE }
}

fn by_pin_set(failures: u32) -> Limits {
    let pin_set = limit(failures, HOUR, 15 * MINUTE);
    Limits { pin_set, ..NONE }
}

fn by_account(failures: u32) -> Limits {
    let account = limit(failures, HOUR, HOUR);
    Limits { account, ..NONE }
}

fn from(number: impl ToString) -> Caller {
    Caller::new(Some(number.to_string().as_bytes()), "PJSIP/trunk-0000001a")
}

fn account(name: &str) -> Account<'_> {
    Account {
        name: name.as_bytes(),
        known: true,
    }
}

fn stranger(name: &str) -> Account<'_> {
    Account {
        name: name.as_bytes(),
        known: false,
    }
}

impl<E: bounded_table::TableEntry> BoundedTable<E> {
    fn iter(&self) -> impl Iterator<Item = (&Key, &E)> {
        self.after(&Key::default())
    }
}

/// A PBX: its lockouts, and what time it is.
struct Pbx {
    lockouts: Lockouts,
    now: Duration,
    limits: Limits,
}

impl Pbx {
    fn with(limits: Limits) -> Self {
        let capacity = Capacity {
            callers: 1000,
            accounts: 1000,
            trusted: 1000,
            pin_sets: 100,
        };
        Self::sized(limits, capacity)
    }

    fn sized(limits: Limits, capacity: Capacity) -> Self {
        Self {
            lockouts: Lockouts::new(capacity),
            now: START,
            limits,
        }
    }

    fn subject<'a>(&self, caller: &'a Caller) -> Subject<'a> {
        Subject {
            pin_set: SET,
            limits: self.limits,
            caller,
        }
    }

    fn look(&mut self, caller: &Caller) -> Standing {
        self.lockouts.look(&self.subject(caller), self.now)
    }

    fn charge(&mut self, caller: &Caller) -> Result<Charge, ChargeError> {
        self.lockouts.charge(&self.subject(caller), 0, self.now)
    }

    fn settle(&mut self, charge: Charge, result: AttemptResult<'_>) -> Option<Lock> {
        self.lockouts.settle(charge, result, self.now)
    }

    /// An entry of its own call.
    fn entry(
        &mut self,
        caller: &Caller,
        result: AttemptResult<'_>,
    ) -> Result<Option<Lock>, ChargeError> {
        let charge = self.charge(caller)?;
        Ok(self.settle(charge, result))
    }

    /// An entry that is verified for an account, and admits with it if it is right.
    fn entry_for(
        &mut self,
        caller: &Caller,
        account: Account<'_>,
        result: AttemptResult<'_>,
    ) -> Result<Option<Lock>, ChargeError> {
        let result = match result {
            AttemptResult::Right(_) => AttemptResult::Right(Some(account.name)),
            other => other,
        };
        let mut charge = self.charge(caller)?;
        let charged = self.lockouts.charge_account(&mut charge, account, self.now);
        let result = charged.map_or(AttemptResult::Void, |()| result);
        let lock = self.settle(charge, result);
        charged.map(|()| lock)
    }

    fn wrong(&mut self, caller: &Caller) -> Option<Lock> {
        self.entry(caller, AttemptResult::Wrong).unwrap()
    }

    fn wrong_for(&mut self, name: &str) -> Option<Lock> {
        self.entry_for(&from(1), account(name), AttemptResult::Wrong)
            .unwrap()
    }

    /// The lock of `kind` that begins now, for so long.
    fn lock(&self, kind: Kind, long: Duration) -> Lock {
        Lock {
            kind,
            until: Some(self.now + long),
        }
    }

    /// As many as it takes until one locks.
    fn until_locked(&mut self, caller: &Caller) -> (u32, Lock) {
        for tries in 1..=MANY_TRIES {
            if let Some(lock) = self.wrong(caller) {
                return (tries, lock);
            }
        }
        panic!("no lock after {MANY_TRIES} wrong entries")
    }

    fn locks(&self) -> Vec<Held> {
        self.lockouts.locks(None, self.now)
    }

    /// What a database has when all is written: then started again from it.
    fn restart(&mut self, capacity: Capacity) -> usize {
        let changes = self.lockouts.take_changes(usize::MAX);
        self.lockouts = Lockouts::new(capacity);
        let rows = changes.iter().filter_map(|change| {
            let value = change.value.as_deref()?;
            Some((&change.key, value))
        });
        rows.map(|(key, value)| self.lockouts.restore(key, value, self.now))
            .filter(std::result::Result::is_ok)
            .count()
    }
}
