//! The reason that an administrator reads for each refusal.

use super::*;
use crate::verify::Entries;

const LIST: &str = "account,secret,caller,level,valid_from,valid_until,max_uses,enabled\n\
    ada,plain:1234,+902125550101,1,,,1,\n\
    bob,plain:2222,+902125550102,,2030-01-01,,,\n\
    eve,plain:3333,+902125550103,,,2020-01-01,,\n\
    sam,plain:4444,+902125550104,,2030-01-01,,,no\n";

/// The reason for the last of these attempts.
fn reason(pbx: &Pbx, options: &[(&str, &str)], number: Option<&str>, pins: &[&str]) -> String {
    for pin in pins {
        let mut verifier = pbx.verify(options, number);
        verifier.outcome(&mut stays(), b"", Some(&entered(pin)));
    }
    pbx.reason.take()
}

#[test]
fn refused_attempt_has_reason_with_number_as_compared() {
    let by_caller = [("identify", "caller")];
    for (number, pin, wanted) in [
        ("0212 555 01 09", "1234", "no row for +902125550109"),
        ("0212 555 01 01", "9999", "wrong PIN for +902125550101"),
        (
            "0212 555 01 02",
            "2222",
            "right PIN, but its valid_from is still to come",
        ),
        (
            "0212 555 01 03",
            "3333",
            "right PIN, but its valid_until is past",
        ),
        (
            "0212 555 01 04",
            "4444",
            "right PIN, but its row is disabled",
        ),
        ("anonymous", "1234", "no usable caller number"),
    ] {
        let reason = reason(&Pbx::csv(LIST), &by_caller, Some(number), &[pin]);
        assert_eq!(reason, wanted, "{number}");
    }
    let twice = reason(&Pbx::csv(LIST), &[], None, &["1234", "1234"]);
    assert_eq!(twice, "right PIN, but all its uses are taken");
}

#[test]
fn refused_attempt_by_pin_or_account_has_reason_without_digits() {
    for (options, pin, wanted) in [
        (
            ("min_digits", "4"),
            "987",
            "fewer digits than min_digits = 4",
        ),
        (
            ("max_digits", "4"),
            "98765",
            "not a PIN of at most max_digits = 4 digits",
        ),
        (("identify", "pin"), "9876", "no row with the PIN entered"),
        (
            ("required_level", "2"),
            "1234",
            "right PIN, but its level is below required_level = 2",
        ),
    ] {
        assert_eq!(reason(&Pbx::csv(LIST), &[options], None, &[pin]), wanted);
    }
    let of_account = |account: &[u8]| {
        let pbx = Pbx::csv(LIST);
        let mut verifier = pbx.verify(&[("identify", "account")], None);
        verifier.outcome(&mut stays(), account, Some(&entered("98765")));
        pbx.reason.take()
    };
    assert_eq!(of_account(b"43210"), "no row for the account entered");
    assert_eq!(of_account(b"ada"), "wrong PIN for the account entered");
}

#[test]
fn refused_attempt_in_entries_has_reason() {
    let lines = || Pbx::entries(Entries::Lines(Format::Plain));
    let wrong = reason(&lines(), &[], None, &["4321"]);
    assert_eq!(wrong, "no row with the PIN entered");
    let pbx = lines();
    pbx.open.set(false);
    let closed = reason(&pbx, &[("times", "*,*,*,*")], None, &["1234"]);
    assert_eq!(closed, "right PIN, but outside the times of the PIN set");
    let pbx = lines();
    pbx.disk_full.set(true);
    let uncounted = reason(&pbx, &[("one_time", "yes")], None, &["1234"]);
    assert_eq!(uncounted, "a use of the PIN can't be counted");
}
