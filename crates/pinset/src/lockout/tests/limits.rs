//! Each rule by itself.

use super::*;

#[test]
fn so_many_failures_lock_a_caller_and_no_other() {
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
    assert_eq!(pbx.charge(&mallory).unwrap_err(), Refused::Locked(lock));
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
        assert_eq!(pbx.entry(&caller, Judged::Right), Ok(None));
    }
    assert_eq!(pbx.wrong(&caller).map(|lock| lock.kind), Some(Kind::Caller));
    let lock = pbx.wrong(&from(2));
    assert_eq!(lock.map(|lock| lock.kind), Some(Kind::PinSet));
}

#[test]
fn a_void_entry_is_as_if_it_had_not_been() {
    let mut pbx = Pbx::with(defaults());
    for _ in 0..200 {
        let entry = pbx.entry_for(&from(1), account("alice"), Judged::Void);
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
        assert_eq!(pbx.charge(&caller).unwrap_err(), Refused::Busy);
        assert_eq!(pbx.look(&caller), Standing::Open);
        assert_eq!(pbx.settle(first, Judged::Void), None);
        let first = pbx.charge(&caller).unwrap();
        assert_eq!(pbx.settle(first, Judged::Wrong), None);
        assert_eq!(pbx.charge(&caller).unwrap_err(), Refused::Busy);
        let lock = pbx.settle(second, Judged::Wrong);
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
    assert_eq!(charge(&mut charges[2]), Err(Refused::Busy));
    // What is charged already is not charged again.
    assert_eq!(charge(&mut charges[1]), Ok(()));
}

#[test]
fn what_is_off_is_not_counted() {
    let mut pbx = Pbx::with(NONE);
    for _ in 0..300 {
        let entry = pbx.entry_for(&from(1), account("alice"), Judged::Wrong);
        assert_eq!(entry, Ok(None));
    }
    pbx.entry(&from(1), Judged::Right).unwrap();
    assert!(!pbx.lockouts.has_changes());
}

#[test]
fn the_longest_lock_that_begins_is_the_one_that_is_told() {
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
fn a_pin_set_over_its_budget_is_closed_to_who_has_not_succeeded_there() {
    let mut pbx = Pbx::with(by_pin_set(3));
    let (alice, mallory) = (from(1), from(2));
    pbx.entry(&alice, Judged::Right).unwrap();
    let lock = pbx.until_locked(&mallory).1;
    assert_eq!(lock, pbx.lock(Kind::PinSet, 15 * MINUTE));
    for stranger in [&mallory, &from(3)] {
        assert_eq!(pbx.look(stranger), Standing::Locked(lock));
        assert_eq!(pbx.charge(stranger).unwrap_err(), Refused::Locked(lock));
    }
    // One try a call, and nothing gets longer by it.
    for _ in 0..2 {
        assert_eq!(pbx.look(&alice), Standing::OneTry);
        assert_eq!(pbx.wrong(&alice), None);
        let subject = pbx.subject(&alice);
        let second = pbx.lockouts.charge(&subject, 1, pbx.now);
        assert_eq!(second.unwrap_err(), Refused::Locked(lock));
    }
    assert_eq!(pbx.entry(&alice, Judged::Right), Ok(None));
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
    pbx.entry(&alice, Judged::Right).unwrap();
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
        pbx.entry(&alice, Judged::Right).unwrap();
        pbx.now += days * DAY;
        pbx.wrong(&mallory);
        assert_eq!(pbx.look(&alice) == Standing::OneTry, standing);
        pbx.now += HOUR;
    }
}

#[test]
fn an_account_is_locked_whoever_fails_for_it_and_success_starts_it_over() {
    let mut pbx = Pbx::with(by_account(3));
    let fail =
        |pbx: &mut Pbx, number| pbx.entry_for(&from(number), account("alice"), Judged::Wrong);
    assert_eq!(fail(&mut pbx, 1), Ok(None));
    assert_eq!(fail(&mut pbx, 2), Ok(None));
    let right = pbx.entry_for(&from(3), account("alice"), Judged::Right);
    assert_eq!(right, Ok(None));
    assert_eq!(fail(&mut pbx, 1), Ok(None));
    assert_eq!(fail(&mut pbx, 2), Ok(None));
    let lock = pbx.lock(Kind::Account, HOUR);
    assert_eq!(fail(&mut pbx, 4), Ok(Some(lock)));
    assert_eq!(fail(&mut pbx, 5), Err(Refused::Locked(lock)));
    let right = pbx.entry_for(&from(3), account("alice"), Judged::Right);
    assert_eq!(right, Err(Refused::Locked(lock)));
    let bob = pbx.entry_for(&from(5), account("bob"), Judged::Wrong);
    assert_eq!(bob, Ok(None));
    // A success forgets the earlier lock as well.
    pbx.now += HOUR;
    pbx.entry_for(&from(3), account("alice"), Judged::Right)
        .unwrap();
    let locks: Vec<_> = (0..3).filter_map(|n| fail(&mut pbx, n).unwrap()).collect();
    assert_eq!(locks, [pbx.lock(Kind::Account, HOUR)]);
}

#[test]
fn all_accounts_of_a_number_are_charged() {
    let mut pbx = Pbx::with(by_account(2));
    let both = |result, pbx: &mut Pbx| {
        let mut charge = pbx.charge(&from(1)).unwrap();
        for name in ["alice", "bob"] {
            let charged = pbx
                .lockouts
                .charge_account(&mut charge, account(name), pbx.now);
            assert_eq!(charged, Ok(()));
        }
        pbx.settle(charge, result)
    };
    assert_eq!(both(Judged::Wrong, &mut pbx), None);
    assert_eq!(both(Judged::Right, &mut pbx), None);
    assert_eq!(both(Judged::Wrong, &mut pbx), None);
    let lock = pbx.lock(Kind::Account, HOUR);
    assert_eq!(both(Judged::Wrong, &mut pbx), Some(lock));
    assert_eq!(pbx.locks().len(), 2);
}

/// Over years, so that no window has anything to do with it.
fn slowly(pbx: &mut Pbx, account: Account<'_>, failures: u32) -> Option<Lock> {
    let mut lock = None;
    for _ in 0..failures {
        assert_eq!(lock, None);
        pbx.now += 10 * DAY;
        lock = pbx.entry_for(&from(1), account, Judged::Wrong).unwrap();
    }
    lock
}

#[test]
fn a_hundred_consecutive_failures_lock_an_account_until_it_is_unlocked_by_hand() {
    let mut pbx = Pbx::with(by_account(10));
    assert_eq!(slowly(&mut pbx, account("alice"), 99), None);
    pbx.entry_for(&from(2), account("alice"), Judged::Right)
        .unwrap();
    assert_eq!(slowly(&mut pbx, account("alice"), 99), None);
    let by_hand = Lock {
        kind: Kind::Account,
        until: None,
    };
    assert_eq!(pbx.wrong_for("alice"), Some(by_hand));
    pbx.now += 1000 * DAY;
    let right = pbx.entry_for(&from(2), account("alice"), Judged::Right);
    assert_eq!(right, Err(Refused::Locked(by_hand)));
    let [held] = &pbx.locks()[..] else {
        panic!("{:?}", pbx.locks())
    };
    assert_eq!((held.until, held.failures), (None, 100));
    let unlocked = pbx.lockouts.unlock(Unlock::Account("alice"), None, pbx.now);
    assert_eq!(unlocked, 1);
    assert_eq!(slowly(&mut pbx, account("alice"), 99), None);
    assert_eq!(slowly(&mut pbx, account("alice"), 1), Some(by_hand));
}

#[test]
fn locks_in_between_do_not_stop_the_hundred_and_it_is_never_overrun() {
    let mut pbx = Pbx::with(by_account(30));
    for failed in 1..=99 {
        if pbx.wrong_for("alice").is_some() {
            assert_eq!(failed % 30, 0);
            pbx.now += DAY;
        }
    }
    let mut charges: Vec<_> = (0..2).map(|n| pbx.charge(&from(n)).unwrap()).collect();
    let mut charge = |n: usize| {
        let alice = account("alice");
        pbx.lockouts.charge_account(&mut charges[n], alice, pbx.now)
    };
    assert_eq!(charge(0), Ok(()));
    assert_eq!(charge(1), Err(Refused::Busy));
    let lock = pbx.settle(charges.remove(0), Judged::Wrong);
    assert_eq!(lock.map(|lock| lock.until), Some(None));
}

#[test]
fn an_account_that_does_not_exist_is_locked_as_one_that_does() {
    let mut known = Pbx::with(by_account(10));
    let mut unknown = Pbx::with(by_account(10));
    for _ in 0..120 {
        let one = known.entry_for(&from(1), account("42"), Judged::Wrong);
        let other = unknown.entry_for(&from(1), stranger("42"), Judged::Wrong);
        assert_eq!(one, other);
        let next = match one {
            Ok(Some(lock)) => lock.until.unwrap_or(known.now),
            _ => known.now + SECOND,
        };
        (known.now, unknown.now) = (next, next);
    }
    let (one, other) = (&known.locks()[0], &unknown.locks()[0]);
    assert_eq!((one.until, one.what.as_deref()), (None, Some("42")));
    assert_eq!((other.until, other.what.as_deref()), (None, None));
    // It can be unlocked by who knows its name.
    let unlocked = unknown
        .lockouts
        .unlock(Unlock::Account("42"), Some(SET), unknown.now);
    assert_eq!(unlocked, 1);
    assert_eq!(unknown.locks(), []);
}

#[test]
fn what_a_stranger_keyed_for_an_account_is_forgotten_in_a_month() {
    let mut pbx = Pbx::with(by_account(10));
    assert_eq!(slowly(&mut pbx, stranger("4711"), 99), None);
    pbx.now += 30 * DAY;
    pbx.look(&from(1));
    assert_eq!(pbx.lockouts.accounts.iter().count(), 0);
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
    assert_eq!(pbx.charge(&other).unwrap_err(), Refused::Locked(lock));
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
        assert_eq!(pbx.settle(charge, Judged::Wrong), None);
    }
    assert_eq!(pbx.look(&one), Standing::Locked(lock));
}

