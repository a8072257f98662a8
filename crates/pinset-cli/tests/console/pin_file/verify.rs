//! Check of a PIN by hand.

use super::CUSTOMERS;
use crate::fixture::{add_user, database, lab, start, Browser};
use crate::lab::http::Response;
use crate::lab::{OTHER, PIN};
use crate::pages::is_accessible;

const PAGE: &str = "/pin-file/verify";

fn check(browser: &mut Browser<'_>, file: &str, by: (&str, &str), pin: &str) -> Response {
    let (identify, who) = by;
    let fields = [
        ("name", file),
        ("identify", identify),
        ("who", who),
        ("pin", pin),
    ];
    let answer = browser.post(PAGE, &fields);
    assert!(!answer.text().contains(pin), "{}", answer.text());
    answer
}

#[test]
fn pin_is_checked_as_the_pbx_does() {
    let lab = lab("[numbers]\ncountry_code = \"90\"\n");
    lab.list("pins/customers.csv", CUSTOMERS);
    lab.list("pins/plain.txt", format!("{PIN}\n"));
    lab.list(
        "pins/hmac.csv",
        format!("account,secret\nada,hmac-sha256:k:{}\n", "0".repeat(64)),
    );
    lab.file("pins/open.csv", CUSTOMERS, 0o666);
    let server = start(&lab);
    let mut browser = Browser::logged_in(&server, "ada");
    let form = browser.get(&format!("{PAGE}?name=customers.csv")).text();
    is_accessible(&form, "verify");
    let ada = "<strong>right</strong>. Row: line 2 account=ada, secret=plain, \
               caller=+905060508169, name=Ada Lovelace";
    for (file, by, pin, part) in [
        ("customers.csv", ("caller", "0506 050 81 69"), PIN, ada),
        ("customers.csv", ("account", "ada"), PIN, ada),
        ("customers.csv", ("pin", ""), PIN, ada),
        (
            "customers.csv",
            ("account", "bob"),
            OTHER,
            "<strong>right, but no longer valid</strong>. Row: line 3 account=bob",
        ),
        (
            "customers.csv",
            ("account", "eve"),
            PIN,
            "<strong>right, but not valid yet</strong>. Row: line 4 account=eve, secret=md5",
        ),
        (
            "customers.csv",
            ("account", "ada"),
            OTHER,
            "<strong>wrong</strong>.",
        ),
        (
            "plain.txt",
            ("pin", ""),
            PIN,
            "<strong>right</strong>. Row: line 1",
        ),
        (
            "hmac.csv",
            ("pin", ""),
            PIN,
            "can&#39;t be verified: the pepper file has no key k",
        ),
        ("open.csv", ("pin", ""), PIN, "The file is world-writable"),
    ] {
        let answer = check(&mut browser, file, by, pin);
        let text = answer.text().replace('\'', "&#39;");
        assert_eq!(answer.status, 200, "{text}");
        assert!(text.contains(part), "{part}: {text}");
    }
    for (by, pin, part) in [
        (("caller", "Ada"), PIN, "enter the number that calls"),
        (("account", ""), PIN, "enter the account"),
        (("pin", ""), "12x4", "PIN: enter 1 to 254 of the keys"),
        (("x", ""), PIN, "choose one"),
    ] {
        let answer = check(&mut browser, "customers.csv", by, pin);
        assert_eq!(answer.status, 422, "{part}");
        assert!(answer.text().contains(part), "{part}: {}", answer.text());
    }
    assert_eq!(
        check(&mut browser, "none.csv", ("pin", ""), PIN).status,
        404
    );
    let changes = browser.get("/changes").text();
    assert!(changes.contains("<td>check PIN</td><td>customers.csv</td><td>bob</td>"));
    assert!(!changes.contains(PIN) && !changes.contains(OTHER));
    database(&lab, "ALTER TABLE changes RENAME TO gone");
    assert_eq!(
        check(&mut browser, "customers.csv", ("pin", ""), PIN).status,
        503
    );
}

/// A user can't find the PINs of others by trying, not even with a right one in between.
#[test]
fn five_wrong_pins_lock_the_user_in_all_files() {
    let lab = lab("");
    lab.list("pins/customers.csv", CUSTOMERS);
    lab.list("pins/plain.txt", format!("{PIN}\n"));
    add_user(&lab, "bob", "operator");
    let server = start(&lab);
    let mut browser = Browser::logged_in(&server, "ada");
    for at in 0..5 {
        let wrong = format!("90000000{at}");
        let file = ["customers.csv", "plain.txt"][at % 2];
        assert_eq!(check(&mut browser, file, ("pin", ""), &wrong).status, 200);
        if at < 4 {
            assert_eq!(
                check(&mut browser, "plain.txt", ("pin", ""), PIN).status,
                200
            );
        }
    }
    let locked = check(&mut browser, "plain.txt", ("pin", ""), PIN);
    assert_eq!(locked.status, 429);
    assert!(
        locked.text().contains("Try again in 30 min."),
        "{}",
        locked.text()
    );
    // Another session of the user, and another user.
    let mut again = Browser::logged_in(&server, "ada");
    assert_eq!(check(&mut again, "plain.txt", ("pin", ""), PIN).status, 429);
    let mut bob = Browser::logged_in(&server, "bob");
    assert_eq!(check(&mut bob, "plain.txt", ("pin", ""), PIN).status, 200);
}
