//! Identification of the caller's rows, and verdicts by them.

use super::*;

const CUSTOMERS: &str = "account,secret,caller,level,context\n\
    alice,plain:1234,0506 050 81 69,7,from-alice\n\
    bob,plain:4321,+905060508170,,\n\
    carol,plain:1234,+905060508170,,\n";

#[test]
fn caller_number_selects_the_rows() {
    let pbx = Pbx::csv(CUSTOMERS);
    let options = [("identify", "caller")];
    for spelled in ["+905060508169", "905060508169", "05060508169", "5060508169"] {
        let mut verifier = pbx.verify(&options, Some(spelled));
        pbx.identity();
        assert!(!verifier.asks_account() && !verifier.refuses());
        assert_eq!(
            verified(&mut verifier, "1234"),
            "right alice 7 from-alice",
            "{spelled}"
        );
        assert_eq!(pbx.identity(), "<> <alice> <alice>");
        assert_eq!(verified(&mut verifier, "4321"), "wrong");
    }
    // Two rows have the number; the PIN decides between them.
    let mut verifier = pbx.verify(&options, Some("05060508170"));
    pbx.identity();
    assert_eq!(verified(&mut verifier, "1234"), "right carol 0 -");
    assert_eq!(pbx.identity(), "<> <> <carol>");
    // An account number that was not asked for is ignored.
    assert_eq!(
        for_account(&mut verifier, Some("4711"), "4321"),
        "right bob 0 -"
    );
}

#[test]
fn account_number_selects_the_rows() {
    let list = "account,secret,caller\n4711,plain:1234,+905060508169\n";
    let pbx = Pbx::csv(list);
    let account = [("identify", "account")];
    let asks = [("identify", "caller"), ("no_caller", "account")];
    for (options, number) in [
        (&account[..], Some("05060508169")),
        (&asks[..], Some("anonymous")),
    ] {
        let mut verifier = pbx.verify(options, number);
        assert!(verifier.asks_account() && !verifier.refuses());
        assert_eq!(
            for_account(&mut verifier, Some("4711"), "1234"),
            "right 4711 0 -"
        );
        assert_eq!(for_account(&mut verifier, Some("4712"), "1234"), "wrong");
        assert_eq!(for_account(&mut verifier, None, "1234"), "wrong");
    }
}

#[test]
fn caller_without_a_usable_number_is_refused() {
    let pbx = Pbx::of(|_| panic!("the source is asked"));
    let mut verifier = pbx.verify(&[("identify", "caller")], Some("anonymous"));
    assert!(verifier.refuses() && !verifier.asks_account());
    assert_eq!(verified(&mut verifier, "1234"), "wrong");
    assert!(!pbx.verify(&[], None).refuses());
}

#[test]
fn short_entry_is_wrong_without_a_lookup() {
    let pbx = Pbx::of(|_| panic!("the source is asked"));
    let mut verifier = pbx.verify(
        &[("min_digits", "4"), ("lockout_caller", "2/1h/1h")],
        Some("1"),
    );
    assert_eq!(verified(&mut verifier, "123"), "wrong");
    assert_eq!(verified(&mut verifier, "123"), "locked, verified");
}

#[test]
fn pin_alone_selects_the_row() {
    let pbx = Pbx::csv(CUSTOMERS);
    let mut verifier = pbx.verify(&[("required_level", "1")], None);
    assert_eq!(verified(&mut verifier, "1234"), "right alice 7 from-alice");
    assert_eq!(verified(&mut verifier, "4321"), "wrong");
    // The account is reported.
    assert_eq!(pbx.identity(), "<> <alice> <> <bob>");
    assert_eq!(pbx.notices(), "");
}

#[test]
fn lists_of_lines_have_no_levels() {
    let plain = FileKind::Lines(Format::Plain);
    let pbx = Pbx::of(move |_| Some(Answer::Rows(rows("1234\n", plain), plain)));
    assert_eq!(verified(&mut pbx.verify(&[], None), "1234"), "right - - -");
}

#[test]
fn dates_follow_the_clock_of_the_lockouts() {
    let pbx = Pbx::csv(
        "account,secret,valid_from,valid_until\n\
         early,plain:1,2026-11-19,\nlate,plain:2,2026-11-18,\nover,plain:3,,2026-11-17\n",
    );
    // 2026-11-18T10:40:00Z
    assert_eq!(START.as_secs() / 86400, 20775);
    let mut verifier = pbx.verify(&[], None);
    let verdicts = ["1", "2", "3"].map(|pin| verified(&mut verifier, pin));
    assert_eq!(verdicts, ["expired", "right late 0 -", "expired"]);
}

