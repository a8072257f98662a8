//! Accounts: those that exist, and those that do not.

use super::*;

#[test]
fn an_account_is_locked_whoever_fails_for_it_and_success_starts_it_over() {
    let mut pbx = Pbx::with(by_account(3));
    let fail = |pbx: &mut Pbx, number| {
        pbx.entry_for(&from(number), account("alice"), AttemptResult::Wrong)
    };
    assert_eq!(fail(&mut pbx, 1), Ok(None));
    assert_eq!(fail(&mut pbx, 2), Ok(None));
    let right = pbx.entry_for(&from(3), account("alice"), AttemptResult::Right(None));
    assert_eq!(right, Ok(None));
    assert_eq!(fail(&mut pbx, 1), Ok(None));
    assert_eq!(fail(&mut pbx, 2), Ok(None));
    let lock = pbx.lock(Kind::Account, HOUR);
    assert_eq!(fail(&mut pbx, 4), Ok(Some(lock)));
    assert_eq!(fail(&mut pbx, 5), Err(ChargeError::Locked(lock)));
    let right = pbx.entry_for(&from(6), account("alice"), AttemptResult::Right(None));
    assert_eq!(right, Err(ChargeError::Locked(lock)));
    let bob = pbx.entry_for(&from(5), account("bob"), AttemptResult::Wrong);
    assert_eq!(bob, Ok(None));
    // A success forgets the earlier lock as well.
    pbx.now += HOUR;
    pbx.entry_for(&from(6), account("alice"), AttemptResult::Right(None))
        .unwrap();
    let locks: Vec<_> = (0..3).filter_map(|n| fail(&mut pbx, n).unwrap()).collect();
    assert_eq!(locks, [pbx.lock(Kind::Account, HOUR)]);
}

/// An entry for two accounts of one number.
fn entry_for_both(pbx: &mut Pbx, result: AttemptResult<'_>) -> Option<Lock> {
    let mut charge = pbx.charge(&from(1)).unwrap();
    for name in ["alice", "bob"] {
        let charged = pbx
            .lockouts
            .charge_account(&mut charge, account(name), pbx.now);
        assert_eq!(charged, Ok(()));
    }
    pbx.settle(charge, result)
}

#[test]
fn all_accounts_of_a_number_are_charged() {
    let mut pbx = Pbx::with(by_account(2));
    assert_eq!(entry_for_both(&mut pbx, AttemptResult::Wrong), None);
    let lock = pbx.lock(Kind::Account, HOUR);
    assert_eq!(entry_for_both(&mut pbx, AttemptResult::Wrong), Some(lock));
    assert_eq!(pbx.locks().len(), 2);
}

#[test]
fn success_with_one_account_of_a_number_clears_no_other() {
    let mut pbx = Pbx::with(by_account(3));
    let lock = pbx.lock(Kind::Account, HOUR);
    for locked in [None, None, Some(lock)] {
        let right = AttemptResult::Right(Some(b"alice"));
        assert_eq!(entry_for_both(&mut pbx, right), None);
        assert_eq!(entry_for_both(&mut pbx, AttemptResult::Wrong), locked);
    }
    let locks = pbx.locks();
    let what: Vec<_> = locks.iter().map(|held| held.what.as_deref()).collect();
    assert_eq!(what, [Some("bob")]);
    // Nor does it end the memory of an earlier lock, nor the hundred.
    pbx.now += HOUR;
    let mut locks = 1;
    while pbx.locks().iter().all(|held| held.until.is_some()) {
        entry_for_both(&mut pbx, AttemptResult::Right(Some(b"alice")));
        if entry_for_both(&mut pbx, AttemptResult::Wrong).is_some() {
            locks += 1;
            let held = pbx.locks().remove(0);
            assert_eq!((held.what.as_deref(), held.times), (Some("bob"), locks));
            pbx.now = held.until.unwrap_or(pbx.now);
        }
    }
    assert_eq!(pbx.locks()[0].failures, 100);
}

#[test]
fn success_without_an_account_clears_none() {
    let mut pbx = Pbx::with(by_account(2));
    entry_for_both(&mut pbx, AttemptResult::Wrong);
    entry_for_both(&mut pbx, AttemptResult::Right(None));
    assert!(entry_for_both(&mut pbx, AttemptResult::Wrong).is_some());
}

