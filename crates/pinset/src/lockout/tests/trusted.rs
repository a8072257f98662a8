//! The reserve of callers who have succeeded with an account, while it is locked.

use super::*;

const LOCK: Duration = HOUR;

const UNTIL_UNLOCKED: Lock = Lock {
    kind: Kind::Account,
    until: None,
};

fn entry(
    pbx: &mut Pbx,
    number: &str,
    result: AttemptResult<'_>,
) -> Result<Option<Lock>, ChargeError> {
    pbx.entry_for(&from(number), account("alice"), result)
}

fn right(pbx: &mut Pbx, number: &str) -> Result<Option<Lock>, ChargeError> {
    entry(pbx, number, AttemptResult::Right(None))
}

/// Strangers fail until the account is locked: how often, and its lock.
fn until_locked(pbx: &mut Pbx) -> (u32, Lock) {
    for failures in 1..=MANY_TRIES {
        if let Some(lock) = entry(pbx, "mallory", AttemptResult::Wrong).unwrap() {
            return (failures, lock);
        }
    }
    panic!("no lock after {MANY_TRIES} wrong entries")
}

/// How many wrong entries there are until none is verified any more.
fn verified(pbx: &mut Pbx, number: &str) -> u32 {
    let mut verified = 0;
    while entry(pbx, number, AttemptResult::Wrong).is_ok() {
        verified += 1;
        assert!(verified < MANY_TRIES, "all are verified");
    }
    verified
}

/// Returns an account locked by `failures` failures, with two callers that have
/// succeeded with it, and the lock.
fn locked(failures: u32) -> (Pbx, Lock) {
    let mut pbx = Pbx::with(by_account(failures));
    for number in ["home", "work"] {
        right(&mut pbx, number).unwrap();
    }
    let lock = pbx.lock(Kind::Account, LOCK);
    assert_eq!(until_locked(&mut pbx), (failures, lock));
    (pbx, lock)
}

/// The account is charged as the second entry of a call.
fn second_try(pbx: &mut Pbx, number: &str) -> Result<(), ChargeError> {
    let caller = from(number);
    let subject = pbx.subject(&caller);
    let mut charge = pbx.lockouts.charge(&subject, 1, pbx.now).unwrap();
    let charged = pbx
        .lockouts
        .charge_account(&mut charge, account("alice"), pbx.now);
    pbx.settle(charge, AttemptResult::Void);
    charged
}

#[test]
fn lock_stops_strangers_and_leaves_trusted_callers_one_try_a_call() {
    let (mut pbx, lock) = locked(4);
    let refused = Err(ChargeError::Locked(lock));
    assert_eq!(right(&mut pbx, "stranger"), refused);
    assert_eq!(second_try(&mut pbx, "home"), Err(ChargeError::Locked(lock)));
    for _ in 0..10 {
        assert_eq!(right(&mut pbx, "home"), Ok(None));
        assert_eq!(entry(&mut pbx, "work", AttemptResult::Void), Ok(None));
    }
    // The same number at another endpoint is another caller.
    let elsewhere = Caller::new(Some(b"home"), "PJSIP/other-00000001");
    let forged = pbx.entry_for(&elsewhere, account("alice"), AttemptResult::Right(None));
    assert_eq!(forged, refused);
    pbx.now += LOCK;
    assert_eq!(second_try(&mut pbx, "home"), Ok(()));
}

#[test]
fn trusted_callers_have_as_many_failures_as_the_limit_between_them() {
    let (mut pbx, lock) = locked(4);
    for number in ["home", "work", "home"] {
        assert_eq!(entry(&mut pbx, number, AttemptResult::Wrong), Ok(None));
    }
    assert_eq!(
        entry(&mut pbx, "work", AttemptResult::Wrong),
        Ok(Some(lock))
    );
    for number in ["home", "work"] {
        assert_eq!(right(&mut pbx, number), Err(ChargeError::Locked(lock)));
    }
    pbx.now += LOCK;
    assert_eq!(right(&mut pbx, "home"), Ok(None));
}

#[test]
fn attempt_that_does_not_count_gives_no_failure_back() {
    let (mut pbx, lock) = locked(4);
    for _ in 0..3 {
        assert_eq!(entry(&mut pbx, "home", AttemptResult::Wrong), Ok(None));
        assert_eq!(entry(&mut pbx, "home", AttemptResult::Void), Ok(None));
    }
    assert_eq!(
        entry(&mut pbx, "work", AttemptResult::Wrong),
        Ok(Some(lock))
    );
}

