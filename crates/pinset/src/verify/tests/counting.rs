//! Counting of entries.

use super::*;

const LIST: &str = "account,secret,caller\n\
    alice,plain:1234,+905060508169\nbob,plain:4321,+905060508169\n4711,plain:9999,\n";

fn look(verifier: &Verifier<&Pbx, &Pbx>) -> Standing {
    verifier.counter().look(&mut stays())
}

#[test]
fn wrong_entries_lock_the_caller_out_however_the_number_is_spelled() {
    let pbx = Pbx::csv(LIST);
    let options = [("lockout_caller", "2/15m/30m")];
    let mut verifier = pbx.verify(&options, Some("05060508169"));
    assert_eq!(verified(&mut verifier, "1"), "wrong");
    assert_eq!((look(&verifier), pbx.locked.take()), (Standing::Open, None));
    let mut verifier = pbx.verify(&options, Some("+905060508169"));
    assert_eq!(verified(&mut verifier, "2"), "locked, verified");
    let half_an_hour = Duration::from_secs(30 * 60);
    let lock = Lock {
        kind: LockKind::Caller,
        until: Some(START + half_an_hour),
    };
    let reported = Some((lock, Some(half_an_hour)));
    assert_eq!(pbx.locked.take(), reported);
    // From now on, not even the right PIN is verified; each call gets a report.
    assert_eq!(verified(&mut verifier, "1234"), "locked");
    assert_eq!(pbx.locked.take(), reported);
    assert_eq!(look(&verifier), Standing::Locked(lock));
    assert_eq!(pbx.locked.take(), reported);
    // Another number is another caller.
    let mut verifier = pbx.verify(&options, Some("05060508170"));
    assert_eq!(verified(&mut verifier, "1234"), "right alice 0 -");
    // There is no notice for the administrator.
    assert_eq!(pbx.notices(), "");
}

#[test]
fn changes_are_reported_after_each_entry() {
    let pbx = Pbx::csv(LIST);
    let mut verifier = pbx.verify(&[], Some("1"));
    look(&verifier);
    assert_eq!(pbx.changed.get(), 0);
    verified(&mut verifier, "1");
    assert_eq!(pbx.changed.get(), 1);
    pbx.lockouts.borrow_mut().take_changes(usize::MAX);
    verified(&mut verifier, "");
    assert_eq!(pbx.changed.get(), 1);
    verified(&mut verifier, "1");
    assert_eq!(pbx.changed.get(), 2);
}

#[test]
fn empty_entry_is_not_counted() {
    let pbx = Pbx::csv(LIST);
    let mut verifier = pbx.verify(&[("lockout_caller", "1/1h/1h")], Some("1"));
    for _ in 0..3 {
        assert_eq!(verified(&mut verifier, ""), "wrong");
    }
    assert_eq!(look(&verifier), Standing::Open);
    assert_eq!(verified(&mut verifier, "1"), "locked, verified");
    // Then neither.
    assert_eq!(verified(&mut verifier, ""), "wrong");
}

#[test]
fn right_entries_do_not_count() {
    let pbx = Pbx::csv(LIST);
    let mut verifier = pbx.verify(&[("lockout_caller", "1/1h/1h")], Some("1"));
    for _ in 0..3 {
        assert_eq!(verified(&mut verifier, "1234"), "right alice 0 -");
    }
    assert_eq!(look(&verifier), Standing::Open);
}

#[test]
fn accounts_are_charged_before_a_hash_is_computed() {
    let pbx = Pbx::csv(&format!("account,secret\n4711,\"{}\"\n", argon2id("1234")));
    let options = [("identify", "account"), ("lockout_account", "1/1h/1h")];
    pbx.hashing.replace(Some(Rc::new(|pbx: &Pbx| {
        // Another call, for the same account, can't have it verified meanwhile.
        let other = pbx.verify(&[("lockout_account", "1/1h/1h")], Some("2"));
        let ticket = other.counter().charge(&mut stays());
        let mut ticket = ticket.unwrap_or_else(|halt| panic!("{halt:?}"));
        let mut charge = |name: &[u8]| {
            let known = true;
            ticket.accounts(&mut Host(1), &[Account { name, known }])
        };
        assert_eq!(charge(b"4711"), Err(AttemptError::Gone));
        assert_eq!(charge(b"4712"), Ok(vec![true]));
    })));
    let mut verifier = pbx.verify(&options, None);
    assert_eq!(
        for_account(&mut verifier, Some("4711"), "1"),
        "locked, verified"
    );
    assert_eq!(pbx.hashed.take().len(), 1);
    // Without a hash.
    assert_eq!(for_account(&mut verifier, Some("4711"), "1234"), "locked");
    assert_eq!(pbx.hashed.take(), []);
    let by = pbx.locked.take().map(|(lock, _)| lock.kind);
    assert_eq!(by, Some(LockKind::Account));
}

