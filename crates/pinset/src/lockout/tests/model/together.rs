//! Steps at random, taken by the model and by the lockouts.

use proptest::prelude::*;
use proptest::sample::Index;

use super::*;

/// What has come of an entry. What is right admits with one of the accounts it
/// was charged to, or with none.
#[derive(Clone, Copy, Debug)]
enum Result {
    Right(Option<Index>),
    Wrong,
    Void,
}

#[derive(Clone, Debug)]
enum Step {
    Charge {
        set: usize,
        caller: usize,
        tries: u32,
        accounts: Vec<usize>,
    },
    Settle {
        which: Index,
        result: Result,
    },
    /// So many wrong entries for an account, as soon as no lock stands.
    Burst {
        set: usize,
        account: usize,
        entries: u32,
    },
    /// A number of wrong entries of a caller, possibly right after a success, with the
    /// limit of the PIN set or of an account alone.
    Flood {
        set: usize,
        account: Option<usize>,
        caller: usize,
        succeeds: Option<Index>,
        entries: u32,
    },
    Wait(Duration),
    UnlockCaller(usize, Option<usize>),
    UnlockAccount(usize, Option<usize>),
    UnlockSet(usize),
    Restart,
}

fn step() -> impl Strategy<Value = Step> {
    let result = prop_oneof![
        1 => prop::option::of(any::<Index>()).prop_map(Result::Right),
        5 => Just(Result::Wrong),
        1 => Just(Result::Void),
    ];
    let wait = prop_oneof![
        10 => (0u64..40_000).prop_map(Duration::from_millis),
        // To the moment itself, and just before it.
        4 => (1u32..6, 0u64..2).prop_map(|(minutes, less)| {
            minutes * MINUTE - Duration::from_millis(less)
        }),
        2 => (1u32..30).prop_map(|hours| hours * HOUR),
        1 => (1u32..40).prop_map(|days| days * DAY),
    ];
    let accounts = prop::collection::vec(0..ACCOUNTS.len(), 0..3);
    let set = 0..SETS.len();
    let one_account = prop::option::of(0..ACCOUNTS.len());
    let one_set = prop::option::of(set.clone());
    prop_oneof![
        20 => (set.clone(), 0usize..3, 0u32..2, accounts)
            .prop_map(|(set, caller, tries, accounts)| Step::Charge { set, caller, tries, accounts }),
        20 => (any::<Index>(), result).prop_map(|(which, result)| Step::Settle { which, result }),
        1 => (set.clone(), 0..ACCOUNTS.len(), 1u32..99)
            .prop_map(|(set, account, entries)| Step::Burst { set, account, entries }),
        10 => (set.clone(), one_account, 0usize..3, prop::option::of(any::<Index>()), 1u32..9)
            .prop_map(|(set, account, caller, succeeds, entries)| {
                Step::Flood { set, account, caller, succeeds, entries }
            }),
        10 => wait.prop_map(Step::Wait),
        1 => (0usize..3, one_set.clone()).prop_map(|(who, set)| Step::UnlockCaller(who, set)),
        1 => (0..ACCOUNTS.len(), one_set).prop_map(|(who, set)| Step::UnlockAccount(who, set)),
        1 => set.prop_map(Step::UnlockSet),
        1 => Just(Step::Restart),
    ]
}

/// Both, and the charges of the one in the order of the other's.
struct Both {
    model: Model,
    lockouts: Lockouts,
    rows: BTreeMap<String, String>,
    charges: Vec<Charge>,
    /// Of each charge, the accounts that trusted its caller.
    trusting: Vec<Vec<Key>>,
    now: Duration,
}

