//! The reserve of trusted callers once the PIN set is over its budget.

use super::*;

const LOCK: Duration = Duration::from_secs(15 * 60);

/// A PIN set that is over its budget of that many failures, and two callers
/// who have succeeded there.
fn over_budget(failures: u32) -> (Pbx, [Caller; 2], Lock) {
    let mut pbx = Pbx::with(by_pin_set(failures));
    let trusted = [from("alice"), from("bob")];
    for caller in &trusted {
        pbx.entry(caller, AttemptResult::Right(None)).unwrap();
    }
    let (tries, lock) = pbx.until_locked(&from("mallory"));
    assert_eq!((tries, lock), (failures, pbx.lock(Kind::PinSet, LOCK)));
    (pbx, trusted, lock)
}

/// How many wrong entries there are until none is verified any more.
fn verified(pbx: &mut Pbx, caller: &Caller) -> u32 {
    let mut verified = 0;
    while pbx.entry(caller, AttemptResult::Wrong).is_ok() {
        verified += 1;
        assert!(verified < MANY_TRIES, "all are verified");
    }
    verified
}

#[test]
fn trusted_callers_have_as_many_failures_as_the_budget_between_them() {
    let (mut pbx, [alice, bob], lock) = over_budget(4);
    assert_eq!(pbx.wrong(&alice), None);
    for _ in 0..10 {
        assert_eq!(pbx.entry(&bob, AttemptResult::Right(None)), Ok(None));
        assert_eq!(pbx.entry(&bob, AttemptResult::Void), Ok(None));
    }
    assert_eq!(pbx.wrong(&bob), None);
    assert_eq!(pbx.wrong(&alice), None);
    assert_eq!(pbx.look(&bob), Standing::OneTry);
    // The last one finds itself locked out, until the lock ends: no later.
    assert_eq!(pbx.wrong(&alice), Some(lock));
    pbx.now += LOCK - TICK;
    for caller in [&alice, &bob] {
        assert_eq!(pbx.look(caller), Standing::Locked(lock));
        assert_eq!(pbx.charge(caller).unwrap_err(), ChargeError::Locked(lock));
    }
    pbx.now += TICK;
    assert_eq!(pbx.look(&alice), Standing::Open);
    // Nothing of it counts for the budget.
    assert_eq!(pbx.until_locked(&from("mallory")).0, 4);
}

#[test]
fn reserve_starts_over_with_each_lock() {
    let (mut pbx, [alice, _], _) = over_budget(3);
    for wrong in [2, 3, 3] {
        for _ in 0..wrong {
            pbx.wrong(&alice);
        }
        let standing = pbx.look(&alice);
        assert_eq!(matches!(standing, Standing::Locked(_)), wrong == 3);
        pbx.now += DAY;
        pbx.until_locked(&from("mallory"));
        assert_eq!(pbx.look(&alice), Standing::OneTry);
    }
    assert_eq!(verified(&mut pbx, &alice), 3);
}

#[test]
fn each_pin_set_has_its_own() {
    let (mut pbx, [alice, _], _) = over_budget(2);
    let other = Subject {
        pin_set: "other",
        ..pbx.subject(&alice)
    };
    for result in [
        AttemptResult::Right(None),
        AttemptResult::Wrong,
        AttemptResult::Wrong,
    ] {
        let charge = pbx.lockouts.charge(&other, 0, pbx.now).unwrap();
        pbx.lockouts.settle(charge, result, pbx.now);
    }
    assert_eq!(verified(&mut pbx, &alice), 2);
    assert_eq!(pbx.lockouts.look(&other, pbx.now), Standing::OneTry);
}

#[test]
fn entries_in_flight_are_on_it_until_they_are_settled() {
    let (mut pbx, [alice, bob], lock) = over_budget(3);
    pbx.wrong(&alice);
    let first = pbx.charge(&alice).unwrap();
    let second = pbx.charge(&bob).unwrap();
    assert!(first.is_over_budget());
    // Others may yet be right.
    assert_eq!(pbx.charge(&alice).unwrap_err(), ChargeError::Busy);
    assert_eq!(pbx.look(&alice), Standing::OneTry);
    assert_eq!(pbx.settle(first, AttemptResult::Right(None)), None);
    let first = pbx.charge(&alice).unwrap();
    assert_eq!(pbx.settle(first, AttemptResult::Void), None);
    let first = pbx.charge(&alice).unwrap();
    assert_eq!(pbx.settle(first, AttemptResult::Wrong), None);
    assert_eq!(pbx.charge(&alice).unwrap_err(), ChargeError::Busy);
    assert_eq!(pbx.settle(second, AttemptResult::Wrong), Some(lock));
    assert_eq!(pbx.charge(&alice).unwrap_err(), ChargeError::Locked(lock));
}

#[test]
fn entry_settled_after_the_lock_counts_only_in_the_next_lock() {
    let (mut pbx, [alice, bob], _) = over_budget(3);
    let charges: Vec<_> = (0..3).map(|_| pbx.charge(&alice).unwrap()).collect();
    pbx.now += LOCK;
    let [one, two, three] = <[Charge; 3]>::try_from(charges).unwrap();
    pbx.look(&alice);
    pbx.lockouts.take_changes(100);
    assert_eq!(pbx.settle(one, AttemptResult::Wrong), None);
    assert_eq!(pbx.lockouts.take_changes(100), []);
    let charge = pbx.charge(&alice).unwrap();
    assert!(!charge.is_over_budget());
    pbx.settle(charge, AttemptResult::Void);
    let lock = pbx.lock(Kind::PinSet, 2 * LOCK);
    assert_eq!(pbx.until_locked(&from("mallory")), (3, lock));
    // Those of before are in flight yet.
    assert_eq!(pbx.wrong(&bob), None);
    assert_eq!(pbx.charge(&bob).unwrap_err(), ChargeError::Busy);
    assert_eq!(pbx.settle(two, AttemptResult::Wrong), None);
    assert_eq!(pbx.settle(three, AttemptResult::Wrong), Some(lock));
    assert_eq!(pbx.charge(&bob).unwrap_err(), ChargeError::Locked(lock));
}