#[test]
fn success_gives_the_reserve_back_and_strangers_nothing() {
    let (mut pbx, lock) = locked(4);
    for _ in 0..3 {
        for _ in 0..3 {
            assert_eq!(entry(&mut pbx, "home", AttemptResult::Wrong), Ok(None));
        }
        assert_eq!(right(&mut pbx, "work"), Ok(None));
        let stranger = entry(&mut pbx, "mallory", AttemptResult::Wrong);
        assert_eq!(stranger, Err(ChargeError::Locked(lock)));
    }
    assert_eq!(verified(&mut pbx, "home"), 4);
    // Earlier locks are remembered.
    pbx.now += LOCK;
    assert_eq!(
        until_locked(&mut pbx),
        (4, pbx.lock(Kind::Account, 2 * LOCK))
    );
}

#[test]
fn entries_in_flight_are_on_the_reserve_until_they_are_settled() {
    let (mut pbx, lock) = locked(3);
    let charge = |pbx: &mut Pbx, number| {
        let mut charge = pbx.charge(&from(number)).unwrap();
        let alice = account("alice");
        let charged = pbx.lockouts.charge_account(&mut charge, alice, pbx.now);
        charged.map(|()| charge)
    };
    assert_eq!(entry(&mut pbx, "home", AttemptResult::Wrong), Ok(None));
    let first = charge(&mut pbx, "home").unwrap();
    let second = charge(&mut pbx, "work").unwrap();
    assert_eq!(charge(&mut pbx, "home").unwrap_err(), ChargeError::Busy);
    assert_eq!(pbx.settle(first, AttemptResult::Void), None);
    let first = charge(&mut pbx, "home").unwrap();
    // What was wrong before it is forgotten, what is in flight is not.
    assert_eq!(
        pbx.settle(first, AttemptResult::Right(Some(b"alice"))),
        None
    );
    let charges = [(); 2].map(|()| charge(&mut pbx, "home").unwrap());
    assert_eq!(charge(&mut pbx, "home").unwrap_err(), ChargeError::Busy);
    for charge in charges {
        assert_eq!(pbx.settle(charge, AttemptResult::Wrong), None);
    }
    assert_eq!(pbx.settle(second, AttemptResult::Wrong), Some(lock));
    assert_eq!(
        charge(&mut pbx, "home").unwrap_err(),
        ChargeError::Locked(lock)
    );
}

#[test]
fn failure_on_the_reserve_after_the_lock_locks_nobody_out() {
    let (mut pbx, _) = locked(4);
    let mut charge = pbx.charge(&from("home")).unwrap();
    let charged = pbx
        .lockouts
        .charge_account(&mut charge, account("alice"), pbx.now);
    assert_eq!(charged, Ok(()));
    pbx.now += LOCK;
    assert_eq!(pbx.settle(charge, AttemptResult::Wrong), None);
    assert_eq!(right(&mut pbx, "home"), Ok(None));
}

/// The customer gets in after each wrong entry of a stranger, some after typos.
#[test]
fn strangers_are_stopped_at_a_hundred_whatever_trusted_callers_do() {
    for typos in 0..4 {
        let mut pbx = Pbx::with(by_account(7));
        right(&mut pbx, "home").unwrap();
        let mut strangers = 0;
        while strangers < MANY_TRIES {
            match entry(&mut pbx, "mallory", AttemptResult::Wrong) {
                Ok(_) => strangers += 1,
                Err(ChargeError::Locked(lock)) if lock == UNTIL_UNLOCKED => break,
                Err(ChargeError::Locked(lock)) => pbx.now = lock.until.unwrap(),
                Err(ChargeError::Busy) => panic!("nothing is in flight"),
            }
            for _ in 0..typos {
                assert!(entry(&mut pbx, "home", AttemptResult::Wrong).is_ok());
            }
            assert_eq!(right(&mut pbx, "home"), Ok(None));
        }
        assert!((100 - typos..=100).contains(&strangers), "{strangers}");
        pbx.now += 1000 * DAY;
        let stranger = right(&mut pbx, "stranger");
        assert_eq!(stranger, Err(ChargeError::Locked(UNTIL_UNLOCKED)));
    }
}

#[test]
fn success_of_a_trusted_caller_leaves_the_failures_of_strangers() {
    let mut pbx = Pbx::with(by_account(3));
    right(&mut pbx, "home").unwrap();
    for _ in 0..2 {
        assert_eq!(entry(&mut pbx, "mallory", AttemptResult::Wrong), Ok(None));
    }
    assert_eq!(right(&mut pbx, "home"), Ok(None));
    let (failures, lock) = until_locked(&mut pbx);
    assert_eq!((failures, lock), (1, pbx.lock(Kind::Account, LOCK)));
    // A caller's first success proves the PIN: the account starts over.
    pbx.now += LOCK;
    for _ in 0..2 {
        assert_eq!(entry(&mut pbx, "mallory", AttemptResult::Wrong), Ok(None));
    }
    assert_eq!(right(&mut pbx, "new"), Ok(None));
    assert_eq!(until_locked(&mut pbx), (3, pbx.lock(Kind::Account, LOCK)));
}