impl Both {
    fn charge(
        &mut self,
        set: &'static str,
        caller: usize,
        limits: Limits,
        tries: u32,
        accounts: &[usize],
    ) -> std::result::Result<(), TestCaseError> {
        let callers = callers();
        let subject = Subject {
            pin_set: set,
            limits,
            caller: &callers[caller],
        };
        let (mut expected, one_try) = self.model.standing(set, caller, &limits, self.now);
        if let (Ok(()), true) = (expected, one_try && tries > 0) {
            let lock = self.model.lock(&budget(set), self.now);
            expected = Err(ChargeError::Locked(lock.unwrap()));
        }
        let charge = self.lockouts.charge(&subject, tries, self.now);
        prop_assert_eq!(
            charge.as_ref().map(|_| ()).map_err(|refused| *refused),
            expected
        );
        let Ok(mut charge) = charge else {
            return Ok(());
        };
        let (mut keys, mut trusting) = (Vec::new(), Vec::new());
        if limits.caller.is_some() {
            keys.push((Kind::Caller, set, caller.to_string()));
        }
        if limits.pin_set.is_some() {
            keys.push(if one_try { reserve(set) } else { budget(set) });
        }
        let mut refused = false;
        for name in accounts.iter().map(|account| ACCOUNTS[*account]) {
            let key = (Kind::Account, set, name.to_owned());
            let account = Account {
                name: name.as_bytes(),
                known: is_known(name),
            };
            let charged = self.lockouts.charge_account(&mut charge, account, self.now);
            let Some(limit) = limits.account else {
                prop_assert_eq!(charged, Ok(()));
                continue;
            };
            if keys.contains(&key) {
                prop_assert_eq!(charged, Ok(()));
                continue;
            }
            if keys.contains(&account_reserve(&key)) {
                prop_assert_eq!(charged, Ok(()));
                continue;
            }
            let room = self
                .model
                .account_room(&key, caller, tries, &limit, self.now);
            prop_assert_eq!(charged, room.map(|_| ()));
            let Ok(on_reserve) = room else {
                refused = true;
                break;
            };
            if self.model.trusts_for(&key, caller, self.now) {
                trusting.push(key.clone());
            }
            keys.push(if on_reserve {
                account_reserve(&key)
            } else {
                key
            });
        }
        if refused {
            prop_assert_eq!(
                self.lockouts.settle(charge, AttemptResult::Void, self.now),
                None
            );
        } else {
            self.model.in_flight.push(keys);
            self.charges.push(charge);
            self.trusting.push(trusting);
        }
        Ok(())
    }

