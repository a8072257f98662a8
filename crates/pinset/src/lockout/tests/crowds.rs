//! More than there is room for.

use std::collections::BTreeMap;

use super::*;

const CAPACITY: Capacity = Capacity {
    callers: 1000,
    accounts: 50,
    trusted: 50,
    pin_sets: 5,
};

impl Lockouts {
    fn size(&self) -> [usize; 4] {
        let counts = [&self.callers, &self.accounts, &self.pin_sets];
        let [callers, accounts, pin_sets] = counts.map(|table| table.iter().count());
        [callers, accounts, pin_sets, self.trusted.iter().count()]
    }
}

#[test]
fn a_hundred_thousand_callers_fill_neither_memory_nor_the_database() {
    let mut pbx = Pbx::sized(by_caller(5), CAPACITY);
    let mut rows = BTreeMap::new();
    for number in 0..100 * CAPACITY.callers {
        pbx.wrong(&from(number));
        if number % 400 == 0 {
            pbx.now += TICK;
            for change in pbx.lockouts.take_changes(500) {
                match change.value {
                    Some(_) => rows.insert(change.key, ()),
                    None => rows.remove(&change.key),
                };
                assert!(rows.len() <= CAPACITY.callers);
            }
        }
    }
    assert_eq!(pbx.lockouts.size(), [CAPACITY.callers, 0, 0, 0]);
    let waiting = pbx.lockouts.take_changes(usize::MAX).len();
    assert!(waiting <= 2 * CAPACITY.callers, "{waiting}");
}

#[test]
fn unwritten_changes_are_bounded() {
    let mut pbx = Pbx::sized(by_caller(5), CAPACITY);
    (0..100_000).for_each(|number| assert_eq!(pbx.wrong(&from(number)), None));
    let waiting = pbx.lockouts.take_changes(usize::MAX);
    assert_eq!(waiting.len(), CAPACITY.callers);
    assert!(waiting.iter().all(|change| change.value.is_some()));
}

#[test]
fn locks_and_entries_in_flight_are_never_evicted() {
    let mut pbx = Pbx::sized(by_caller(2), CAPACITY);
    pbx.until_locked(&from("locked"));
    pbx.wrong(&from("flies"));
    let charge = pbx.charge(&from("flies")).unwrap();
    (0..5000).for_each(|number| {
        pbx.now += TICK;
        pbx.wrong(&from(number));
    });
    assert!(matches!(pbx.look(&from("locked")), Standing::Locked(_)));
    assert!(pbx.settle(charge, AttemptResult::Wrong).is_some());
}

#[test]
fn count_that_expires_first_is_evicted_first() {
    let mut pbx = Pbx::sized(by_caller(2), CAPACITY);
    // Locked once: that is remembered for a day.
    pbx.until_locked(&from("again"));
    pbx.now += 2 * HOUR;
    pbx.wrong(&from("old"));
    pbx.now += TICK;
    let room = CAPACITY.callers - 2;
    (0..room).for_each(|number| assert_eq!(pbx.wrong(&from(number)), None));
    // There is one too many: of the old one nothing is known.
    pbx.wrong(&from("new"));
    assert!(pbx.wrong(&from(room / 2)).is_some());
    assert!(pbx.wrong(&from("new")).is_some());
    assert_eq!(pbx.wrong(&from("old")), None);
    assert_eq!(
        pbx.until_locked(&from("again")).1,
        pbx.lock(Kind::Caller, HOUR)
    );
}

#[test]
fn pin_set_still_counts_when_all_callers_are_locked() {
    let limits = Limits {
        pin_set: by_pin_set(2000).pin_set,
        account: by_account(2).account,
        ..by_caller(1)
    };
    let mut pbx = Pbx::sized(limits, CAPACITY);
    for number in 0..CAPACITY.callers {
        assert!(pbx.wrong(&from(number)).is_some());
    }
    // One more is not locked for it, but for the rest he is.
    let new = from("new");
    for _ in CAPACITY.callers..1999 {
        assert_eq!(pbx.wrong(&new), None);
        assert_eq!(pbx.look(&new), Standing::Open);
    }
    let lock = pbx.wrong(&new).map(|lock| lock.kind);
    assert_eq!(lock, Some(Kind::PinSet));
    assert_eq!(pbx.locks().len(), CAPACITY.callers + 1);
    // When locks end, there is room.
    pbx.now += 30 * MINUTE;
    assert!(pbx.wrong(&new).is_some());
    assert_eq!(pbx.lockouts.size()[0], CAPACITY.callers);
}

#[test]
fn accounts_and_pin_sets_without_room_are_not_refused() {
    let limits = Limits {
        account: by_account(1).account,
        ..by_pin_set(1)
    };
    let mut pbx = Pbx::sized(limits, CAPACITY);
    let caller = from(1);
    for name in 0..200 {
        let name = name.to_string();
        let subject = Subject {
            pin_set: &name,
            ..pbx.subject(&caller)
        };
        let mut charge = pbx.lockouts.charge(&subject, 0, pbx.now).unwrap();
        let charged = pbx
            .lockouts
            .charge_account(&mut charge, account(&name), pbx.now);
        assert_eq!(charged, Ok(()));
        pbx.settle(charge, AttemptResult::Wrong);
    }
    assert_eq!(
        pbx.lockouts.size(),
        [0, CAPACITY.accounts, CAPACITY.pin_sets, 0]
    );
    assert_eq!(pbx.locks().len(), CAPACITY.accounts + CAPACITY.pin_sets);
}

