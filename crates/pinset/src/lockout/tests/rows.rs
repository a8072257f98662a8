//! Rows as they are stored and restored.

use std::collections::BTreeMap;

use proptest::prelude::*;

use super::*;

/// A PBX on which something of each kind has happened, and its rows.
fn stored() -> (Pbx, Vec<Change>) {
    let mut pbx = Pbx::with(defaults());
    pbx.entry_for(
        &from("+90\"\\\n\u{1}é"),
        account("alice"),
        AttemptResult::Right(None),
    )
    .unwrap();
    for number in 0..4 {
        pbx.now += SECOND;
        pbx.entry_for(&from(number), account("bob"), AttemptResult::Wrong)
            .unwrap();
    }
    for _ in 0..5 {
        pbx.wrong(&Caller::new(None, "PJSIP/trunk-1"));
    }
    let mut changes = pbx.lockouts.take_changes(3);
    assert_eq!(changes.len(), 3);
    assert!(pbx.lockouts.has_changes());
    changes.extend(pbx.lockouts.take_changes(100));
    assert!(!pbx.lockouts.has_changes());
    assert_eq!(pbx.lockouts.take_changes(100), []);
    (pbx, changes)
}

#[test]
fn a_row_a_key_and_each_once() {
    let (mut pbx, changes) = stored();
    let mut letters: Vec<_> = changes.iter().map(|change| &change.key[..1]).collect();
    letters.sort_unstable();
    assert_eq!(letters, ["a", "c", "c", "c", "c", "c", "o", "p", "t"]);
    for change in &changes {
        assert!(change.key[1..].bytes().all(|byte| byte.is_ascii_hexdigit()));
        let value = change.value.as_deref().unwrap();
        assert!(!value.contains('\n'), "{value}");
    }
    pbx.wrong(&from(1));
    let keys = |changes: Vec<Change>| -> Vec<_> {
        let letters = changes.into_iter().map(|change| change.key.chars().next());
        letters.flatten().collect()
    };
    assert_eq!(keys(pbx.lockouts.take_changes(100)), ['c', 'p']);
    // Looking, being refused and being verified without a result write nothing.
    pbx.look(&from(1));
    pbx.entry(&from(1), AttemptResult::Void).unwrap();
    pbx.charge(&Caller::new(None, "PJSIP/trunk-1")).unwrap_err();
    assert!(!pbx.lockouts.has_changes());
}

#[test]
fn a_success_is_written_once_a_day() {
    let mut pbx = Pbx::with(by_pin_set(1));
    let mut written = 0;
    for _ in 0..100 {
        pbx.entry(&from(1), AttemptResult::Right(None)).unwrap();
        written += pbx.lockouts.take_changes(100).len();
        pbx.now += HOUR;
    }
    assert_eq!(written, 4);
}

/// Charges an attempt of its own call to alice.
fn in_flight(pbx: &mut Pbx, number: u32) -> Charge {
    let mut charge = pbx.charge(&from(number)).unwrap();
    let alice = account("alice");
    let charged = pbx.lockouts.charge_account(&mut charge, alice, pbx.now);
    assert_eq!(charged, Ok(()));
    charge
}

/// Returns the rows of accounts that are written.
fn rows_of_accounts(pbx: &mut Pbx) -> Vec<String> {
    let changes = pbx.lockouts.take_changes(100).into_iter();
    let of_accounts = changes.filter(|change| change.key.starts_with('a'));
    of_accounts.filter_map(|change| change.value).collect()
}

