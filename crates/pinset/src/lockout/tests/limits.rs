//! Each rule by itself.

use super::*;

#[test]
fn failures_up_to_the_limit_lock_their_caller_alone() {
    let mut pbx = Pbx::with(by_caller(5));
    let (mallory, alice) = (from(1), from(2));
    for _ in 0..4 {
        assert_eq!(pbx.wrong(&mallory), None);
        assert_eq!(pbx.look(&mallory), Standing::Open);
    }
    let lock = pbx.lock(Kind::Caller, 30 * MINUTE);
    assert_eq!(pbx.wrong(&mallory), Some(lock));
    pbx.now += 30 * MINUTE - TICK;
    assert_eq!(pbx.look(&mallory), Standing::Locked(lock));
    assert_eq!(pbx.charge(&mallory).unwrap_err(), ChargeError::Locked(lock));
    let elsewhere = Caller::new(Some(b"1"), "PJSIP/other-00000001");
    for other in [&alice, &elsewhere] {
        assert_eq!(pbx.look(other), Standing::Open);
    }
    let subject = Subject {
        pin_set: "other",
        ..pbx.subject(&mallory)
    };
    assert_eq!(pbx.lockouts.look(&subject, pbx.now), Standing::Open);
    pbx.now += TICK;
    assert_eq!(pbx.look(&mallory), Standing::Open);
}

#[test]
fn callers_without_a_number_are_one_at_their_endpoint() {
    let mut pbx = Pbx::with(by_caller(2));
    let nobody = |channel| Caller::new(None, channel);
    pbx.wrong(&nobody("PJSIP/trunk-00000001"));
    assert!(pbx
        .wrong(&Caller::new(Some(b""), "PJSIP/trunk-00000002"))
        .is_some());
    let standing = pbx.look(&nobody("PJSIP/trunk-00000003"));
    assert!(matches!(standing, Standing::Locked(_)));
    assert_eq!(pbx.look(&nobody("PJSIP/other-00000001")), Standing::Open);
    assert_eq!(pbx.look(&from(1)), Standing::Open);
}

#[test]
fn failures_count_within_the_window() {
    let mut pbx = Pbx::with(by_caller(3));
    let caller = from(1);
    pbx.wrong(&caller);
    pbx.now += 10 * MINUTE;
    pbx.wrong(&caller);
    // The first is just outside, then just inside.
    pbx.now += 5 * MINUTE + TICK;
    assert_eq!(pbx.wrong(&caller), None);
    pbx.now += 10 * MINUTE - TICK;
    assert!(pbx.wrong(&caller).is_some());
}

#[test]
fn each_lock_is_twice_as_long_as_the_one_before_up_to_a_day() {
    let mut pbx = Pbx::with(by_caller(2));
    let caller = from(1);
    for minutes in [30, 60, 120, 240, 480, 960, 1440, 1440, 1440] {
        let (tries, lock) = pbx.until_locked(&caller);
        // A lock begins with what failed since the last one.
        assert_eq!((tries, lock), (2, pbx.lock(Kind::Caller, minutes * MINUTE)));
        pbx.now += minutes * MINUTE;
    }
    // A day after the end of the last one, it is forgotten.
    pbx.now += DAY - TICK;
    assert_eq!(pbx.until_locked(&caller).1, pbx.lock(Kind::Caller, DAY));
    pbx.now += 2 * DAY;
    let first = pbx.lock(Kind::Caller, 30 * MINUTE);
    assert_eq!(pbx.until_locked(&caller).1, first);
}

#[test]
fn a_right_entry_leaves_the_callers_and_the_pin_sets_failures() {
    let limits = Limits {
        pin_set: by_pin_set(4).pin_set,
        ..by_caller(3)
    };
    let mut pbx = Pbx::with(limits);
    let caller = from(1);
    pbx.wrong(&caller);
    pbx.wrong(&caller);
    for _ in 0..10 {
        assert_eq!(pbx.entry(&caller, AttemptResult::Right(None)), Ok(None));
    }
    assert_eq!(pbx.wrong(&caller).map(|lock| lock.kind), Some(Kind::Caller));
    let lock = pbx.wrong(&from(2));
    assert_eq!(lock.map(|lock| lock.kind), Some(Kind::PinSet));
}