#[test]
fn accounts_keep_their_failures_while_strangers_come_and_go() {
    let mut pbx = Pbx::sized(by_account(200), CAPACITY);
    for _ in 0..99 {
        pbx.wrong_for("alice");
    }
    pbx.now += 40 * DAY;
    for number in 0..1000 {
        let name = number.to_string();
        pbx.entry_for(&from(1), stranger(&name), AttemptResult::Wrong)
            .unwrap();
    }
    assert_eq!(pbx.lockouts.size()[1], CAPACITY.accounts / 2 + 1);
    let lock = pbx.wrong_for("alice").unwrap();
    assert_eq!(lock.until, None);
}

#[test]
fn failures_of_an_account_evict_those_of_a_stranger_first() {
    let mut pbx = Pbx::sized(by_account(200), CAPACITY);
    let half = CAPACITY.accounts / 2;
    (0..half).for_each(|number| assert_eq!(pbx.wrong_for(&format!("old {number}")), None));
    pbx.now += SECOND;
    for number in 0..half {
        let name = number.to_string();
        let entry = pbx.entry_for(&from(1), stranger(&name), AttemptResult::Wrong);
        assert_eq!(entry, Ok(None));
    }
    (0..half).for_each(|number| assert_eq!(pbx.wrong_for(&format!("new {number}")), None));
    let number_of = |pbx: &Pbx, what: &str| {
        let counts = pbx.lockouts.accounts.iter().map(|(_, count)| &count.who);
        let accounts = counts.filter(
            |who| matches!(who, FailureOwner::Account(Some(name)) if name.starts_with(what)),
        );
        accounts.count()
    };
    assert_eq!(number_of(&pbx, ""), CAPACITY.accounts);
    // Of the accounts, the one with the oldest failure is evicted.
    pbx.wrong_for("newest");
    assert_eq!(number_of(&pbx, "old"), half - 1);
    assert_eq!(number_of(&pbx, "new"), half + 1);
}

#[test]
fn failures_never_evict_trusted_callers() {
    let mut pbx = Pbx::sized(by_pin_set(100_000), CAPACITY);
    for number in 0..CAPACITY.trusted {
        pbx.entry(&from(number), AttemptResult::Right(None))
            .unwrap();
        pbx.now += SECOND;
    }
    (1000..11_000).for_each(|number| assert_eq!(pbx.wrong(&from(number)), None));
    pbx.limits = by_pin_set(1);
    for number in 0..CAPACITY.trusted {
        assert_eq!(pbx.look(&from(number)), Standing::OneTry);
    }
    // Of the trusted callers, the one with the oldest success is evicted.
    pbx.entry(&from(0), AttemptResult::Right(None)).unwrap();
    pbx.limits = by_pin_set(100_000);
    pbx.lockouts.unlock(Unlock::PinSet(SET), None, pbx.now);
    pbx.entry(&from("new"), AttemptResult::Right(None)).unwrap();
    pbx.wrong(&from(1));
    pbx.limits = by_pin_set(1);
    assert_eq!(pbx.look(&from(0)), Standing::OneTry);
    assert!(matches!(pbx.look(&from(1)), Standing::Locked(_)));
}

#[test]
fn expired_counts_are_removed_in_small_steps() {
    let mut pbx = Pbx::sized(by_caller(5), CAPACITY);
    (0..1000).for_each(|number| assert_eq!(pbx.wrong(&from(number)), None));
    pbx.now += HOUR;
    let mut before = 1000;
    while before > 0 {
        pbx.look(&from("nobody"));
        let now = pbx.lockouts.size()[0];
        assert!((1..=16).contains(&(before - now)), "{before} {now}");
        before = now;
    }
}

#[test]
fn locked_strangers_leave_room_for_accounts() {
    let mut pbx = Pbx::sized(by_account(1), CAPACITY);
    for number in 0..200 {
        let name = number.to_string();
        let entry = pbx.entry_for(&from(1), stranger(&name), AttemptResult::Wrong);
        let has_room = number < CAPACITY.accounts / 2;
        assert_eq!(entry.unwrap().is_some(), has_room, "{number}");
    }
    for number in 0..CAPACITY.accounts / 2 {
        assert!(pbx.wrong_for(&format!("account {number}")).is_some());
    }
    // One of them is put into the list: it is no stranger, so one more may come.
    let first = pbx.entry_for(&from(1), account("0"), AttemptResult::Wrong);
    assert!(first.is_err());
    pbx.lockouts
        .unlock(Unlock::Account("account 0"), None, pbx.now);
    let one_more = pbx.entry_for(&from(1), stranger("new"), AttemptResult::Wrong);
    assert!(one_more.unwrap().is_some());
    assert_eq!(pbx.lockouts.size()[1], CAPACITY.accounts);
}

#[test]
fn success_with_one_account_evicts_no_trust_of_another() {
    let capacity = Capacity {
        trusted: 500,
        ..CAPACITY
    };
    let mut pbx = Pbx::sized(by_account(2), capacity);
    let right = |pbx: &mut Pbx, number: usize, name: &str| {
        pbx.now += SECOND;
        let entry = pbx.entry_for(&from(number), account(name), AttemptResult::Right(None));
        assert_eq!(entry, Ok(None));
    };
    right(&mut pbx, 0, "alice");
    // With mallory's PIN, a thousand numbers succeed.
    (0..1000).for_each(|number| right(&mut pbx, number, "mallory"));
    for name in ["alice", "mallory"] {
        while pbx.wrong_for(name).is_none() {}
    }
    let mut is_open = |number: usize, name| {
        let entry = pbx.entry_for(&from(number), account(name), AttemptResult::Void);
        entry.is_ok()
    };
    assert!(is_open(0, "alice"));
    let open = (0..1000).filter(|number| is_open(*number, "mallory"));
    assert_eq!(open.collect::<Vec<_>>(), [995, 996, 997, 998, 999]);
    assert_eq!(pbx.lockouts.trusted_for_account.iter().count(), 6);
}
