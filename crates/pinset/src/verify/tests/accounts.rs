//! Accounts: what is counted for several of one number, and during a lock.

use super::*;

const LIST: &str = "account,secret,caller\n\
    alice,plain:1234,+905060508169\nbob,plain:4321,+905060508169\n4711,plain:9999,\n";

const NUMBER: Option<&str> = Some("+905060508169");

/// Where a number can be forged.
const ELSEWHERE: &str = "PJSIP/carrier-0000001b";

const BY_CALLER: [(&str, &str); 4] = [
    ("identify", "caller"),
    ("lockout_caller", "no"),
    ("lockout_pinset", "no"),
    ("lockout_account", "3/1h/1h"),
];

/// A caller who looks after something while they wait.
struct Meanwhile<F>(F);

impl<F: FnMut() -> bool> ServiceChannel for Meanwhile<F> {
    fn listen(&mut self, _: i32) -> bool {
        (self.0)()
    }
}

/// Three wrong entries by that number, coming in elsewhere.
fn lock_from_elsewhere(pbx: &Pbx) {
    for verdict in ["wrong", "wrong", "locked, verified"] {
        let mut forged = pbx.verify_at(ELSEWHERE, &BY_CALLER, NUMBER);
        assert_eq!(verified(&mut forged, "1"), verdict);
    }
}

/// A caller with alice's PIN guesses bob's, who has the same number.
#[test]
fn right_pin_of_one_account_keeps_the_failures_of_another() {
    let pbx = Pbx::csv(LIST);
    let options = [
        ("identify", "caller"),
        ("lockout_caller", "no"),
        ("lockout_pinset", "no"),
        ("lockout_account", "3/1h/1h"),
    ];
    let mut verifier = pbx.verify(&options, Some("+905060508169"));
    for verdict in ["wrong", "wrong", "locked, verified"] {
        assert_eq!(verified(&mut verifier, "1234"), "right alice 0 -");
        assert_eq!(verified(&mut verifier, "1"), verdict);
    }
    let held = pbx.lockouts.borrow().locks(None, START);
    let what: Vec<_> = held.into_iter().filter_map(|held| held.what).collect();
    assert_eq!(what, ["bob"]);
}

#[test]
fn customer_who_succeeded_before_passes_the_lock_of_the_account() {
    let pbx = Pbx::csv(LIST);
    let customer = || pbx.verify(&BY_CALLER, NUMBER);
    for pin in ["1234", "4321"] {
        verified(&mut customer(), pin);
    }
    lock_from_elsewhere(&pbx);
    let mut forged = pbx.verify_at(ELSEWHERE, &BY_CALLER, NUMBER);
    assert_eq!(verified(&mut forged, "1234"), "locked");
    // One try a call, and three wrong ones between successes.
    for _ in 0..3 {
        for _ in 0..2 {
            let mut call = customer();
            assert_eq!(verified(&mut call, "1"), "wrong");
            assert_eq!(verified(&mut call, "1234"), "locked");
        }
        assert_eq!(verified(&mut customer(), "1234"), "right alice 0 -");
        assert_eq!(verified(&mut customer(), "4321"), "right bob 0 -");
    }
    let mut forged = pbx.verify_at(ELSEWHERE, &BY_CALLER, NUMBER);
    assert_eq!(verified(&mut forged, "1234"), "locked");
}

/// The customer has never used bob's PIN, so bob's lock holds for them.
#[test]
fn lock_of_one_account_leaves_the_others_of_the_number_open() {
    let pbx = Pbx::csv(LIST);
    verified(&mut pbx.verify(&BY_CALLER, NUMBER), "1234");
    lock_from_elsewhere(&pbx);
    let mut customer = pbx.verify(&BY_CALLER, NUMBER);
    assert_eq!(verified(&mut customer, "1234"), "right alice 0 -");
    // What is wrong for alice may be bob's, which is locked.
    pbx.locked.take();
    let mut customer = pbx.verify(&BY_CALLER, NUMBER);
    assert_eq!(verified(&mut customer, "4321"), "locked, verified");
    let reported = pbx.locked.take().map(|(lock, _)| lock.kind);
    assert_eq!(reported, Some(LockKind::Account));
    // It has been counted for alice: two are left.
    let wrong = || verified(&mut pbx.verify(&BY_CALLER, NUMBER), "1");
    assert_eq!([wrong(), wrong()], ["locked, verified", "locked, verified"]);
    assert_eq!(
        verified(&mut pbx.verify(&BY_CALLER, NUMBER), "1234"),
        "locked"
    );
}