#[test]
fn a_void_entry_is_as_if_it_had_not_been() {
    let mut pbx = Pbx::with(defaults());
    for _ in 0..200 {
        let entry = pbx.entry_for(&from(1), account("alice"), AttemptResult::Void);
        assert_eq!(entry, Ok(None));
    }
    assert!(!pbx.lockouts.has_changes());
    assert_eq!(pbx.lockouts.callers.iter().count(), 0);
    assert_eq!(pbx.lockouts.accounts.iter().count(), 0);
    assert_eq!(pbx.lockouts.pin_sets.iter().count(), 0);
    assert_eq!(pbx.lockouts.trusted.iter().count(), 0);
}

#[test]
fn entries_in_flight_count_until_they_are_settled() {
    for (limits, of) in [(by_caller(3), Kind::Caller), (by_pin_set(3), Kind::PinSet)] {
        let mut pbx = Pbx::with(limits);
        let caller = from(1);
        pbx.wrong(&caller);
        let first = pbx.charge(&caller).unwrap();
        let second = pbx.charge(&caller).unwrap();
        // Not locked: nothing has failed yet.
        assert_eq!(pbx.charge(&caller).unwrap_err(), ChargeError::Busy);
        assert_eq!(pbx.look(&caller), Standing::Open);
        assert_eq!(pbx.settle(first, AttemptResult::Void), None);
        let first = pbx.charge(&caller).unwrap();
        assert_eq!(pbx.settle(first, AttemptResult::Wrong), None);
        assert_eq!(pbx.charge(&caller).unwrap_err(), ChargeError::Busy);
        let lock = pbx.settle(second, AttemptResult::Wrong);
        assert_eq!(lock.map(|lock| lock.kind), Some(of));
    }
    let mut pbx = Pbx::with(by_account(2));
    let mut charges: Vec<_> = (0..3).map(|n| pbx.charge(&from(n)).unwrap()).collect();
    let mut charge = |charge: &mut Charge| {
        let alice = account("alice");
        pbx.lockouts.charge_account(charge, alice, pbx.now)
    };
    assert_eq!(charge(&mut charges[0]), Ok(()));
    assert_eq!(charge(&mut charges[1]), Ok(()));
    assert_eq!(charge(&mut charges[2]), Err(ChargeError::Busy));
    // What is charged already is not charged again.
    assert_eq!(charge(&mut charges[1]), Ok(()));
}

#[test]
fn disabled_limits_count_nothing() {
    let mut pbx = Pbx::with(NONE);
    for _ in 0..300 {
        let entry = pbx.entry_for(&from(1), account("alice"), AttemptResult::Wrong);
        assert_eq!(entry, Ok(None));
    }
    pbx.entry(&from(1), AttemptResult::Right(None)).unwrap();
    assert!(!pbx.lockouts.has_changes());
}

#[test]
fn longest_of_the_new_locks_is_reported() {
    let hour = limit(2, HOUR, HOUR);
    let short = limit(2, HOUR, MINUTE);
    let all = |caller, pin_set, account| Limits {
        caller,
        account,
        pin_set,
    };
    let cases = [
        (all(hour, short, short), Kind::Caller, HOUR),
        (all(short, hour, short), Kind::PinSet, HOUR),
        (all(short, short, hour), Kind::Account, HOUR),
        (all(hour, hour, hour), Kind::Caller, HOUR),
        (all(None, hour, hour), Kind::PinSet, HOUR),
    ];
    for (limits, kind, long) in cases {
        let mut pbx = Pbx::with(limits);
        assert_eq!(pbx.wrong_for("alice"), None);
        assert_eq!(pbx.wrong_for("alice"), Some(pbx.lock(kind, long)));
    }
}

