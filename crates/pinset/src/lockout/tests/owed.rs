//! Entries that were taken out of flight and are counted later.

use super::*;

fn count_owed(pbx: &mut Pbx, caller: &Caller) -> Option<Lock> {
    let charge = pbx.lockouts.charge_owed(&pbx.subject(caller), pbx.now);
    pbx.settle(charge, AttemptResult::Wrong)
}

#[test]
fn an_owed_entry_counts_whatever_is_in_flight() {
    let mut pbx = Pbx::with(by_caller(2));
    let caller = from(1);
    let in_flight = [pbx.charge(&caller).unwrap(), pbx.charge(&caller).unwrap()];
    assert_eq!(pbx.charge(&caller).unwrap_err(), ChargeError::Busy);
    assert_eq!(count_owed(&mut pbx, &caller), None);
    let lock = pbx.lock(Kind::Caller, 30 * MINUTE);
    assert_eq!(count_owed(&mut pbx, &caller), Some(lock));
    for charge in in_flight {
        assert_eq!(pbx.settle(charge, AttemptResult::Void), None);
    }
    assert_eq!(pbx.look(&caller), Standing::Locked(lock));
}

#[test]
fn an_owed_entry_adds_nothing_to_a_lock() {
    for limits in [by_caller(2), by_pin_set(2)] {
        let mut pbx = Pbx::with(limits);
        let caller = from(1);
        let (_, lock) = pbx.until_locked(&caller);
        pbx.now = lock.until.unwrap() - TICK;
        for _ in 0..5 {
            assert_eq!(count_owed(&mut pbx, &caller), None);
        }
        pbx.now += TICK;
        assert_eq!(pbx.look(&caller), Standing::Open);
        assert_eq!(pbx.until_locked(&caller).0, 2);
    }
}

#[test]
fn an_owed_entry_of_a_trusted_caller_counts_on_the_reserve() {
    let mut pbx = Pbx::with(by_pin_set(2));
    let (alice, mallory) = (from("alice"), from("mallory"));
    pbx.entry(&alice, AttemptResult::Right(None)).unwrap();
    let (_, lock) = pbx.until_locked(&mallory);
    // Not that of anybody else.
    assert_eq!(count_owed(&mut pbx, &mallory), None);
    assert_eq!(count_owed(&mut pbx, &alice), None);
    assert_eq!(pbx.look(&alice), Standing::OneTry);
    assert_eq!(count_owed(&mut pbx, &alice), Some(lock));
    assert_eq!(pbx.look(&alice), Standing::Locked(lock));
    assert_eq!(count_owed(&mut pbx, &alice), None);
}