#[test]
fn names_that_are_no_text_are_different_accounts() {
    let mut pbx = Pbx::with(by_account(1));
    let named = |name| Account { name, known: true };
    let (one, other) = (named(b"m\xfcller".as_slice()), named(b"m\xf6ller"));
    let lock = pbx.entry_for(&from(1), one, AttemptResult::Wrong).unwrap();
    assert!(lock.is_some());
    assert_eq!(
        pbx.entry_for(&from(1), other, AttemptResult::Right(None)),
        Ok(None)
    );
    assert_eq!(pbx.locks()[0].what.as_deref(), Some("m\\xfcller"));
    assert_eq!(pbx.restart(Capacity::DEFAULT), 2);
    assert!(pbx
        .entry_for(&from(2), one, AttemptResult::Right(None))
        .is_err());
    let unlocked = pbx
        .lockouts
        .unlock(Unlock::Account("m\\xfcller"), None, pbx.now);
    assert_eq!(unlocked, 1);
}

/// Over years, so that no window has anything to do with it.
fn slowly(pbx: &mut Pbx, account: Account<'_>, failures: u32) -> Option<Lock> {
    let mut lock = None;
    for _ in 0..failures {
        assert_eq!(lock, None);
        pbx.now += 10 * DAY;
        lock = pbx
            .entry_for(&from(1), account, AttemptResult::Wrong)
            .unwrap();
    }
    lock
}

#[test]
fn a_hundred_consecutive_failures_lock_an_account_until_it_is_unlocked_by_hand() {
    let mut pbx = Pbx::with(by_account(10));
    assert_eq!(slowly(&mut pbx, account("alice"), 99), None);
    pbx.entry_for(&from(2), account("alice"), AttemptResult::Right(None))
        .unwrap();
    assert_eq!(slowly(&mut pbx, account("alice"), 99), None);
    let by_hand = Lock {
        kind: Kind::Account,
        until: None,
    };
    assert_eq!(pbx.wrong_for("alice"), Some(by_hand));
    pbx.now += 1000 * DAY;
    let right = pbx.entry_for(&from(2), account("alice"), AttemptResult::Right(None));
    assert_eq!(right, Err(ChargeError::Locked(by_hand)));
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
    assert_eq!(charge(1), Err(ChargeError::Busy));
    let lock = pbx.settle(charges.remove(0), AttemptResult::Wrong);
    assert_eq!(lock.map(|lock| lock.until), Some(None));
}

#[test]
fn an_account_that_does_not_exist_is_locked_as_one_that_does() {
    let mut known = Pbx::with(by_account(10));
    let mut unknown = Pbx::with(by_account(10));
    for _ in 0..120 {
        let one = known.entry_for(&from(1), account("42"), AttemptResult::Wrong);
        let other = unknown.entry_for(&from(1), stranger("42"), AttemptResult::Wrong);
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
    // An administrator who has its name can unlock it; the log must not have it.
    for (pbx, is_named) in [(&mut known, true), (&mut unknown, false)] {
        let (what, first) = (Unlock::Account("42"), Cursor::default());
        let unlocked = pbx
            .lockouts
            .unlock_after(what, Some(SET), first, 1000, pbx.now);
        assert_eq!(unlocked, (Unlocked { locks: 1, is_named }, None));
        assert_eq!(pbx.locks(), []);
    }
}

#[test]
fn count_of_an_unlisted_account_expires_after_a_month() {
    let mut pbx = Pbx::with(by_account(10));
    assert_eq!(slowly(&mut pbx, stranger("4711"), 99), None);
    pbx.now += 30 * DAY - TICK;
    pbx.look(&from(1));
    assert_eq!(pbx.lockouts.accounts.iter().count(), 1);
    pbx.now += TICK;
    pbx.look(&from(1));
    assert_eq!(pbx.lockouts.accounts.iter().count(), 0);
}

/// Failures of callers it trusts included, even while an attempt keeps its count.
#[test]
fn failures_of_an_unknown_account_are_forgotten_after_thirty_days() {
    let mut pbx = Pbx::with(by_account(1000));
    let (known, unknown) = (from(1), stranger("4711"));
    pbx.entry_for(&known, unknown, AttemptResult::Right(None))
        .unwrap();
    for _ in 0..99 {
        let wrong = pbx.entry_for(&known, unknown, AttemptResult::Wrong);
        assert_eq!(wrong, Ok(None));
    }
    let mut in_flight = pbx.charge(&from(2)).unwrap();
    let charged = pbx
        .lockouts
        .charge_account(&mut in_flight, unknown, pbx.now);
    assert_eq!(charged, Ok(()));
    let busy = pbx.entry_for(&from(3), unknown, AttemptResult::Wrong);
    assert_eq!(busy, Err(ChargeError::Busy));
    pbx.now += 30 * DAY;
    let forgotten = pbx.entry_for(&from(3), unknown, AttemptResult::Wrong);
    assert_eq!(forgotten, Ok(None));
    assert_eq!(pbx.settle(in_flight, AttemptResult::Wrong), None);
}