#[test]
fn unlocking_by_number_by_endpoint_and_in_one_pin_set() {
    let mut pbx = Pbx::with(by_caller(1));
    let at = |number: &str, channel| Caller::new(Some(number.as_bytes()), channel);
    let callers = [
        at("+905060508169", "PJSIP/trunk-01"),
        at("+905060508169", "PJSIP/other-01"),
        at("5060508169", "PJSIP/trunk-01"),
        at("+905060508160", "PJSIP/trunk-01"),
        Caller::new(None, "PJSIP/trunk-01"),
    ];
    let lock_all = |pbx: &mut Pbx| {
        pbx.lockouts = Lockouts::default();
        for pin_set in [SET, "other"] {
            for caller in &callers {
                let subject = Subject {
                    pin_set,
                    ..pbx.subject(caller)
                };
                let charge = pbx.lockouts.charge(&subject, 0, pbx.now).unwrap();
                assert!(pbx.settle(charge, Judged::Wrong).is_some());
            }
        }
    };
    let number = Unlock::Caller("05060508169", Some("+905060508169"));
    let cases = [
        (number, None, 4),
        (number, Some(SET), 2),
        (Unlock::Caller("5060508169", None), None, 2),
        (Unlock::Caller("PJSIP/trunk", None), None, 8),
        (Unlock::Caller("PJSIP/trunk", None), Some("other"), 4),
        (Unlock::Caller("PJSIP", None), None, 0),
        (Unlock::Caller("", Some("")), None, 0),
        (number, Some("no such"), 0),
    ];
    for (what, pin_set, unlocked) in cases {
        lock_all(&mut pbx);
        assert_eq!(
            pbx.lockouts.unlock(what, pin_set, pbx.now),
            unlocked,
            "{what:?}"
        );
        assert_eq!(pbx.locks().len(), 10 - unlocked, "{what:?}");
        assert_eq!(pbx.lockouts.unlock(what, pin_set, pbx.now), 0, "{what:?}");
    }
}

