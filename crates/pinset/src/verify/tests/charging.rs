//! Which entries are charged, and which are refunded.

use super::*;

/// A secret that is checked with this key of the pepper file.
pub(super) fn hmac(id: &str, pin: &str) -> String {
    let pepper = Pepper::parse(format!("{id}:{TEST_KEY}\n").as_bytes()).expect("a pepper");
    let id = pepper.ids().next().expect("a key");
    let key = pepper.key(id).expect("a key");
    let secret = Recipe::Hmac(id, key).make(&entered(pin));
    secret.map(|secret| secret.to_string()).unwrap_or_default()
}

/// Three rows whose key is there, and one whose key is not.
fn list_with_a_missing_key() -> String {
    let rows = [
        ("1", "main", "1001", "+905060508161"),
        ("2", "main", "1002", "+905060508162"),
        ("3", "main", "1003", "+905060508163"),
        ("4", "lost", "1004", "+905060508164"),
    ];
    let rows =
        rows.map(|(account, id, pin, caller)| format!("{account},{},{caller}\n", hmac(id, pin)));
    format!("account,secret,caller\n{}", rows.concat())
}

const LIMIT: (&str, &str) = ("lockout_caller", "5/15m/30m");

#[test]
fn missing_key_wrong_entries_lock_the_caller_out() {
    for identify in ["pin", "caller", "account"] {
        let pbx = Pbx::csv(&list_with_a_missing_key());
        let options = [("identify", identify), LIMIT];
        let mut verifier = pbx.verify(&options, Some("+905060508161"));
        let mut entered = |pin: &str| for_account(&mut verifier, Some("1"), pin);
        let verdicts: Vec<_> = (0..6).map(|_| entered("9999")).collect();
        let expected = [
            "wrong",
            "wrong",
            "wrong",
            "wrong",
            "locked, verified",
            "locked",
        ];
        assert_eq!(verdicts, expected, "{identify}");
        assert_eq!(entered("1001"), "locked", "{identify}");
    }
}

#[test]
fn missing_key_row_answers_as_an_unknown_account() {
    let pbx = Pbx::csv(&list_with_a_missing_key());
    for (identify, account, number) in [
        ("caller", None, "+905060508164"),
        ("caller", None, "+905060508169"),
        ("account", Some("4"), "1"),
        ("account", Some("5"), "1"),
        ("pin", None, "1"),
    ] {
        let mut verifier = pbx.verify(&[("identify", identify)], Some(number));
        assert_eq!(
            for_account(&mut verifier, account, "1004"),
            "wrong",
            "{identify}"
        );
    }
}

#[test]
fn expired_pin_counts_as_a_wrong_entry() {
    for list in [
        "account,secret,valid_until\nbob,plain:4321,2020-01-01\n",
        "account,secret,enabled\nbob,plain:4321,no\n",
    ] {
        let pbx = Pbx::csv(list);
        let mut verifier = pbx.verify(&[("lockout_caller", "2/1h/1h")], Some("1"));
        assert_eq!(verified(&mut verifier, "4321"), "expired", "{list}");
        assert_eq!(verified(&mut verifier, "4321"), "locked, verified");
    }
}

#[test]
fn hang_up_while_an_entry_is_checked_counts_as_a_wrong_entry() {
    let list = format!("account,secret\n4711,\"{}\"\n", argon2id("1234"));
    let pbx = Pbx::csv(&list);
    let options = [("identify", "account"), ("lockout_account", "1/1h/1h")];
    let (account, pin) = (entered("4711"), entered("9"));
    let entry = Entry {
        account: Some(&account),
        pin: &pin,
    };
    // Gone while the list is read, or while the hash is computed.
    for listens in [1, 2] {
        let options = [("identify", "account"), ("lockout_caller", "1/1h/1h")];
        let mut verifier = pbx.verify(&options, Some(&listens.to_string()));
        assert_eq!(verifier.verify(&mut Host(listens), entry), None);
        assert!(matches!(
            verifier.counter().look(&mut stays()),
            Standing::Locked(_)
        ));
    }
    let pbx = Pbx::csv(&list);
    let mut verifier = pbx.verify(&options, None);
    assert_eq!(verifier.verify(&mut Host(2), entry), None);
    assert_eq!(for_account(&mut verifier, Some("4711"), "1234"), "locked");
}