#[test]
fn failures_of_trusted_callers_lock_the_account_until_their_success() {
    let mut pbx = Pbx::with(by_account(3));
    right(&mut pbx, "home").unwrap();
    for _ in 0..5 {
        for _ in 0..2 {
            assert_eq!(entry(&mut pbx, "home", AttemptResult::Wrong), Ok(None));
        }
        right(&mut pbx, "home").unwrap();
    }
    assert_eq!(entry(&mut pbx, "home", AttemptResult::Wrong), Ok(None));
    assert_eq!(pbx.restart(Capacity::DEFAULT), 2);
    assert_eq!(until_locked(&mut pbx).0, 2);
}

#[test]
fn failures_on_the_reserve_count_among_the_hundred() {
    let mut pbx = Pbx::with(by_account(10));
    right(&mut pbx, "home").unwrap();
    let mut tries = 0;
    // Ten of strangers, ten of trusted callers, and so on.
    for _ in 0..4 {
        let (failures, lock) = until_locked(&mut pbx);
        tries += failures + verified(&mut pbx, "home");
        pbx.now = lock.until.unwrap();
    }
    tries += until_locked(&mut pbx).0;
    for _ in 0..9 {
        assert_eq!(entry(&mut pbx, "home", AttemptResult::Wrong), Ok(None));
        tries += 1;
    }
    assert_eq!(
        entry(&mut pbx, "home", AttemptResult::Wrong),
        Ok(Some(UNTIL_UNLOCKED))
    );
    assert_eq!(tries + 1, 100);
    let [held] = &pbx.locks()[..] else {
        panic!("{:?}", pbx.locks())
    };
    assert_eq!((held.until, held.failures), (None, 100));
    // The reserve is used up, and does not come back with the longer lock.
    pbx.now += 1000 * DAY;
    assert_eq!(verified(&mut pbx, "home"), 0);
}

#[test]
fn account_locked_by_hand_admits_trusted_callers_on_the_reserve() {
    for (limit, reserve) in [(10, 10), (1000, 100)] {
        let mut pbx = Pbx::with(by_account(limit));
        right(&mut pbx, "home").unwrap();
        while let Some(until) = until_locked(&mut pbx).1.until {
            pbx.now = until;
        }
        // Trust lasts thirty days: it is renewed with each success.
        for _ in 0..5 {
            assert_eq!(right(&mut pbx, "home"), Ok(None));
            assert_eq!(entry(&mut pbx, "home", AttemptResult::Wrong), Ok(None));
            pbx.now += 20 * DAY;
        }
        assert_eq!(right(&mut pbx, "home"), Ok(None));
        assert_eq!(verified(&mut pbx, "home"), reserve);
        assert_eq!(
            right(&mut pbx, "home"),
            Err(ChargeError::Locked(UNTIL_UNLOCKED))
        );
        let unlock = Unlock::Account("alice");
        assert_eq!(pbx.lockouts.unlock(unlock, None, pbx.now), 1);
        assert_eq!(right(&mut pbx, "stranger"), Ok(None));
    }
}

#[test]
fn trust_is_bound_to_the_account_and_the_pin_set() {
    let (mut pbx, _) = locked(2);
    pbx.entry_for(
        &from("mallory"),
        account("mallory"),
        AttemptResult::Right(None),
    )
    .unwrap();
    let refused = right(&mut pbx, "mallory");
    assert!(matches!(refused, Err(ChargeError::Locked(_))));
    // Both accounts are charged to the number, and one of them admits.
    let both = from("both");
    let mut charge = pbx.charge(&both).unwrap();
    for name in ["bob", "carol"] {
        let charged = pbx
            .lockouts
            .charge_account(&mut charge, account(name), pbx.now);
        assert_eq!(charged, Ok(()));
    }
    pbx.settle(charge, AttemptResult::Right(Some(b"bob")));
    for (name, is_open) in [("bob", true), ("carol", false)] {
        while pbx.wrong_for(name).is_none() {}
        let entry = pbx.entry_for(&both, account(name), AttemptResult::Void);
        assert_eq!(entry.is_ok(), is_open, "{name}");
    }
    // An entry that admits with an account it was not charged to.
    pbx.entry(&from("other"), AttemptResult::Right(Some(b"alice")))
        .unwrap();
    assert!(right(&mut pbx, "other").is_err());
    let caller = from("home");
    let other = Subject {
        pin_set: "other",
        ..pbx.subject(&caller)
    };
    let alice = account("alice");
    for locks in [false, true] {
        let mut charge = pbx.lockouts.charge(&other, 0, pbx.now).unwrap();
        let charged = pbx.lockouts.charge_account(&mut charge, alice, pbx.now);
        assert_eq!(charged, Ok(()));
        let lock = pbx.settle(charge, AttemptResult::Wrong);
        assert_eq!(lock.is_some(), locks);
    }
    let mut charge = pbx.lockouts.charge(&other, 0, pbx.now).unwrap();
    let charged = pbx.lockouts.charge_account(&mut charge, alice, pbx.now);
    assert!(matches!(charged, Err(ChargeError::Locked(_))));
    pbx.settle(charge, AttemptResult::Void);
}