#[test]
fn unlocking_a_pin_set_opens_it_and_unlocks_no_caller() {
    let limits = Limits {
        pin_set: by_pin_set(2).pin_set,
        ..by_caller(2)
    };
    let mut pbx = Pbx::with(limits);
    pbx.wrong(&from(1));
    pbx.wrong(&from(1));
    let pin_set = Unlock::PinSet(SET);
    assert_eq!(pbx.lockouts.unlock(pin_set, Some("other"), pbx.now), 0);
    assert_eq!(pbx.lockouts.unlock(pin_set, None, pbx.now), 1);
    assert_eq!(pbx.look(&from(2)), Standing::Open);
    assert!(matches!(pbx.look(&from(1)), Standing::Locked(_)));
}

#[test]
fn unlocking_forgets_failures_and_earlier_locks_and_leaves_what_is_in_flight() {
    let mut pbx = Pbx::with(by_caller(2));
    let caller = from(1);
    pbx.until_locked(&caller);
    pbx.now += HOUR;
    pbx.wrong(&caller);
    let number = Unlock::Caller("1", None);
    // Not locked, but counted.
    assert_eq!(pbx.lockouts.unlock(number, None, pbx.now), 0);
    let (tries, lock) = pbx.until_locked(&caller);
    assert_eq!((tries, lock), (2, pbx.lock(Kind::Caller, 30 * MINUTE)));
    pbx.now += HOUR;
    let first = pbx.charge(&caller).unwrap();
    let second = pbx.charge(&caller).unwrap();
    assert_eq!(pbx.lockouts.unlock(number, None, pbx.now), 0);
    assert_eq!(pbx.charge(&caller).unwrap_err(), Refused::Busy);
    assert_eq!(pbx.settle(first, Judged::Wrong), None);
    let lock = pbx.lock(Kind::Caller, 30 * MINUTE);
    assert_eq!(pbx.settle(second, Judged::Wrong), Some(lock));
}

