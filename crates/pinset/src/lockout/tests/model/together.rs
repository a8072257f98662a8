//! Steps at random, taken by the model and by the lockouts.

use proptest::prelude::*;
use proptest::sample::Index;

use super::*;

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
        result: Judged,
    },
    /// So many wrong entries for an account, as soon as no lock stands.
    Burst {
        set: usize,
        account: usize,
        entries: u32,
    },
    /// So many wrong entries of a caller's, who may have succeeded just before,
    /// by the PIN set's limit alone.
    Flood {
        set: usize,
        caller: usize,
        succeeds: bool,
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
        1 => Just(Judged::Right), 5 => Just(Judged::Wrong), 1 => Just(Judged::Void)
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
    let one_set = prop::option::of(set.clone());
    prop_oneof![
        20 => (set.clone(), 0usize..3, 0u32..2, accounts)
            .prop_map(|(set, caller, tries, accounts)| Step::Charge { set, caller, tries, accounts }),
        20 => (any::<Index>(), result).prop_map(|(which, result)| Step::Settle { which, result }),
        1 => (set.clone(), 0..ACCOUNTS.len(), 1u32..99)
            .prop_map(|(set, account, entries)| Step::Burst { set, account, entries }),
        5 => (set.clone(), 0usize..3, any::<bool>(), 1u32..9)
            .prop_map(|(set, caller, succeeds, entries)| {
                Step::Flood { set, caller, succeeds, entries }
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
    ) -> Result<(), TestCaseError> {
        let callers = callers();
        let subject = Subject {
            pin_set: set,
            limits,
            caller: &callers[caller],
        };
        let (mut expected, one_try) = self.model.standing(set, caller, &limits, self.now);
        if let (Ok(()), true) = (expected, one_try && tries > 0) {
            let lock = self.model.lock(&budget(set), self.now);
            expected = Err(Refused::Locked(lock.unwrap()));
        }
        let charge = self.lockouts.charge(&subject, tries, self.now);
        prop_assert_eq!(
            charge.as_ref().map(|_| ()).map_err(|refused| *refused),
            expected
        );
        let Ok(mut charge) = charge else {
            return Ok(());
        };
        let mut keys = Vec::new();
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
            let expected = self.model.room(&key, &limit, self.now);
            prop_assert_eq!(charged, expected);
            if expected.is_err() {
                refused = true;
                break;
            }
            keys.push(key);
        }
        if refused {
            prop_assert_eq!(self.lockouts.settle(charge, Judged::Void, self.now), None);
        } else {
            self.model.in_flight.push(keys);
            self.charges.push(charge);
        }
        Ok(())
    }

    fn settle(&mut self, at: usize, result: Judged, limits: Limits) -> Result<(), TestCaseError> {
        let keys = self.model.in_flight.remove(at);
        let charge = self.charges.remove(at);
        let caller = callers()
            .iter()
            .position(|caller| *caller == charge.caller)
            .unwrap();
        let set = *SETS.iter().find(|set| **set == charge.pin_set).unwrap();
        let mut locks = Vec::new();
        for key in keys {
            let limit = match key.0 {
                Kind::Caller => limits.caller,
                Kind::PinSet => limits.pin_set,
                Kind::Account => limits.account,
            };
            match result {
                Judged::Wrong if key == reserve(set) => {
                    let limit = limit.unwrap();
                    locks.extend(self.model.wrong_on_reserve(set, &limit, self.now));
                }
                Judged::Wrong => locks.extend(self.model.wrong(&key, &limit.unwrap(), self.now)),
                Judged::Right if key.0 == Kind::Account => {
                    self.model.events.push((self.now, key, What::Right));
                }
                Judged::Right | Judged::Void => {}
            }
        }
        if result == Judged::Right && limits.pin_set.is_some() {
            let success = self.model.successes.entry((set, caller));
            let (at, stored) = success.or_insert((self.now, self.now));
            *at = self.now;
            if self.now - *stored > DAY {
                *stored = self.now;
            }
        }
        // Until it is unlocked by hand, then the longest, then the caller's.
        locks.sort_by_key(|lock| {
            lock.until
                .map_or((0, Duration::ZERO), |until| (1, DAY * 1_000_000 - until))
        });
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
        self.model.in_flight.clear();
        self.model
            .events
            .retain(|(_, key, _)| key.0 != Kind::Account || is_known(&key.2));
        for (at, stored) in self.model.successes.values_mut() {
            *at = *stored;
        }
    }

    fn step(&mut self, step: Step) -> Result<(), TestCaseError> {
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
                        self.settle(before, Judged::Wrong, only)?;
                    }
                }
            }
            Step::Flood {
                set,
                caller,
                succeeds,
                entries,
            } => {
                let only = Limits {
                    pin_set: limits().pin_set,
                    ..NONE
                };
                let right = succeeds.then_some(Judged::Right);
                let wrong = (0..entries).map(|_| Judged::Wrong);
                for result in right.into_iter().chain(wrong) {
                    let before = self.charges.len();
                    self.charge(SETS[set], caller, only, 0, &[])?;
                    if self.charges.len() > before {
                        self.settle(before, result, only)?;
                    }
                }
            }
            Step::Wait(long) => self.now += long,
            Step::UnlockCaller(who, set) => {
                let caller = &callers[who];
                let set = set.map(|set| SETS[set]);
                // The endpoint's name stands for all who come in there.
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

    fn compare(&mut self) -> Result<(), TestCaseError> {
        for set in SETS {
            for (caller, who) in callers().iter().enumerate() {
                let expected = match self.model.standing(set, caller, &limits(), self.now) {
                    (Err(Refused::Locked(lock)), _) => Standing::Locked(lock),
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
    fn whatever_happens_in_whatever_order(steps in prop::collection::vec(step(), 1..150)) {
        let mut both = Both {
            model: Model::default(),
            lockouts: Lockouts::default(),
            rows: BTreeMap::new(),
            charges: Vec::new(),
            now: START,
        };
        for step in steps {
            both.step(step)?;
        }
    }
}