#[test]
fn slow_hashes_are_left_to_the_back_end() {
    let pbx = Pbx::csv(&format!(
        "account,secret\nalice,\"{}\"\nalice,plain:5678\nbob,plain:4321\n",
        argon2id("1234")
    ));
    let options = [("identify", "account")];
    let mut verifier = pbx.verify(&options, None);
    for (account, pin, verdict, work) in [
        ("alice", "1234", "right alice 0 -", (1, 8)),
        ("alice", "5678", "right alice 0 -", (1, 8)),
        ("alice", "9", "wrong", (1, 8)),
        // An account without such a row, or without any, takes as long.
        ("bob", "4321", "right bob 0 -", (0, 8)),
        ("nobody", "4321", "wrong", (0, 8)),
    ] {
        assert_eq!(for_account(&mut verifier, Some(account), pin), verdict);
        assert_eq!(pbx.hashed.take(), [work], "{account} {pin}");
    }
    let fast = Pbx::csv(CUSTOMERS);
    let mut verifier = fast.verify(&options, None);
    assert_eq!(for_account(&mut verifier, Some("nobody"), "1234"), "wrong");
    assert_eq!(fast.hashed.take(), []);
}

#[test]
fn entries_of_all_accounts_and_numbers_cost_the_same() {
    let slow = argon2id("1234");
    let rows = [
        ("1", "+905060508161", slow.as_str()),
        ("1", "+905060508161", &slow),
        ("1", "+905060508162", &slow),
        ("2", "+905060508162", &slow),
        ("3", "+905060508163", "plain:1"),
    ];
    let rows = rows.map(|(account, caller, secret)| format!("{account},\"{secret}\",{caller}\n"));
    let pbx = Pbx::csv(&format!("account,secret,caller\n{}", rows.concat()));
    for (account, right) in [("1", "1234"), ("2", "1234"), ("3", "1"), ("4", "9")] {
        for pin in [right, "0000"] {
            let mut verifier = pbx.verify(&[("identify", "account")], None);
            for_account(&mut verifier, Some(account), pin);
            let cost: Vec<u64> = pbx
                .hashed
                .take()
                .into_iter()
                .map(|(_, cost)| cost)
                .collect();
            assert_eq!(cost, [3 * 8], "{account} {pin}");
        }
    }
    for (last, right) in [("1", "1234"), ("2", "1234"), ("3", "1"), ("4", "9")] {
        for pin in [right, "0000"] {
            let number = format!("+90506050816{last}");
            verified(
                &mut pbx.verify(&[("identify", "caller")], Some(&number)),
                pin,
            );
            let cost: Vec<u64> = pbx
                .hashed
                .take()
                .into_iter()
                .map(|(_, cost)| cost)
                .collect();
            assert_eq!(cost, [2 * 8], "{number} {pin}");
        }
    }
}

#[test]
fn required_level_admits_nothing_without_a_level() {
    let pbx = Pbx::entries(Entries::Keys);
    let options = [("source", "astdb:PINS/1"), ("required_level", "5")];
    let mut verifier = pbx.verify(&options, None);
    assert_eq!(verified(&mut verifier, "1234"), "wrong");
    // A list that can't have levels is refused as a whole.
    let pbx = Pbx::entries(Entries::Lines(Format::Plain));
    let mut verifier = pbx.verify(&[("required_level", "5")], None);
    assert_eq!(verified(&mut verifier, "1234"), "unavailable");
    assert_eq!(verified(&mut verifier, "4321"), "unavailable");
    let why = "E PIN set 'customers' admits nobody: it can't be used: required_level above 0 \
        needs a csv list: no other has levels";
    assert_eq!(pbx.notices(), [why; 2].join("\n"));
}

#[test]
fn hangup_stops_hashing() {
    let hash = argon2id("1234");
    let work = || {
        let list = format!("account,secret\na,\"{hash}\"\na,\"{hash}\"\n");
        Work {
            rows: rows(&list, FileKind::Csv).by_account(b"a").collect(),
            filler: Cost::of((8, 1, 1)).into_iter().collect(),
            pin: entered("1234"),
        }
    };
    // Before the filler, before each row.
    for looks in 1..=3 {
        let mut looked = 0;
        let done = work().carry_out(|| {
            looked += 1;
            looked == looks
        });
        assert!(done.is_none(), "{looks}");
        assert_eq!(looked, looks);
    }
    let hashed = work().carry_out(|| false);
    let hashed = hashed.map(|hashed| (hashed.right.len(), hashed.failed));
    assert_eq!(hashed, Some((2, None)));
}