#[test]
fn pin_set_over_its_budget_admits_trusted_callers_only() {
    let mut pbx = Pbx::with(by_pin_set(3));
    let (alice, mallory) = (from(1), from(2));
    pbx.entry(&alice, AttemptResult::Right(None)).unwrap();
    let lock = pbx.until_locked(&mallory).1;
    assert_eq!(lock, pbx.lock(Kind::PinSet, 15 * MINUTE));
    for stranger in [&mallory, &from(3)] {
        assert_eq!(pbx.look(stranger), Standing::Locked(lock));
        assert_eq!(pbx.charge(stranger).unwrap_err(), ChargeError::Locked(lock));
    }
    // One try a call, and nothing gets longer by it.
    for _ in 0..2 {
        assert_eq!(pbx.look(&alice), Standing::OneTry);
        assert_eq!(pbx.wrong(&alice), None);
        let subject = pbx.subject(&alice);
        let second = pbx.lockouts.charge(&subject, 1, pbx.now);
        assert_eq!(second.unwrap_err(), ChargeError::Locked(lock));
    }
    assert_eq!(pbx.entry(&alice, AttemptResult::Right(None)), Ok(None));
    let subject = Subject {
        pin_set: "other",
        ..pbx.subject(&alice)
    };
    assert_eq!(pbx.lockouts.look(&subject, pbx.now), Standing::Open);
    pbx.now += 15 * MINUTE;
    assert_eq!(pbx.look(&alice), Standing::Open);
    assert_eq!(pbx.look(&mallory), Standing::Open);
    // Failures over the budget have not been counted.
    assert_eq!(pbx.until_locked(&mallory).0, 3);
}

#[test]
fn over_the_budget_callers_and_accounts_are_still_charged() {
    let limits = Limits {
        caller: by_caller(3).caller,
        account: by_account(3).account,
        pin_set: limit(10, HOUR, 12 * HOUR),
    };
    let mut pbx = Pbx::with(limits);
    let alice = from(1);
    pbx.entry(&alice, AttemptResult::Right(None)).unwrap();
    for number in 0..10 {
        pbx.wrong(&from(100 + number));
    }
    pbx.wrong(&alice);
    pbx.wrong(&alice);
    let lock = pbx.lock(Kind::Caller, 30 * MINUTE);
    assert_eq!(pbx.wrong(&alice), Some(lock));
    assert_eq!(pbx.look(&alice), Standing::Locked(lock));
    pbx.now += 30 * MINUTE;
    let entries: Vec<_> = (0..3).map(|_| pbx.wrong_for("alice")).collect();
    assert_eq!(entries, [None, None, Some(pbx.lock(Kind::Caller, HOUR))]);
    assert_eq!(pbx.locks().len(), 3);
}

#[test]
fn a_success_is_remembered_for_thirty_days() {
    let mut pbx = Pbx::with(by_pin_set(1));
    let (alice, mallory) = (from(1), from(2));
    for (days, standing) in [(29, true), (30, false)] {
        pbx.entry(&alice, AttemptResult::Right(None)).unwrap();
        pbx.now += days * DAY;
        pbx.wrong(&mallory);
        assert_eq!(pbx.look(&alice) == Standing::OneTry, standing);
        pbx.now += HOUR;
    }
}

#[test]
fn limits_are_those_of_the_moment_and_locks_stay() {
    let mut pbx = Pbx::with(by_caller(5));
    let (one, other) = (from(1), from(2));
    for _ in 0..3 {
        pbx.wrong(&one);
        pbx.wrong(&other);
    }
    // More failures than the new limit allows: locked by it.
    pbx.limits = by_caller(2);
    let lock = pbx.lock(Kind::Caller, 30 * MINUTE);
    assert_eq!(pbx.look(&one), Standing::Locked(lock));
    assert_eq!(pbx.charge(&other).unwrap_err(), ChargeError::Locked(lock));
    pbx.limits = by_caller(1000);
    assert_eq!(pbx.look(&one), Standing::Locked(lock));
    pbx.limits = NONE;
    assert_eq!(pbx.look(&one), Standing::Open);
    pbx.limits = by_caller(5);
    assert_eq!(pbx.look(&one), Standing::Locked(lock));
    // In flight by the old limit, and locked by the new one meanwhile.
    let mut pbx = Pbx::with(by_caller(5));
    pbx.wrong(&one);
    let charges: Vec<_> = (0..4).map(|_| pbx.charge(&one).unwrap()).collect();
    pbx.limits = by_caller(1);
    assert_eq!(pbx.look(&one), Standing::Locked(lock));
    for charge in charges {
        assert_eq!(pbx.settle(charge, AttemptResult::Wrong), None);
    }
    assert_eq!(pbx.look(&one), Standing::Locked(lock));
}