    fn settle(
        &mut self,
        at: usize,
        result: Result,
        limits: Limits,
    ) -> std::result::Result<(), TestCaseError> {
        let keys = self.model.in_flight.remove(at);
        let charge = self.charges.remove(at);
        let trusting = self.trusting.remove(at);
        let caller = callers()
            .iter()
            .position(|caller| *caller == charge.caller)
            .unwrap();
        let set = *SETS.iter().find(|set| **set == charge.pin_set).unwrap();
        let of_accounts = keys.iter().filter(|key| key.0 == Kind::Account);
        let names: Vec<&'static str> = of_accounts
            .map(|key| ACCOUNTS.into_iter().find(|name| key.2.starts_with(name)))
            .map(Option::unwrap)
            .collect();
        let admitted = match result {
            Result::Right(Some(index)) if !names.is_empty() => Some(*index.get(&names)),
            _ => None,
        };
        let mut locks = Vec::new();
        for key in keys {
            let limit = match key.0 {
                Kind::Caller => limits.caller,
                Kind::PinSet => limits.pin_set,
                Kind::Account => limits.account,
            };
            let name = names.iter().find(|name| key.2.starts_with(**name));
            let own = (key.0, key.1, name.copied().unwrap_or(&key.2).to_owned());
            let trusted = trusting.contains(&own);
            let on_reserve = key.0 == Kind::Account && own != key;
            let admits = key.0 == Kind::Account && admitted == Some(own.2.as_str());
            match result {
                Result::Wrong if key == reserve(set) => {
                    let limit = limit.unwrap();
                    locks.extend(self.model.wrong_on_reserve(set, &limit, self.now));
                }
                Result::Wrong if on_reserve => {
                    let limit = limit.unwrap();
                    let lock = self.model.wrong_on_account_reserve(&own, &limit, self.now);
                    locks.extend(lock);
                }
                Result::Wrong => {
                    let limit = limit.unwrap();
                    locks.extend(self.model.wrong(&key, trusted, &limit, self.now));
                }
                Result::Right(_) if admits && on_reserve => {
                    let right = What::RightOnReserve;
                    self.model.events.push((self.now, own, right));
                }
                Result::Right(_) if admits => {
                    let right = What::Right { trusted };
                    self.model.events.push((self.now, key, right));
                }
                Result::Right(_) | Result::Void => {}
            }
        }
        let is_right = matches!(result, Result::Right(_));
        let renew = |success: &mut (Duration, Duration)| {
            success.0 = self.now;
            if self.now - success.1 > DAY {
                success.1 = self.now;
            }
        };
        let first = (self.now, self.now);
        if is_right && limits.pin_set.is_some() {
            renew(self.model.successes.entry((set, caller)).or_insert(first));
        }
        if let Some(name) = admitted {
            let key = (set, caller, name.to_owned());
            renew(self.model.account_successes.entry(key).or_insert(first));
        }
        // Until it is unlocked by hand, then the longest, then the caller's.
        locks.sort_by_key(|lock| {
            lock.until
                .map_or((0, Duration::ZERO), |until| (1, DAY * 1_000_000 - until))
        });
        let result = match result {
            Result::Right(_) => AttemptResult::Right(admitted.map(str::as_bytes)),
            Result::Wrong => AttemptResult::Wrong,
            Result::Void => AttemptResult::Void,
        };
        let lock = self.lockouts.settle(charge, result, self.now);
        prop_assert_eq!(lock, locks.first().copied());
        Ok(())
    }

    fn unlock(&mut self, what: Unlock<'_>, meant: impl Fn(&Key) -> bool, set: Option<&str>) {
        let all = self.model.events.iter().map(|(_, key, _)| key);
        let meant = all.filter(|key| meant(key) && set.is_none_or(|set| key.1 == set));
        let keys: std::collections::BTreeSet<_> = meant.cloned().collect();
        let mut unlocked = 0;
        for key in keys {
            unlocked += usize::from(self.model.lock(&key, self.now).is_some());
            self.model.events.push((self.now, key, What::Unlocked));
        }
        assert_eq!(self.lockouts.unlock(what, set, self.now), unlocked);
    }

    fn restart(&mut self) {
        for change in self.lockouts.take_changes(usize::MAX) {
            match change.value {
                Some(value) => self.rows.insert(change.key, value),
                None => self.rows.remove(&change.key),
            };
        }
        self.lockouts = Lockouts::default();
        for (key, value) in &self.rows {
            assert_eq!(self.lockouts.restore(key, value, self.now), Ok(()));
        }
        self.charges.clear();
        self.trusting.clear();
        self.model.in_flight.clear();
        self.model
            .events
            .retain(|(_, key, _)| key.0 != Kind::Account || is_known(&key.2));
        let of_sets = self.model.successes.values_mut();
        for (at, stored) in of_sets.chain(self.model.account_successes.values_mut()) {
            *at = *stored;
        }
    }