#[test]
fn trust_for_an_account_lasts_thirty_days() {
    for (days, holds) in [(29, true), (30, false)] {
        let mut pbx = Pbx::with(by_account(1));
        right(&mut pbx, "home").unwrap();
        pbx.now += days * DAY;
        until_locked(&mut pbx);
        assert_eq!(right(&mut pbx, "home").is_ok(), holds, "{days}");
    }
}

#[test]
fn success_over_a_lock_that_ended_meanwhile_clears_nothing() {
    let (mut pbx, _) = locked(3);
    let mut charge = pbx.charge(&from("home")).unwrap();
    let charged = pbx
        .lockouts
        .charge_account(&mut charge, account("alice"), pbx.now);
    assert_eq!(charged, Ok(()));
    pbx.now += LOCK;
    for _ in 0..2 {
        assert_eq!(entry(&mut pbx, "mallory", AttemptResult::Wrong), Ok(None));
    }
    assert_eq!(
        pbx.settle(charge, AttemptResult::Right(Some(b"alice"))),
        None
    );
    assert!(entry(&mut pbx, "mallory", AttemptResult::Wrong)
        .unwrap()
        .is_some());
}

#[test]
fn restart_keeps_trust_and_what_is_left_of_the_reserve() {
    let (mut pbx, lock) = locked(3);
    entry(&mut pbx, "home", AttemptResult::Wrong).unwrap();
    // Two callers who are trusted, and the account.
    assert_eq!(pbx.restart(Capacity::DEFAULT), 3);
    assert_eq!(right(&mut pbx, "stranger"), Err(ChargeError::Locked(lock)));
    assert_eq!(verified(&mut pbx, "work"), 2);
    assert_eq!(pbx.restart(Capacity::DEFAULT), 1);
}

/// Rows as they were written before there was trust for accounts.
#[test]
fn rows_of_earlier_versions_load_and_give_no_trust_for_accounts() {
    let success = START.as_millis();
    let limits = Limits {
        pin_set: limit(2, HOUR, HOUR),
        ..by_account(2)
    };
    let mut pbx = Pbx::with(limits);
    right(&mut pbx, "home").unwrap();
    until_locked(&mut pbx);
    let changes = pbx.lockouts.take_changes(100);
    let text = |letter: char| {
        let row = changes.iter().find(|change| change.key.starts_with(letter));
        let row = row.unwrap();
        (row.key.clone(), row.value.clone().unwrap())
    };
    let [trusted, locked] = ['t', 'a'].map(text);
    assert_eq!(
        trusted.1,
        format!(
            "{{\"version\":1,\"pin_set\":\"customers\",\"number\":\"home\",\
             \"endpoint\":\"PJSIP/trunk\",\"success\":{success}}}"
        )
    );
    assert!(!locked.1.contains("reserve"), "{}", locked.1);
    pbx.lockouts = Lockouts::default();
    for (key, value) in [trusted, locked] {
        assert_eq!(pbx.lockouts.restore(&key, &value, pbx.now), Ok(()));
    }
    assert!(right(&mut pbx, "home").is_err());
    pbx.limits.account = None;
    for _ in 0..2 {
        pbx.wrong(&from("mallory"));
    }
    assert_eq!(pbx.look(&from("home")), Standing::OneTry);
}

#[test]
fn rows_of_trust_for_accounts_are_bound_to_all_they_name() {
    let (mut pbx, _) = locked(2);
    let changes = pbx.lockouts.take_changes(100);
    let mut rows = changes.iter().filter(|change| change.key.starts_with('o'));
    let row = rows.next().unwrap();
    let value = row.value.as_deref().unwrap();
    let mut lockouts = Lockouts::default();
    for (what, by) in [
        ("alice", "bob"),
        ("home", "away"),
        ("work", "away"),
        ("PJSIP/trunk", "PJSIP/other"),
        ("\"account\":\"alice\",", ""),
        ("customers", "others"),
    ] {
        let broken = value.replace(what, by);
        let restored = lockouts.restore(&row.key, &broken, pbx.now);
        assert_eq!(restored.is_err(), broken != value, "{what}");
    }
    let as_of_pin_set = row.key.replacen('o', "t", 1);
    let restored = lockouts.restore(&as_of_pin_set, value, pbx.now);
    assert_eq!(restored, Err(StoredRowError));
}