#[test]
fn unlisted_accounts_are_charged() {
    let pbx = Pbx::csv(LIST);
    let options = [("identify", "account"), ("lockout_account", "1/1h/1h")];
    let mut verifier = pbx.verify(&options, None);
    for account in ["4711", "0000"] {
        assert_eq!(
            for_account(&mut verifier, Some(account), "1"),
            "locked, verified"
        );
        assert_eq!(for_account(&mut verifier, Some(account), "9999"), "locked");
    }
    // But shown nowhere.
    let held = pbx.lockouts.borrow().locks(None, START);
    let what: Vec<_> = held.into_iter().map(|held| held.what).collect();
    assert_eq!(what, [None, Some("4711".to_owned())]);
}

#[test]
fn all_accounts_of_a_number_are_charged() {
    let pbx = Pbx::csv(LIST);
    let options = [("identify", "caller"), ("lockout_account", "2/1h/1h")];
    let mut verifier = pbx.verify(&options, Some("+905060508169"));
    assert_eq!(verified(&mut verifier, "1"), "wrong");
    assert_eq!(verified(&mut verifier, "1"), "locked, verified");
    let held = pbx.lockouts.borrow().locks(None, START);
    let what: Vec<_> = held.into_iter().filter_map(|held| held.what).collect();
    assert_eq!(what, ["alice", "bob"]);
    // Both are locked: no row of the number is left.
    assert_eq!(verified(&mut verifier, "1234"), "locked");
}

/// While an entry in verification may fill the limit, another one waits.
#[test]
fn entry_waits_for_entries_that_may_fill_the_limit() {
    struct Waits<'a>(Option<Ticket<'a, &'a Pbx>>, AttemptResult<'a>, u32);
    impl ServiceChannel for Waits<'_> {
        fn listen(&mut self, milliseconds: i32) -> bool {
            assert!((1..=100).contains(&milliseconds));
            self.2 += 1;
            if self.2 == 3 {
                let settled = self.0.take().map(|ticket| ticket.settle(None, self.1));
                assert_eq!(settled, Some(self.1 == AttemptResult::Wrong));
            }
            true
        }
    }
    for (first, then) in [
        (AttemptResult::Wrong, Err(AttemptError::Locked)),
        (AttemptResult::Void, Ok(())),
        (AttemptResult::Right(None), Ok(())),
    ] {
        let pbx = Pbx::csv(LIST);
        let options = [("lockout_caller", "1/1h/1h")];
        let (one, two) = (
            pbx.verify(&options, Some("1")),
            pbx.verify(&options, Some("1")),
        );
        let ticket = one.counter().charge(&mut stays()).ok();
        let mut waits = Waits(ticket, first, 0);
        let charged = two.counter().charge(&mut waits).map(drop);
        assert_eq!((charged, waits.2), (then, 3), "{first:?}");
        assert_eq!(pbx.notices(), "");
    }
}

#[test]
fn entry_that_waits_too_long_is_not_verified() {
    /// A context whose attempts do not wait.
    struct Hasty<'a>(&'a Pbx);
    impl LockoutContext for Hasty<'_> {
        const SETTLE_TIMEOUT: Duration = Duration::ZERO;

        fn lockouts<T>(&self, what: impl FnOnce(&mut Lockouts, Duration) -> T) -> T {
            (&self.0).lockouts(what)
        }
        fn changed(&self) {}
        fn locked(&self, _: Lock, _: Option<Duration>) {}
        fn identified(&self, _: &[u8]) {}
        fn notice(&self, notice: &Notice<'_>) {
            (&self.0).notice(notice);
        }
    }
    let pbx = Pbx::csv(LIST);
    let limits = Limits {
        caller: PinSet::default()
            .lockout_caller
            .map(|lockout| crate::config::Lockout {
                failures: 1,
                ..lockout
            }),
        ..Limits::default()
    };
    let caller = || Caller::new(Some(b"1"), TRUNK);
    let counter = || Counter::new("customers", limits, caller(), Hasty(&pbx));
    let (one, two) = (counter(), counter());
    let ticket = one.charge(&mut stays()).ok();
    let verdict = two.verify(&mut stays(), &entered("1"), |_, _| panic!("it is verified"));
    assert_eq!(said(verdict), "unavailable");
    assert_eq!(
        pbx.notices(),
        "E 'customers': attempt rejected: concurrent attempts already use up the lockout limit"
    );
    // A caller who hangs up before that causes no notice, and an entry that was not
    // compared has not counted.
    let patient = pbx.verify(&[("lockout_caller", "1/1h/1h")], Some("1"));
    let gone = patient
        .counter()
        .verify(&mut Host(2), &entered("1"), |_, _| panic!("it is verified"));
    assert_eq!(gone, None);
    assert_eq!(pbx.notices(), "");
    assert_eq!(
        ticket.map(|ticket| ticket.settle(None, AttemptResult::Void)),
        Some(false)
    );
    assert!(two.charge(&mut stays()).is_ok());
}