#[test]
fn hash_failures_count_and_a_full_queue_does_not() {
    let list = format!(
        "account,secret\n4711,\"{}\"\n4711,plain:5678\n4712,plain:1\n",
        argon2id("1234")
    );
    let options = [("identify", "account"), ("lockout_caller", "2/1h/1h")];
    for (hashes, verdicts) in [
        (Hashes::Failed, ["wrong", "locked, verified", "locked"]),
        (Hashes::Late, ["unavailable", "locked, verified", "locked"]),
        (Hashes::QueueFull, ["unavailable"; 3]),
    ] {
        // Whatever the account, and whether the PIN is right.
        for (account, pin) in [("4711", "1234"), ("4712", "9"), ("4713", "9")] {
            let pbx = Pbx::csv(&list);
            pbx.hashes.set(hashes);
            let mut verifier = pbx.verify(&options, Some("1"));
            let entered = [(); 3].map(|()| for_account(&mut verifier, Some(account), pin));
            assert_eq!(entered, verdicts, "{hashes:?} {account}");
        }
    }
    // A row that can be checked admits all the same.
    for hashes in [Hashes::Failed, Hashes::Late] {
        let pbx = Pbx::csv(&list);
        pbx.hashes.set(hashes);
        let mut verifier = pbx.verify(&options, Some("1"));
        let verdict = for_account(&mut verifier, Some("4711"), "5678");
        assert_eq!(verdict, "right 4711 0 -", "{hashes:?}");
    }
}

#[test]
fn panic_while_an_entry_is_checked_counts_as_a_wrong_entry() {
    let pbx = Pbx::csv(&format!("account,secret\n4711,\"{}\"\n", argon2id("1234")));
    pbx.hashes.set(Hashes::Panic);
    let options = [("identify", "account"), ("lockout_caller", "1/1h/1h")];
    let mut verifier = pbx.verify(&options, Some("1"));
    let entered = std::panic::AssertUnwindSafe(|| for_account(&mut verifier, Some("4711"), "1234"));
    assert!(std::panic::catch_unwind(entered).is_err());
    let verifier = pbx.verify(&options, Some("1"));
    assert!(matches!(
        verifier.counter().look(&mut stays()),
        Standing::Locked(_)
    ));
}

#[test]
fn list_without_a_checkable_row_refuses_everybody_and_counts_nothing() {
    let list = format!(
        "account,secret,caller\n4,{},+905060508164\n",
        hmac("lost", "1004")
    );
    let pbx = Pbx::csv(&list);
    let why = "E PIN set 'customers' admits nobody: it can't be used: 1 row can't be checked, \
        line 2: the pepper file has no key lost";
    for (identify, account, number) in [
        ("pin", None, "1"),
        ("caller", None, "+905060508164"),
        ("caller", None, "+905060508169"),
        ("account", Some("4"), "1"),
        ("account", Some("5"), "1"),
    ] {
        let options = [("identify", identify), ("lockout_caller", "1/1h/1h")];
        let mut verifier = pbx.verify(&options, Some(number));
        pbx.identity();
        for _ in 0..2 {
            assert_eq!(for_account(&mut verifier, account, "1004"), "unavailable");
            // Before the caller is identified.
            assert_eq!(
                (pbx.identity().as_str(), pbx.notices().as_str()),
                ("<>", why)
            );
        }
    }
    // Nor can rows with Argon2id, where the PIN alone is to find them.
    let list = format!("account,secret\n1,\"{}\"\n", argon2id("1234"));
    let pbx = Pbx::csv(&list);
    assert_eq!(verified(&mut pbx.verify(&[], None), "1234"), "unavailable");
    // An empty list has no such rows.
    let pbx = Pbx::csv("account,secret\n");
    assert_eq!(verified(&mut pbx.verify(&[], None), "1234"), "wrong");
}

#[test]
fn use_that_cant_be_counted_is_refused_as_a_wrong_pin() {
    let pbx = Pbx::csv("account,secret,max_uses\nalice,plain:1,2\nbob,plain:2,\n");
    let lines = Pbx::entries(Entries::Lines(Format::Plain));
    let keys_of_family = Pbx::entries(Entries::Keys);
    for (pbx, options, right) in [
        (pbx, &[][..], "1"),
        (lines, &[("one_time", "yes")], "1234"),
        (
            keys_of_family,
            &[("one_time", "yes"), ("source", "astdb:PINS/1")],
            "1234",
        ),
    ] {
        pbx.disk_full.set(true);
        for pin in [right, "9"] {
            let options = [options, &[("lockout_caller", "2/1h/1h")]].concat();
            let mut verifier = pbx.verify(&options, Some(pin));
            let entered = [(); 3].map(|()| verified(&mut verifier, pin));
            assert_eq!(entered, ["wrong", "locked, verified", "locked"], "{pin}");
        }
        let why = "E PIN set 'customers': attempt rejected as wrong: \
            a use can't be counted: no space";
        assert_eq!(pbx.notices(), [why; 2].join("\n"));
    }
}