#[test]
fn rows_are_checked_in_order() {
    let pbx = Pbx::csv(&format!(
        "account,secret,caller,level\n\
         alice,\"{}\",+905060508169,1\nalice,plain:1234,+905060508169,2\n",
        argon2id("1234")
    ));
    let mut verifier = pbx.verify(&[("identify", "caller")], Some("+905060508169"));
    assert_eq!(verified(&mut verifier, "1234"), "right alice 1 -");
}

#[test]
fn uncheckable_row_never_admits_and_leaves_other_rows_usable() {
    let hmac = "0".repeat(64);
    let list = format!("account,secret\n4711,hmac-sha256:gone:{hmac}\n4711,plain:1234\n");
    let pbx = Pbx::csv(&list);
    let why = "W PIN set 'customers': attempt matches no row, but 1 row can't be checked, \
        line 2: the pepper file has no key gone";
    for options in [&[("identify", "account")][..], &[]] {
        let mut verifier = pbx.verify(options, None);
        let mut verified = |pin: &str| for_account(&mut verifier, Some("4711"), pin);
        assert_eq!(verified("1234"), "right 4711 0 -");
        assert_eq!(pbx.notices(), "");
        assert_eq!(verified("4321"), "wrong");
        assert_eq!(pbx.notices(), why);
    }
}

#[test]
fn pin_alone_never_finds_a_slow_hash() {
    let list = format!(
        "account,secret\nalice,\"{}\"\nbob,plain:1\n",
        argon2id("1234")
    );
    let pbx = Pbx::csv(&list);
    let mut verifier = pbx.verify(&[], None);
    assert_eq!(verified(&mut verifier, "1234"), "wrong");
    assert_eq!(
        pbx.notices(),
        "W PIN set 'customers': rows with Argon2id hashes are ignored (1): they can't be found \
         by PIN alone; use identify = caller or account"
    );
    assert_eq!(verified(&mut verifier, "1"), "right bob 0 -");
    assert_eq!(pbx.hashed.take(), []);
}

#[test]
fn refusing_source_makes_the_verdict_unavailable() {
    let pbx = Pbx::of(|_| Some(Answer::Refused("it is hidden".to_owned())));
    let mut verifier = pbx.verify(&[("lockout_caller", "1/1h/1h")], Some("1"));
    for _ in 0..3 {
        // It does not count.
        assert_eq!(verified(&mut verifier, "1234"), "unavailable");
        let why = "E PIN set 'customers' admits nobody: it is hidden";
        assert_eq!(pbx.notices(), why);
    }
}

#[test]
fn hangup_during_the_lookup_gives_no_verdict() {
    let pbx = Pbx::of(|_| None);
    let mut verifier = pbx.verify(&[("lockout_caller", "1/1h/1h")], Some("1"));
    assert_eq!(verified(&mut verifier, "1234"), "gone");
    assert!(matches!(
        verifier.counter().look(&mut stays()),
        Standing::Locked(_)
    ));
}

#[test]
fn entry_collected_elsewhere_is_verified() {
    let pbx = Pbx::csv("account,secret,level\n4711,plain:1234,3\n4712,plain:5,\n");
    let options = [
        ("identify", "account"),
        ("max_digits", "4"),
        ("lockout_caller", "2/1h/1h"),
    ];
    let mut verifier = pbx.verify(&options, None);
    let mut outcome = |account: &str, text: &str| {
        let entry = Pin::parse(text.as_bytes());
        let outcome = verifier.outcome(&mut stays(), account.as_bytes(), entry.as_ref());
        let account = outcome.grant.and_then(|grant| grant.account);
        let account = String::from_utf8(account.unwrap_or_default());
        (
            outcome.status,
            account.unwrap_or_default(),
            outcome.attempts,
        )
    };
    let failure = (Status::Failure, String::new(), 1);
    assert_eq!(
        outcome("4711", "1234"),
        (Status::Success, "4711".to_owned(), 1)
    );
    // Entries that can't be entered are not counted.
    for text in ["12345", "12x4", "1#"] {
        assert_eq!(outcome("4711", text), failure, "{text}");
        assert_eq!(outcome("4711", text), failure, "{text}");
    }
    assert_eq!(outcome("4711", ""), failure);
    assert_eq!(outcome("", "1234"), failure);
    assert_eq!(outcome("4712", "1234"), (Status::Locked, String::new(), 1));
    assert_eq!(outcome("4711", "1234"), (Status::Locked, String::new(), 0));
}
