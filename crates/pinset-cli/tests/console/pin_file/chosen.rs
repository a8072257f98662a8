//! Changes of chosen rows.

use super::{tag, CUSTOMERS, FILE};
use crate::fixture::{lab, start, Browser};
use crate::lab::PIN;

#[test]
fn chosen_rows_get_an_end_of_validity_or_none_does() {
    let lab = lab("");
    lab.list("pins/customers.csv", CUSTOMERS);
    let server = start(&lab);
    let mut browser = Browser::logged_in(&server, "ada");
    let page = browser.get(FILE).text();
    let (ada, bob, eve) = (tag(&page, "ada"), tag(&page, "bob"), tag(&page, "eve"));
    let fields = |until: &'static str, rows: &[&'static str]| {
        let mut fields = vec![
            ("name", "customers.csv"),
            ("action", "valid_until"),
            ("valid_until", until),
        ];
        fields.extend(rows.iter().map(|row| ("row", *row)));
        fields
    };
    let [ada, bob, eve]: [&'static str; 3] = [ada, bob, eve].map(|tag| &*tag.leak());
    for (until, rows, status, text) in [
        // Eve's row begins in 2099.
        (
            "2098-01-01",
            &[ada, eve][..],
            422,
            "account eve: valid_until: not after valid_from",
        ),
        (
            "1.1.2098",
            &[ada],
            422,
            "account ada: valid_until: must be YYYY-MM-DD",
        ),
        ("2098-01-01", &[], 422, "No row is chosen"),
        ("2098-01-01", &["x"], 422, "The form names no rows"),
        (
            "2098-01-01",
            &[ada, ada],
            409,
            "1 of the chosen rows were changed or deleted",
        ),
    ] {
        let answer = browser.post("/pin-file/rows", &fields(until, rows));
        assert_eq!(answer.status, status, "{text}");
        assert!(answer.text().contains(text), "{text}: {}", answer.text());
        assert_eq!(lab.text("pins/customers.csv"), CUSTOMERS);
    }
    let none = [("name", "customers.csv"), ("action", "x"), ("row", ada)];
    assert_eq!(browser.post("/pin-file/rows", &none).status, 422);
    let answer = browser.post("/pin-file/rows", &fields("2098-01-01", &[ada, bob]));
    assert_eq!(answer.status, 303);
    let text = lab.text("pins/customers.csv");
    assert_eq!(text.matches(",2098-01-01,").count(), 2, "{text}");
    let changes = browser.get("/changes").text();
    assert!(changes.contains("<td>set valid until</td><td>customers.csv</td><td>ada, bob</td>"));
    assert!(
        changes.contains("<td>valid_until=2098-01-01</td>"),
        "{changes}"
    );
    // An empty one clears it.
    let page = browser.get(FILE).text();
    let ada: &'static str = tag(&page, "ada").leak();
    assert_eq!(
        browser.post("/pin-file/rows", &fields("", &[ada])).status,
        303
    );
    assert!(lab
        .text("pins/customers.csv")
        .contains("Ada Lovelace,3,,,5\n"));
}

#[test]
fn chosen_rows_are_disabled_and_enabled() {
    let lab = lab("");
    lab.list("pins/customers.csv", CUSTOMERS);
    let server = start(&lab);
    let mut browser = Browser::logged_in(&server, "ada");
    let verify = ["--account", "ada"];
    assert_eq!(lab.verify("pins/customers.csv", &verify, PIN), 0);
    for (action, state, code, name) in [
        ("disable", "disabled", 2, "disable rows"),
        ("enable", "valid", 0, "enable rows"),
    ] {
        let row = tag(&browser.get(FILE).text(), "ada");
        let fields = [("name", "customers.csv"), ("action", action), ("row", &row)];
        assert_eq!(browser.post("/pin-file/rows", &fields).status, 303);
        let page = browser.get(&format!("{FILE}&state={state}")).text();
        assert!(
            page.contains("1 of 3 rows") && page.contains("<td>ada</td>"),
            "{page}"
        );
        assert!(page.contains(&format!("<td>{state}</td>")), "{page}");
        assert_eq!(lab.verify("pins/customers.csv", &verify, PIN), code);
        let changes = browser.get("/changes").text();
        assert!(changes.contains(&format!("<td>{name}</td>")), "{changes}");
    }
}

/// Rows with the same values have the same tag.
#[test]
fn one_of_two_equal_rows_is_deleted() {
    let lab = lab("");
    let text = "account,secret\nada,plain:836490217\nbob,plain:1\nada,plain:836490217\n";
    lab.list("pins/customers.csv", text);
    let server = start(&lab);
    let mut browser = Browser::logged_in(&server, "ada");
    assert_eq!(super::delete(&mut browser, &["ada"]).status, 303);
    let one = "account,secret\nbob,plain:1\nada,plain:836490217\n";
    assert_eq!(lab.text("pins/customers.csv"), one);
}
