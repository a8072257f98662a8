//! Locks listed and ended by hand.

use super::*;

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
                assert!(pbx.settle(charge, AttemptResult::Wrong).is_some());
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
    assert_eq!(pbx.charge(&caller).unwrap_err(), ChargeError::Busy);
    assert_eq!(pbx.settle(first, AttemptResult::Wrong), None);
    let lock = pbx.lock(Kind::Caller, 30 * MINUTE);
    assert_eq!(pbx.settle(second, AttemptResult::Wrong), Some(lock));
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
        pbx.entry_for(&from(2), stranger("42"), AttemptResult::Wrong)
            .unwrap();
    }
    for _ in 0..2 {
        pbx.wrong(&line);
    }
    let listed = |pbx: &Pbx| -> Vec<_> {
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
    assert_eq!(listed(&pbx), all);
    assert_eq!(pbx.lockouts.locks(Some(SET), pbx.now).len(), 4);
    assert_eq!(pbx.lockouts.locks(Some("other"), pbx.now), []);
    // There has been no call since.
    pbx.now += 30 * MINUTE;
    assert_eq!(listed(&pbx), [(Kind::Account, None, None, Some(30), 1)]);
    pbx.now += 30 * MINUTE;
    assert_eq!(listed(&pbx), []);
}