#[test]
fn locks_are_listed_in_order_while_they_stand() {
    let limits = Limits {
        account: by_account(2).account,
        pin_set: by_pin_set(4).pin_set,
        ..by_caller(2)
    };
    let mut pbx = Pbx::with(limits);
    let line = Caller::new(None, "DAHDI/1-1");
    for _ in 0..2 {
        pbx.entry_for(&from(2), stranger("42"), Judged::Wrong)
            .unwrap();
    }
    for _ in 0..2 {
        pbx.wrong(&line);
    }
    let told = |pbx: &Pbx| -> Vec<_> {
        let locks = pbx.locks().into_iter().map(|held| {
            let minutes = held.until.map(|until| (until - pbx.now).as_secs() / 60);
            (held.kind, held.what, held.endpoint, minutes, held.times)
        });
        locks.collect()
    };
    let text = |text: &str| Some(text.to_owned());
    let all = [
        (Kind::Caller, text("2"), text("PJSIP/trunk"), Some(30), 1),
        (Kind::Caller, text("DAHDI/1"), text("DAHDI/1"), Some(30), 1),
        (Kind::PinSet, text(SET), None, Some(15), 1),
        (Kind::Account, None, None, Some(60), 1),
    ];
    assert_eq!(told(&pbx), all);
    assert_eq!(pbx.lockouts.locks(Some(SET), pbx.now).len(), 4);
    assert_eq!(pbx.lockouts.locks(Some("other"), pbx.now), []);
    // Nobody has called since.
    pbx.now += 30 * MINUTE;
    assert_eq!(told(&pbx), [(Kind::Account, None, None, Some(30), 1)]);
    pbx.now += 30 * MINUTE;
    assert_eq!(told(&pbx), []);
}
