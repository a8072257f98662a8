//! Work that is done in pieces, so that no call waits for all of it.

use super::*;

/// Fifty callers, as many accounts and the PIN set are locked, in two PIN sets.
fn locked() -> Pbx {
    let limits = Limits {
        account: by_account(1).account,
        pin_set: by_pin_set(50).pin_set,
        ..by_caller(1)
    };
    let mut pbx = Pbx::with(limits);
    for pin_set in [SET, "other"] {
        for number in 0..50 {
            let caller = from(number);
            let name = number.to_string();
            let subject = Subject {
                pin_set,
                ..pbx.subject(&caller)
            };
            let mut charge = pbx.lockouts.charge(&subject, 0, pbx.now).unwrap();
            let account = Account {
                name: name.as_bytes(),
                known: number % 2 == 0,
            };
            let charged = pbx.lockouts.charge_account(&mut charge, account, pbx.now);
            assert_eq!(charged, Ok(()));
            assert!(pbx.settle(charge, AttemptResult::Wrong).is_some());
            // Some end at one time.
            if number % 3 == 0 {
                pbx.now += TICK;
            }
        }
    }
    pbx
}

#[test]
fn locks_in_pieces_are_those_at_once() {
    let mut pbx = locked();
    for pin_set in [None, Some(SET), Some("no such")] {
        for most in [1, 2, 7, 100, 202, 203, 1000] {
            let (mut all, mut pieces) = (Vec::new(), 0);
            let mut next = Some(Cursor::default());
            while let Some(cursor) = next {
                let (held, after) = pbx.lockouts.locks_after(pin_set, cursor, most, pbx.now);
                assert!(held.len() <= most);
                all.extend(held);
                (next, pieces) = (after, pieces + 1);
            }
            assert_eq!(pieces, 202_usize.div_ceil(most));
            all.sort_unstable();
            assert_eq!(all, pbx.lockouts.locks(pin_set, pbx.now));
        }
    }
    assert_eq!(pbx.locks().len(), 202);
    // What has ended between two pieces is in none after it.
    let (held, next) = pbx
        .lockouts
        .locks_after(None, Cursor::default(), 10, pbx.now);
    assert_eq!(held.len(), 10);
    pbx.now += 40 * MINUTE;
    let (held, next) = pbx.lockouts.locks_after(None, next.unwrap(), 1000, pbx.now);
    assert!(held.iter().all(|held| held.kind == Kind::Account));
    assert_eq!((held.len(), next), (100, None));
}

#[test]
fn unlocking_between_pieces_skips_no_lock() {
    let mut pbx = locked();
    let (held, next) = pbx
        .lockouts
        .locks_after(None, Cursor::default(), 10, pbx.now);
    for held in &held {
        let number = Unlock::Caller(held.what.as_deref().unwrap(), None);
        assert_eq!(pbx.lockouts.unlock(number, Some(&held.pin_set), pbx.now), 1);
    }
    let rest = pbx.lockouts.locks_after(None, next.unwrap(), 1000, pbx.now);
    assert_eq!(rest.0.len(), 192);
}

#[test]
fn unlocking_in_pieces_is_unlocking() {
    for (what, pin_set, expected) in [
        (Unlock::Caller("7", None), None, 2),
        (Unlock::Caller("PJSIP/trunk", None), None, 100),
        (Unlock::Caller("PJSIP/trunk", None), Some("other"), 50),
        (Unlock::Account("8"), None, 2),
        (Unlock::Account("9"), None, 2),
        (Unlock::Account("9"), Some(SET), 1),
        (Unlock::PinSet(SET), None, 1),
        (Unlock::PinSet(SET), Some("other"), 0),
    ] {
        for most in [1, 33, 99, 100, 101] {
            let mut pbx = locked();
            let (mut unlocked, mut pieces) = (0, 0);
            let mut next = Some(Cursor::default());
            while let Some(cursor) = next {
                let (some, after) = pbx
                    .lockouts
                    .unlock_after(what, pin_set, cursor, most, pbx.now);
                assert!(some.locks <= most);
                (unlocked, next, pieces) = (unlocked + some.locks, after, pieces + 1);
            }
            assert_eq!(unlocked, expected, "{what:?} {pin_set:?}");
            assert_eq!(pbx.locks().len(), 202 - expected);
            let all = match what {
                Unlock::PinSet(_) => 1,
                _ => 100_usize.div_ceil(most),
            };
            assert_eq!(pieces, all);
        }
    }
}