/// With it the counter is kept, though it has nothing to count any more.
#[test]
fn success_is_written_while_another_attempt_is_in_flight() {
    let mut pbx = Pbx::with(by_account(10));
    pbx.wrong_for("alice");
    assert_eq!(rows_of_accounts(&mut pbx).len(), 1);
    pbx.now += DAY;
    let _other = in_flight(&mut pbx, 1);
    let charge = in_flight(&mut pbx, 2);
    pbx.settle(charge, AttemptResult::Right(Some(b"alice")));
    let rows = rows_of_accounts(&mut pbx);
    assert!(rows[0].contains(r#""consecutive":0"#), "{rows:?}");
    // One more writes nothing.
    let charge = in_flight(&mut pbx, 3);
    pbx.settle(charge, AttemptResult::Right(Some(b"alice")));
    assert_eq!(rows_of_accounts(&mut pbx), [""; 0]);
}

#[test]
fn success_after_a_lock_ends_its_memory_in_the_database() {
    let mut pbx = Pbx::with(by_account(10));
    let early = in_flight(&mut pbx, 1);
    (0..3).for_each(|_| assert_eq!(pbx.wrong_for("alice"), None));
    pbx.limits = by_account(3);
    let refused = pbx.entry_for(&from(2), account("alice"), AttemptResult::Wrong);
    assert!(refused.is_err());
    pbx.settle(early, AttemptResult::Right(Some(b"alice")));
    let rows = rows_of_accounts(&mut pbx);
    assert!(rows[0].contains(r#""times":1,"consecutive":0"#), "{rows:?}");
    pbx.now += HOUR;
    let _other = in_flight(&mut pbx, 4);
    let charge = in_flight(&mut pbx, 5);
    pbx.settle(charge, AttemptResult::Right(Some(b"alice")));
    let rows = rows_of_accounts(&mut pbx);
    assert!(rows[0].contains(r#""times":0,"consecutive":0"#), "{rows:?}");
}

#[test]
fn rows_of_expired_state_are_deleted() {
    let (mut pbx, changes) = stored();
    let mut rows: BTreeMap<_, _> = changes.into_iter().map(|c| (c.key, c.value)).collect();
    let unlocked = pbx
        .lockouts
        .unlock(Unlock::Caller("PJSIP/trunk", None), None, pbx.now);
    assert_eq!(unlocked, 1);
    let gone = pbx.lockouts.take_changes(100);
    assert_eq!(gone.len(), 5);
    for change in gone {
        assert_eq!(change.value, None);
        assert!(rows.remove(&change.key).is_some());
    }
    // Nothing but bob's failures is for ever.
    pbx.now += 31 * DAY;
    pbx.look(&from(1));
    for change in pbx.lockouts.take_changes(100) {
        assert_eq!(change.value, None);
        assert!(rows.remove(&change.key).is_some());
    }
    let left: Vec<_> = rows.keys().map(|key| &key[..1]).collect();
    assert_eq!(left, ["a"]);
}

#[test]
fn restart_without_calls_deletes_expired_rows() {
    let (mut pbx, changes) = stored();
    pbx.now += 31 * DAY;
    pbx.lockouts = Lockouts::default();
    for change in &changes {
        let value = change.value.as_deref().unwrap();
        assert_eq!(pbx.lockouts.restore(&change.key, value, pbx.now), Ok(()));
    }
    let gone = pbx.lockouts.take_changes(100);
    assert_eq!(gone.len(), 8);
    assert!(gone.iter().all(|change| change.value.is_none()));
}

#[test]
fn unlocked_count_in_flight_again_is_written() {
    let mut pbx = Pbx::with(by_caller(1));
    pbx.wrong(&from(1));
    let mut rows: BTreeMap<_, _> = BTreeMap::new();
    let mut write = |pbx: &mut Pbx| {
        for change in pbx.lockouts.take_changes(100) {
            rows.insert(change.key, change.value);
        }
        rows.values().flatten().cloned().collect::<Vec<_>>()
    };
    assert_eq!(write(&mut pbx).len(), 1);
    pbx.lockouts
        .unlock(Unlock::Caller("1", None), None, pbx.now);
    let charge = pbx.charge(&from(1)).unwrap();
    let rows_now = write(&mut pbx);
    assert!(
        !rows_now.iter().any(|row| row.contains("\"times\":1")),
        "{rows_now:?}"
    );
    assert_eq!(pbx.settle(charge, AttemptResult::Void), None);
    assert_eq!(write(&mut pbx), Vec::<String>::new());
}

#[test]
fn a_crash_forgets_what_was_in_flight() {
    let mut pbx = Pbx::with(by_caller(2));
    pbx.wrong(&from(1));
    let charge = pbx.charge(&from(1)).unwrap();
    pbx.charge(&from(1)).unwrap_err();
    assert_eq!(pbx.restart(Capacity::DEFAULT), 1);
    assert_eq!(pbx.look(&from(1)), Standing::Open);
    assert!(pbx.charge(&from(1)).is_ok());
    // One from before can come to nothing bad.
    pbx.settle(charge, AttemptResult::Void);
}

#[test]
fn strangers_are_never_written() {
    let mut pbx = Pbx::with(by_account(10));
    for failed in 1..=100 {
        let entry = pbx.entry_for(&from(1), stranger("4711"), AttemptResult::Wrong);
        if entry.unwrap().is_some() && failed < 100 {
            pbx.now += DAY;
        }
    }
    assert_eq!(pbx.locks().len(), 1);
    assert_eq!(pbx.lockouts.take_changes(100), []);
    // Somebody writes an account of that name into the list.
    pbx.entry_for(&from(1), account("4711"), AttemptResult::Wrong)
        .unwrap_err();
    let changes = pbx.lockouts.take_changes(100);
    assert_eq!(changes.len(), 1);
    assert!(changes[0].value.as_deref().unwrap().contains("4711"));
}

#[test]
fn a_lock_by_hand_comes_back_and_another_ends_within_a_day() {
    let mut pbx = Pbx::with(by_account(1));
    for _ in 0..100 {
        let lock = pbx.wrong_for("alice").unwrap();
        pbx.now = lock.until.unwrap_or(pbx.now);
    }
    pbx.wrong_for("bob");
    // The clock of the machine that starts is far behind.
    pbx.now -= 300 * DAY;
    assert_eq!(pbx.restart(Capacity::DEFAULT), 2);
    let until: Vec<_> = pbx
        .locks()
        .into_iter()
        .map(|held| (held.what, held.until))
        .collect();
    let name = |name: &str| Some(name.to_owned());
    let expected = [(name("alice"), None), (name("bob"), Some(pbx.now + DAY))];
    assert_eq!(until, expected);
}

#[test]
fn failures_from_the_future_count_as_now() {
    let mut pbx = Pbx::with(by_caller(3));
    pbx.wrong(&from(1));
    pbx.wrong(&from(1));
    pbx.now -= 10 * DAY;
    assert_eq!(pbx.restart(Capacity::DEFAULT), 1);
    let rows = pbx.lockouts.callers.iter().count();
    pbx.now += 15 * MINUTE;
    pbx.look(&from(2));
    assert_eq!(pbx.lockouts.callers.iter().count(), rows);
    pbx.now += TICK;
    pbx.look(&from(2));
    assert_eq!(pbx.lockouts.callers.iter().count(), 0);
}

#[test]
fn broken_rows_are_refused() {
    let (pbx, changes) = stored();
    let broken = |key: &str, value: &str| {
        let mut lockouts = Lockouts::default();
        let restored = lockouts.restore(key, value, pbx.now);
        assert_eq!(restored, Err(StoredRowError), "{key} {value}");
        assert_eq!(lockouts.locks(None, pbx.now), []);
        assert!(!lockouts.has_changes());
    };
    let replaced = [
        ("\"version\":1", "\"version\":2"),
        ("\"pin_set\":\"customers\"", "\"pin_set\":\"others\""),
        (
            "\"pin_set\":\"customers\"",
            "\"pin_set\":\"customers\",\"more\":1",
        ),
        ("\"pin_set\":\"customers\"", "\"pin_set\":7"),
        ("\"failures\":[", "\"failures\":[[1,0],"),
        ("\"failures\":[", "\"failures\":[[2,1],[1,1],"),
        ("\"failures\":[", "\"failures\":[[-1,1],"),
        ("\"times\":0", "\"times\":1"),
        ("\"times\":1", "\"times\":0"),
        ("\"times\":0", "\"times\":99999999999"),
        ("PJSIP/trunk", "PJSIP/other"),
        ("bob", "eve"),
        (
            "\"success\":",
            "\"counts\":null,\"account\":\"x\",\"success\":",
        ),
    ];
    for (what, by) in replaced {
        let rows = changes.iter().filter_map(|change| {
            let value = change.value.as_deref()?;
            value
                .contains(what)
                .then(|| (&change.key, value.replace(what, by)))
        });
        let count = rows.map(|(key, value)| broken(key, &value)).count();
        assert!(count > 0, "{what}");
    }
    let many = format!("\"failures\":[{}", "[1,1],".repeat(129));
    for change in &changes {
        let value = change.value.as_deref().unwrap();
        broken(
            &change.key,
            &value
                .replace("\"failures\":[", &many)
                .replace("success", "no"),
        );
        broken(&change.key[1..], value);
        broken(&change.key, &value[1..]);
        broken(&change.key, "");
        for letter in ["c", "a", "p", "t", "o"] {
            if !change.key.starts_with(letter) {
                broken(&format!("{letter}{}", &change.key[1..]), value);
            }
        }
    }
    // Only accounts are locked by hand.
    let caller = changes
        .iter()
        .find(|change| change.key.starts_with('c'))
        .unwrap();
    let value = caller.value.as_deref().unwrap();
    broken(
        &caller.key,
        &value.replace(
            "\"by_hand\":false,\"times\":0",
            "\"by_hand\":true,\"times\":1",
        ),
    );
    for (what, by) in [
        ("\"consecutive\":0", "\"consecutive\":1"),
        ("\"last\"", "\"trusted_consecutive\":1,\"last\""),
        ("\"last\"", "\"trusted_failures\":[[1,1]],\"last\""),
    ] {
        broken(&caller.key, &value.replace(what, by));
    }
}

#[test]
fn restoring_keeps_held_state() {
    let mut pbx = Pbx::with(by_caller(2));
    pbx.wrong(&from(1));
    let old = pbx.lockouts.take_changes(1).remove(0);
    pbx.wrong(&from(1));
    let locks = pbx.locks();
    let restored = pbx.lockouts.restore(&old.key, &old.value.unwrap(), pbx.now);
    assert_eq!(restored, Ok(()));
    assert_eq!(pbx.locks(), locks);
    assert_eq!(pbx.lockouts.take_changes(10).len(), 1);
}

proptest! {
    #[test]
    fn restoring_any_row_does_not_panic(
        row in 0usize..9,
        at in 0usize..400,
        with in "[0-9\"\\[\\]{},:a-z-]{0,12}",
        cut in 0usize..12,
        now in prop::option::of(any::<u64>()),
    ) {
        let (pbx, changes) = stored();
        let value = changes[row].value.as_deref().unwrap();
        let mut text: Vec<_> = value.chars().collect();
        let at = at.min(text.len());
        let end = (at + cut).min(text.len());
        text.splice(at..end, with.chars());
        let text: String = text.into_iter().collect();
        let now = now.map_or(pbx.now, Duration::from_millis);
        let mut lockouts = Lockouts::default();
        lockouts.restore(&changes[row].key, &text, now).ok();
        for held in lockouts.locks(None, now) {
            prop_assert!(held.until.is_none_or(|until| until <= now + DAY));
        }
        let caller = from(1);
        let subject = Subject { pin_set: SET, limits: defaults(), caller: &caller };
        lockouts.look(&subject, now);
        lockouts.take_changes(10);
    }
}