#[test]
fn trusted_caller_over_budget_has_one_entry_a_call() {
    let pbx = Pbx::csv(LIST);
    let options = [("lockout_pinset", "2/1h/1h"), ("lockout_caller", "no")];
    let mut known = pbx.verify(&options, Some("1"));
    assert_eq!(verified(&mut known, "1234"), "right alice 0 -");
    let mut stranger = pbx.verify(&options, Some("2"));
    assert_eq!(verified(&mut stranger, "1"), "wrong");
    assert_eq!(verified(&mut stranger, "1"), "locked, verified");
    assert_eq!(
        pbx.notices(),
        "W 'customers': too many wrong entries: only callers who have succeeded before are \
         admitted for a while"
    );
    assert!(matches!(look(&stranger), Standing::Locked(_)));
    // In this call there was an entry before.
    assert_eq!(verified(&mut known, "1234"), "locked");
    for _ in 0..2 {
        let mut known = pbx.verify(&options, Some("1"));
        assert_eq!(look(&known), Standing::OneTry);
        assert_eq!(verified(&mut known, "1234"), "right alice 0 -");
    }
    let wrong = || verified(&mut pbx.verify(&options, Some("1")), "1");
    assert_eq!([wrong(), wrong()], ["wrong", "locked, verified"]);
    assert_eq!(
        pbx.notices(),
        "W 'customers': too many wrong entries, also of callers who have succeeded before: \
         nobody is admitted for a while"
    );
}

#[test]
fn a_hundred_wrong_entries_lock_an_account_until_it_is_unlocked_by_hand() {
    let pbx = Pbx::csv(LIST);
    let options = [
        ("identify", "account"),
        ("lockout_caller", "no"),
        ("lockout_pinset", "no"),
        ("lockout_account", "1000/1h/1h"),
    ];
    let mut verifier = pbx.verify(&options, None);
    for _ in 1..100 {
        assert_eq!(for_account(&mut verifier, Some("4711"), "1"), "wrong");
    }
    assert_eq!(
        for_account(&mut verifier, Some("4711"), "1"),
        "locked, verified"
    );
    assert_eq!(
        pbx.notices(),
        "W 'customers': an account is locked until an administrator unlocks it: a hundred \
         wrong entries without a right one"
    );
    let reported = pbx.locked.take().map(|(lock, left)| (lock.kind, left));
    assert_eq!(reported, Some((LockKind::Account, None)));
}

#[test]
fn attempt_without_a_channel_waits_and_never_hangs_up() {
    let begun = std::time::Instant::now();
    assert!(NoChannel.listen(20));
    assert!(begun.elapsed() >= Duration::from_millis(20));
    assert!(!NoChannel.needs_service());
    assert!(stays().needs_service());
}

/// What a PBX is, if it sets nothing but what it must.
struct Plain;

impl LockoutContext for Plain {
    fn lockouts<T>(&self, what: impl FnOnce(&mut Lockouts, Duration) -> T) -> T {
        what(&mut Lockouts::default(), self.now())
    }

    fn changed(&self) {}

    fn locked(&self, _: Lock, _: Option<Duration>) {}

    fn identified(&self, _: &[u8]) {}

    fn notice(&self, _: &Notice<'_>) {}
}

#[test]
fn lockouts_go_by_the_clock_of_the_system() {
    let year_2020 = Duration::from_secs(1_577_836_800);
    assert!(Plain.lockouts(|_, now| now) > year_2020);
}
