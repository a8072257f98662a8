//! A simple reference model of the same rules: it keeps all that ever happened, and
//! searches all of it for each answer. Calls that interleave, unlocking and restarts
//! must get the same answers from both.

use std::collections::BTreeMap;

use super::*;

mod together;

const SETS: [&str; 2] = ["one", "two"];
const ACCOUNTS: [&str; 3] = ["alice", "bob", "stranger"];

fn limits() -> Limits {
    Limits {
        caller: limit(3, MINUTE, 2 * MINUTE),
        account: limit(4, 10 * MINUTE, 5 * MINUTE),
        pin_set: limit(6, 5 * MINUTE, MINUTE),
    }
}

fn callers() -> [Caller; 3] {
    [from(1), from(2), Caller::new(None, "PJSIP/trunk-1")]
}

fn is_known(name: &str) -> bool {
    name != "stranger"
}

fn budget(set: &'static str) -> Key {
    (Kind::PinSet, set, String::new())
}

fn reserve(set: &'static str) -> Key {
    (Kind::PinSet, set, "reserve".to_owned())
}

/// The attempts of trusted callers in flight during the lock of an account.
fn account_reserve(key: &Key) -> Key {
    (key.0, key.1, format!("{} on reserve", key.2))
}

/// A counter: kind, PIN set, name.
type Key = (Kind, &'static str, String);

#[derive(Clone, Debug)]
enum What {
    /// `trusted`: of a caller an account trusts.
    Wrong {
        trusted: bool,
    },
    /// An account's success.
    Right {
        trusted: bool,
    },
    Locked {
        end: Option<Duration>,
    },
    Unlocked,
    /// A trusted caller's wrong entry for an account.
    WrongOnReserve,
    /// A trusted caller's success with one.
    RightOnReserve,
    /// The lock that stands does not end by itself any more.
    NowByHand,
}

#[derive(Default)]
struct Model {
    events: Vec<(Duration, Key, What)>,
    /// PIN set, caller, when; and when as it is stored.
    successes: BTreeMap<(&'static str, usize), (Duration, Duration)>,
    /// The same with an account.
    account_successes: BTreeMap<(&'static str, usize, String), (Duration, Duration)>,
    in_flight: Vec<Vec<Key>>,
}

impl Model {
    fn of<'a>(&'a self, key: &'a Key) -> impl DoubleEndedIterator<Item = (Duration, &'a What)> {
        let events = self.events.iter().filter(move |(_, whose, _)| whose == key);
        events.map(|(at, _, what)| (*at, what))
    }

    /// The events of the key since it last started over.
    fn since<'a>(
        &'a self,
        key: &'a Key,
        over: impl Fn(&What) -> bool,
    ) -> Vec<(Duration, &'a What)> {
        let mut events: Vec<_> = self
            .of(key)
            .rev()
            .take_while(|(_, what)| !over(what))
            .collect();
        events.reverse();
        events
    }

    fn lock(&self, key: &Key, now: Duration) -> Option<Lock> {
        let events = self.since(key, |what| matches!(what, What::Unlocked));
        let until = events.iter().rev().find_map(|(_, what)| match what {
            What::Locked { end } => Some(*end),
            What::NowByHand => Some(None),
            _ => None,
        })?;
        let lock = Lock { kind: key.0, until };
        until.is_none_or(|until| until > now).then_some(lock)
    }

    fn failures(&self, key: &Key, limit: &Lockout, now: Duration) -> u32 {
        let over = |what: &What| {
            matches!(
                what,
                What::Right { trusted: false } | What::Locked { .. } | What::Unlocked
            )
        };
        let [others, trusted] = self.by_class(self.since(key, over));
        let all = others.into_iter().chain(trusted);
        let wrong = all.filter(|(_, what)| matches!(what, What::Wrong { .. }));
        let within = wrong.filter(|(at, _)| *at + limit.window >= now);
        within.count() as u32
    }

    /// Failures of others, and those of trusted callers since they last
    /// succeeded.
    fn by_class<'a>(&self, events: Vec<(Duration, &'a What)>) -> [Vec<(Duration, &'a What)>; 2] {
        let (mut others, mut trusted) = (Vec::new(), Vec::new());
        for (at, what) in events {
            match what {
                What::Wrong { trusted: false } => others.push((at, what)),
                What::Wrong { trusted: true } | What::WrongOnReserve => trusted.push((at, what)),
                What::Right { .. } | What::RightOnReserve => trusted.clear(),
                _ => {}
            }
        }
        [others, trusted]
    }

    fn consecutive(&self, key: &Key, now: Duration) -> u32 {
        if key.0 != Kind::Account {
            return 0;
        }
        let over = |what: &What| matches!(what, What::Right { trusted: false } | What::Unlocked);
        let forgotten = |last, at| !is_known(&key.2) && last + 30 * DAY <= at;
        let (mut others, mut trusted) = (0, 0);
        // A failure of either kind keeps those of the other.
        let mut last = None;
        for (at, what) in self.since(key, over) {
            match what {
                What::Wrong { .. } | What::WrongOnReserve => {
                    if last.is_some_and(|last| forgotten(last, at)) {
                        (others, trusted) = (0, 0);
                    }
                    last = Some(at);
                    match what {
                        What::Wrong { trusted: false } => others += 1,
                        _ => trusted += 1,
                    }
                }
                What::Right { .. } | What::RightOnReserve => trusted = 0,
                _ => {}
            }
        }
        let is_locked = self.lock(key, now).is_some();
        if last.is_some_and(|last| forgotten(last, now)) && !is_locked {
            return 0;
        }
        others + trusted
    }

    fn earlier_locks(&self, key: &Key, now: Duration) -> u32 {
        let over = |what: &What| matches!(what, What::Right { trusted: false } | What::Unlocked);
        let mut times = 0;
        let mut last_end: Option<Duration> = None;
        for (at, what) in self.since(key, over) {
            if let What::Locked { end } = what {
                times = if last_end.is_some_and(|end| end + DAY <= at) {
                    0
                } else {
                    times
                };
                times += 1;
                last_end = *end;
            }
            if let What::NowByHand = what {
                last_end = None;
            }
        }
        if last_end.is_some_and(|end| end + DAY <= now) {
            0
        } else {
            times
        }
    }

    /// Whether one more can be charged.
    fn room(&self, key: &Key, limit: &Lockout, now: Duration) -> Result<(), ChargeError> {
        if let Some(lock) = self.lock(key, now) {
            return Err(ChargeError::Locked(lock));
        }
        let flying = self
            .in_flight
            .iter()
            .flatten()
            .filter(|other| *other == key);
        let flying = flying.count() as u32;
        let full = self.failures(key, limit, now) + flying >= limit.failures
            || self.consecutive(key, now) + flying >= 100;
        if full {
            Err(ChargeError::Busy)
        } else {
            Ok(())
        }
    }

    /// Whether one more of a trusted caller's can be charged over the budget.
    /// What fails there is under a name that no PIN set's own key has.
    fn reserve_room(
        &self,
        set: &'static str,
        limit: &Lockout,
        lock: Lock,
    ) -> Result<(), ChargeError> {
        let key = reserve(set);
        let flying = self.in_flight.iter().flatten();
        let flying = flying.filter(|other| **other == key).count() as u32;
        let failed = self.reserve_failures(set);
        if failed >= limit.failures {
            Err(ChargeError::Locked(lock))
        } else if failed + flying >= limit.failures {
            Err(ChargeError::Busy)
        } else {
            Ok(())
        }
    }

    /// Since the last lock began.
    fn reserve_failures(&self, set: &'static str) -> u32 {
        let (own, reserve) = (budget(set), reserve(set));
        let began = |(_, key, what): &&(Duration, Key, What)| {
            *key == own && matches!(what, What::Locked { .. })
        };
        let since = self.events.iter().rev().take_while(|event| !began(event));
        since.filter(|(_, key, _)| *key == reserve).count() as u32
    }

    fn wrong_on_reserve(
        &mut self,
        set: &'static str,
        limit: &Lockout,
        now: Duration,
    ) -> Option<Lock> {
        let lock = self.lock(&budget(set), now)?;
        let wrong = What::Wrong { trusted: false };
        self.events.push((now, reserve(set), wrong));
        (self.reserve_failures(set) >= limit.failures).then_some(lock)
    }

    /// Whether one more can be charged to an account, and if so, whether on the
    /// reserve.
    fn account_room(
        &self,
        key: &Key,
        caller: usize,
        tries: u32,
        limit: &Lockout,
        now: Duration,
    ) -> Result<bool, ChargeError> {
        let is_trusted = self.trusts_for(key, caller, now);
        let Some(lock) = self.lock(key, now).filter(|_| is_trusted) else {
            return self.room(key, limit, now).map(|()| false);
        };
        let reserve = account_reserve(key);
        let flying = self.in_flight.iter().flatten();
        let flying = flying.filter(|other| **other == reserve).count() as u32;
        let failed = self.account_reserve_failures(key);
        let most = limit.failures.min(100);
        if failed >= most || (tries > 0 && failed + flying < most) {
            Err(ChargeError::Locked(lock))
        } else if failed + flying >= most {
            Err(ChargeError::Busy)
        } else {
            Ok(true)
        }
    }

    fn trusts_for(&self, key: &Key, caller: usize, now: Duration) -> bool {
        let success = self.account_successes.get(&(key.1, caller, key.2.clone()));
        success.is_some_and(|(at, _)| *at + 30 * DAY > now)
    }

    /// Since the lock began, or one of them succeeded.
    fn account_reserve_failures(&self, key: &Key) -> u32 {
        let over = |what: &What| {
            matches!(
                what,
                What::Locked { .. } | What::Unlocked | What::Right { .. } | What::RightOnReserve
            )
        };
        let events = self.since(key, over);
        let wrong = |(_, what): &&(Duration, &What)| matches!(what, What::WrongOnReserve);
        events.iter().filter(wrong).count() as u32
    }

    fn wrong_on_account_reserve(
        &mut self,
        key: &Key,
        limit: &Lockout,
        now: Duration,
    ) -> Option<Lock> {
        self.events.push((now, key.clone(), What::WrongOnReserve));
        let is_hundredth = self.consecutive(key, now) >= 100;
        let by_hand = Lock {
            kind: Kind::Account,
            until: None,
        };
        match self.lock(key, now) {
            None if is_hundredth => {
                self.events
                    .push((now, key.clone(), What::Locked { end: None }));
                Some(by_hand)
            }
            None => None,
            Some(lock) if is_hundredth && lock != by_hand => {
                self.events.push((now, key.clone(), What::NowByHand));
                Some(by_hand)
            }
            Some(lock) => {
                let used_up = self.account_reserve_failures(key) >= limit.failures.min(100);
                used_up.then_some(lock)
            }
        }
    }

    fn trusts(&self, set: &'static str, caller: usize, now: Duration) -> bool {
        let success = self.successes.get(&(set, caller));
        success.is_some_and(|(at, _)| *at + 30 * DAY > now)
    }

    /// Whether there is room; and if it is over its budget, for one try.
    fn standing(
        &self,
        set: &'static str,
        caller: usize,
        limits: &Limits,
        now: Duration,
    ) -> (Result<(), ChargeError>, bool) {
        let ok = |key: Key, limit: Option<Lockout>| {
            limit.map_or(Ok(()), |limit| self.room(&key, &limit, now))
        };
        let by_caller = ok((Kind::Caller, set, caller.to_string()), limits.caller);
        let by_set = ok(budget(set), limits.pin_set);
        let (by_set, over) = match (by_set, limits.pin_set) {
            (Err(ChargeError::Locked(lock)), Some(limit)) if self.trusts(set, caller, now) => {
                (self.reserve_room(set, &limit, lock), true)
            }
            (by_set, _) => (by_set, false),
        };
        let room = match (by_caller, by_set) {
            (Err(ChargeError::Locked(lock)), _) | (_, Err(ChargeError::Locked(lock))) => {
                Err(ChargeError::Locked(lock))
            }
            (by_caller, by_set) => by_caller.and(by_set),
        };
        (room, over)
    }

    fn wrong(&mut self, key: &Key, trusted: bool, limit: &Lockout, now: Duration) -> Option<Lock> {
        self.events
            .push((now, key.clone(), What::Wrong { trusted }));
        if self.lock(key, now).is_some() {
            return None;
        }
        let end = if self.consecutive(key, now) >= 100 {
            None
        } else if self.failures(key, limit, now) >= limit.failures {
            let doubled = (0..self.earlier_locks(key, now)).fold(limit.lock, |lock, _| lock * 2);
            Some(now + doubled.min(DAY))
        } else {
            return None;
        };
        self.events.push((now, key.clone(), What::Locked { end }));
        Some(Lock {
            kind: key.0,
            until: end,
        })
    }
}