#[test]
fn lock_of_an_asked_account_admits_its_trusted_callers() {
    let pbx = Pbx::csv(LIST);
    let options = [
        ("identify", "account"),
        ("lockout_caller", "no"),
        ("lockout_account", "1/1h/1h"),
    ];
    let of = |number| pbx.verify(&options, Some(number));
    let (mut customer, mut stranger) = (of("1"), of("2"));
    let right = "right 4711 0 -";
    assert_eq!(for_account(&mut customer, Some("4711"), "9999"), right);
    assert_eq!(
        for_account(&mut stranger, Some("4711"), "1"),
        "locked, verified"
    );
    assert_eq!(for_account(&mut stranger, Some("4711"), "9999"), "locked");
    assert_eq!(for_account(&mut of("1"), Some("4711"), "9999"), right);
}

/// A wrong PIN may be that of the locked account; one that has expired is not.
#[test]
fn expired_pin_is_expired_while_another_account_of_the_number_is_locked() {
    let pbx = Pbx::csv(
        "account,secret,caller,valid_until\n\
         alice,plain:1234,+905060508169,\n\
         alice,plain:5678,+905060508169,2020-01-01\n\
         bob,plain:4321,+905060508169,\n",
    );
    verified(&mut pbx.verify(&BY_CALLER, NUMBER), "1234");
    lock_from_elsewhere(&pbx);
    let mut customer = pbx.verify(&BY_CALLER, NUMBER);
    assert_eq!(verified(&mut customer, "5678"), "expired");
    let mut customer = pbx.verify(&BY_CALLER, NUMBER);
    assert_eq!(verified(&mut customer, "1"), "locked, verified");
}

/// While an entry waits for others that may fill the limit of its account, it
/// takes no room of its caller's or the PIN set's.
#[test]
fn entry_waiting_for_its_account_is_not_in_flight_elsewhere() {
    let list = format!("account,secret\n4711,\"{}\"\n", argon2id("1234"));
    for limit in ["lockout_caller", "lockout_pinset"] {
        let pbx = Pbx::csv(&list);
        let options = [
            ("identify", "account"),
            ("lockout_caller", "no"),
            ("lockout_pinset", "no"),
            ("lockout_account", "1/1h/1h"),
        ];
        let waited = std::rc::Rc::new(Cell::new(0));
        let waits = std::rc::Rc::clone(&waited);
        pbx.hashing.replace(Some(Rc::new(move |pbx: &Pbx| {
            let options = [&options[..], &[(limit, "2/1h/1h")]].concat();
            let others = pbx.verify(&options, Some("2"));
            let mut listened = 0;
            let mut host = Meanwhile(|| {
                listened += 1;
                // At first the list is asked.
                if listened == 1 {
                    return true;
                }
                let charge = || others.counter().charge(&mut Host(1)).ok();
                let others = [charge(), charge()];
                assert!(others.iter().all(Option::is_some), "{limit}");
                for ticket in others.into_iter().flatten() {
                    ticket.settle(None, AttemptResult::Void);
                }
                waits.set(waits.get() + 1);
                waits.get() < 3
            });
            let (account, pin) = (entered("4711"), entered("1"));
            let entry = Entry {
                account: Some(&account),
                pin: &pin,
            };
            let verdict = pbx.verify(&options, Some("2")).verify(&mut host, entry);
            assert_eq!(said(verdict), "gone");
        })));
        let mut first = pbx.verify(&options, Some("1"));
        assert_eq!(
            for_account(&mut first, Some("4711"), "1234"),
            "right 4711 0 -"
        );
        assert_eq!(waited.get(), 3);
    }
}

/// An entry that waited is charged again, and counts.
#[test]
fn entry_counts_everywhere_after_it_waited_for_its_account() {
    let list = format!(
        "account,secret\n4711,\"{}\"\n4712,plain:1\n",
        argon2id("1234")
    );
    let pbx = Pbx::csv(&list);
    let options = [
        ("identify", "account"),
        ("lockout_caller", "1/1h/1h"),
        ("lockout_pinset", "no"),
        ("lockout_account", "2/1h/1h"),
    ];
    let one = pbx.verify(&options, Some("1"));
    let other = pbx.verify(&options, Some("2"));
    let account = Account {
        name: b"4712",
        known: true,
    };
    let mut held: Vec<_> = [&one, &other]
        .into_iter()
        .map(|verifier| {
            let ticket = verifier.counter().charge(&mut stays());
            let mut ticket = ticket.unwrap_or_else(|halt| panic!("{halt:?}"));
            assert_eq!(ticket.accounts(&mut stays(), &[account]), Ok(vec![true]));
            ticket
        })
        .collect();
    let mut listened = 0;
    let mut host = Meanwhile(|| {
        listened += 1;
        if listened == 3 {
            for ticket in held.drain(..) {
                ticket.settle(None, AttemptResult::Void);
            }
        }
        true
    });
    let (account, pin) = (entered("4712"), entered("9"));
    let entry = Entry {
        account: Some(&account),
        pin: &pin,
    };
    let mut verifier = pbx.verify(&options, Some("3"));
    assert_eq!(said(verifier.verify(&mut host, entry)), "locked, verified");
    let locked = pbx.locked.take().map(|(lock, _)| lock.kind);
    assert_eq!(locked, Some(LockKind::Caller));
}