#[test]
fn entry_in_flight_on_the_reserve_outlasts_the_lock() {
    let (mut pbx, [alice, _], _) = over_budget(2);
    let charge = pbx.charge(&alice).unwrap();
    pbx.now += 3 * DAY;
    pbx.look(&alice);
    pbx.until_locked(&from("mallory"));
    assert_eq!(pbx.wrong(&alice), None);
    assert_eq!(pbx.charge(&alice).unwrap_err(), ChargeError::Busy);
    pbx.settle(charge, AttemptResult::Void);
    assert!(pbx.wrong(&alice).is_some());
    pbx.now += 3 * DAY;
    pbx.look(&alice);
    assert_eq!(pbx.lockouts.pin_sets.iter().count(), 0);
}

#[test]
fn unlocking_the_pin_set_gives_it_back() {
    let (mut pbx, [alice, _], _) = over_budget(2);
    assert_eq!(verified(&mut pbx, &alice), 2);
    let charge = {
        pbx.limits = by_pin_set(3);
        pbx.charge(&alice).unwrap()
    };
    pbx.limits = by_pin_set(2);
    let pin_set = Unlock::PinSet(SET);
    pbx.lockouts.take_changes(100);
    assert_eq!(pbx.lockouts.unlock(pin_set, None, pbx.now), 1);
    // Of what is in flight there is a row yet.
    let row = pbx.lockouts.take_changes(1).remove(0).value.unwrap();
    assert!(!row.contains("reserve"), "{row}");
    assert_eq!(pbx.look(&alice), Standing::Open);
    pbx.until_locked(&from("mallory"));
    // What is in flight stays so.
    assert_eq!(pbx.wrong(&alice), None);
    assert_eq!(pbx.charge(&alice).unwrap_err(), ChargeError::Busy);
    pbx.settle(charge, AttemptResult::Void);
    assert_eq!(verified(&mut pbx, &alice), 1);
}

#[test]
fn a_restart_gives_nothing_back() {
    let (mut pbx, [alice, bob], lock) = over_budget(3);
    pbx.wrong(&alice);
    pbx.wrong(&alice);
    assert_eq!(pbx.restart(Capacity::DEFAULT), 3);
    assert_eq!(pbx.look(&bob), Standing::OneTry);
    assert_eq!(pbx.wrong(&bob), Some(lock));
    // One row only: the rows of the callers have not changed.
    let changes = pbx.lockouts.take_changes(100);
    let [Change {
        key,
        value: Some(value),
    }] = &changes[..]
    else {
        panic!("{changes:?}")
    };
    assert!(value.contains(",\"reserve\":3}"), "{value}");
    let restored = |value: &str, now| {
        let mut lockouts = Lockouts::default();
        let restored = lockouts.restore(key, value, now);
        restored.map(|()| lockouts.pin_sets.iter().map(|(_, c)| c.reserve).sum())
    };
    assert_eq!(restored(value, pbx.now), Ok(3));
    // It has gone with its lock.
    assert_eq!(restored(value, pbx.now + LOCK), Ok(0));
    // As it was written before there was such a count.
    let old = value.replace(",\"reserve\":3", "");
    assert_eq!(restored(&old, pbx.now), Ok(0));
    for broken in [
        value.replace("\"reserve\":3", "\"reserve\":-1"),
        old.replace(
            &format!("\"until\":{}", lock.until.unwrap().as_millis()),
            "\"until\":0",
        )
        .replace("\"times\":1", "\"times\":0,\"reserve\":1"),
    ] {
        assert_ne!(broken, *value);
        assert_eq!(restored(&broken, pbx.now), Err(StoredRowError), "{broken}");
    }
}

#[test]
fn reserve_in_a_callers_row_is_refused() {
    let mut pbx = Pbx::with(by_caller(1));
    pbx.wrong(&from(1));
    let row = pbx.lockouts.take_changes(1).remove(0);
    let value = row.value.unwrap();
    assert_eq!(pbx.lockouts.restore(&row.key, &value, pbx.now), Ok(()));
    let broken = value.replace("\"last\"", "\"reserve\":1,\"last\"");
    let restored = pbx.lockouts.restore(&row.key, &broken, pbx.now);
    assert_eq!(restored, Err(StoredRowError));
}

#[test]
fn reserve_follows_the_current_limit() {
    let (mut pbx, [alice, _], lock) = over_budget(3);
    pbx.wrong(&alice);
    pbx.limits = by_pin_set(1);
    assert_eq!(pbx.look(&alice), Standing::Locked(lock));
    pbx.limits = by_pin_set(3);
    assert_eq!(pbx.look(&alice), Standing::OneTry);
    assert_eq!(verified(&mut pbx, &alice), 2);
}

#[test]
fn an_entry_that_outlives_its_lock_locks_nobody_out() {
    let (mut pbx, [alice, _], _) = over_budget(1);
    let charge = pbx.charge(&alice).unwrap();
    pbx.now += LOCK;
    assert_eq!(pbx.settle(charge, AttemptResult::Wrong), None);
    assert_eq!(pbx.look(&from("stranger")), Standing::Open);
}