    fn step(&mut self, step: Step) -> std::result::Result<(), TestCaseError> {
        let callers = callers();
        match step {
            Step::Charge {
                set,
                caller,
                tries,
                accounts,
            } => {
                self.charge(SETS[set], caller, limits(), tries, &accounts)?;
            }
            Step::Settle { which, result } => {
                if !self.charges.is_empty() {
                    let which = which.index(self.charges.len());
                    self.settle(which, result, limits())?;
                }
            }
            Step::Burst {
                set,
                account,
                entries,
            } => {
                let only = Limits {
                    account: limits().account,
                    ..NONE
                };
                let key = (Kind::Account, SETS[set], ACCOUNTS[account].to_owned());
                for _ in 0..entries {
                    if let Some(lock) = self.model.lock(&key, self.now) {
                        self.now = lock.until.unwrap_or(self.now);
                    }
                    let before = self.charges.len();
                    self.charge(SETS[set], 0, only, 0, &[account])?;
                    if self.charges.len() > before {
                        self.settle(before, Result::Wrong, only)?;
                    }
                }
            }
            Step::Flood {
                set,
                account,
                caller,
                succeeds,
                entries,
            } => {
                let only = match account {
                    None => Limits {
                        pin_set: limits().pin_set,
                        ..NONE
                    },
                    Some(_) => Limits {
                        account: limits().account,
                        ..NONE
                    },
                };
                let accounts: Vec<usize> = account.into_iter().collect();
                let right = succeeds.map(|account| Result::Right(Some(account)));
                let wrong = (0..entries).map(|_| Result::Wrong);
                for result in right.into_iter().chain(wrong) {
                    let before = self.charges.len();
                    self.charge(SETS[set], caller, only, 0, &accounts)?;
                    if self.charges.len() > before {
                        self.settle(before, result, only)?;
                    }
                }
            }
            Step::Wait(long) => self.now += long,
            Step::UnlockCaller(who, set) => {
                let caller = &callers[who];
                let set = set.map(|set| SETS[set]);
                // The endpoint's name stands for all callers at it.
                let text = caller.number().unwrap_or(caller.endpoint());
                let all = caller.number().is_none();
                let meant = |key: &Key| key.0 == Kind::Caller && (all || key.2 == who.to_string());
                self.unlock(Unlock::Caller(text, None), meant, set);
            }
            Step::UnlockAccount(who, set) => {
                let set = set.map(|set| SETS[set]);
                let meant = |key: &Key| key.0 == Kind::Account && key.2 == ACCOUNTS[who];
                self.unlock(Unlock::Account(ACCOUNTS[who]), meant, set);
            }
            Step::UnlockSet(set) => {
                let meant = |key: &Key| key.0 == Kind::PinSet && key.1 == SETS[set];
                self.unlock(Unlock::PinSet(SETS[set]), meant, None);
            }
            Step::Restart => self.restart(),
        }
        self.compare()
    }

    fn compare(&mut self) -> std::result::Result<(), TestCaseError> {
        for set in SETS {
            for (caller, who) in callers().iter().enumerate() {
                let expected = match self.model.standing(set, caller, &limits(), self.now) {
                    (Err(ChargeError::Locked(lock)), _) => Standing::Locked(lock),
                    (_, true) => Standing::OneTry,
                    _ => Standing::Open,
                };
                let subject = Subject {
                    pin_set: set,
                    limits: limits(),
                    caller: who,
                };
                prop_assert_eq!(self.lockouts.look(&subject, self.now), expected);
            }
        }
        let keys: std::collections::BTreeSet<_> =
            self.model.events.iter().map(|(_, key, _)| key).collect();
        let locks = keys.into_iter().filter_map(|key| {
            let until = self.model.lock(key, self.now)?.until;
            Some((key.1, key.0, until, self.model.earlier_locks(key, self.now)))
        });
        let mut expected: Vec<_> = locks.collect();
        expected.sort_unstable();
        let held = self.lockouts.locks(None, self.now);
        let mut held: Vec<_> = held
            .iter()
            .map(|held| (held.pin_set.as_str(), held.kind, held.until, held.times))
            .collect();
        held.sort_unstable();
        prop_assert_eq!(held, expected);
        Ok(())
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 200, ..ProptestConfig::default() })]
    #[test]
    fn lockouts_agree_with_the_model(steps in prop::collection::vec(step(), 1..150)) {
        let mut both = Both {
            model: Model::default(),
            lockouts: Lockouts::default(),
            rows: BTreeMap::new(),
            charges: Vec::new(),
            trusting: Vec::new(),
            now: START,
        };
        for step in steps {
            both.step(step)?;
        }
    }
}
