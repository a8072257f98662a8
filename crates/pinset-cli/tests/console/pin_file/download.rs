//! Downloads.

use super::{CUSTOMERS, FILE};
use crate::fixture::{add_user, database, lab, start, Browser, PASSWORD};
use crate::lab::{MD5_OF_PIN, OTHER, PIN};

const CSV: &str = "/pin-file/rows.csv?name=customers.csv";
const NAMED: &[(&str, &str)] = &[("name", "customers.csv")];

#[test]
fn rows_are_downloaded_without_secrets() {
    let lab = lab("");
    add_user(&lab, "vic", "viewer");
    let formula = format!("{CUSTOMERS}=cmd,plain:1,,\"=1+1, \"\"x\"\"\",,,,\n");
    lab.list("pins/customers.csv", formula);
    lab.list("pins/plain", format!("{PIN}\n"));
    let server = start(&lab);
    let mut browser = Browser::logged_in(&server, "vic");
    let link = "href=\"/pin-file/rows.csv?name=customers.csv\"";
    let page = browser.get(FILE).text();
    assert!(page.contains(link) && !page.contains("Download with secrets"));
    let answer = browser.get(CSV);
    assert_eq!(
        answer.header("content-disposition"),
        Some("attachment; filename=\"customers.csv\"")
    );
    let text = answer.text();
    let lines: Vec<&str> = text.lines().collect();
    assert_eq!(
        lines[0],
        "account,caller,name,level,valid_from,valid_until,max_uses"
    );
    assert_eq!(lines[1], "ada,+905060508169,Ada Lovelace,3,,2099-12-31,5");
    assert_eq!(lines[4], "'=cmd,,\"'=1+1, \"\"x\"\"\",,,,");
    for secret in [PIN, OTHER, MD5_OF_PIN, "plain:"] {
        assert!(!text.contains(secret), "{secret}");
    }
    let plain = browser.get("/pin-file/rows.csv?name=plain");
    assert_eq!(plain.status, 422);
    assert!(!plain.text().contains(PIN));
    assert_eq!(browser.get("/pin-file/rows.csv?name=none").status, 404);
}

#[test]
fn file_is_downloaded_as_it_is_by_confirmed_admins_only() {
    let lab = lab("");
    add_user(&lab, "otto", "operator");
    lab.list("pins/customers.csv", CUSTOMERS);
    let server = start(&lab);
    let mut operator = Browser::logged_in(&server, "otto");
    assert_eq!(operator.post("/pin-file/download", NAMED).status, 403);
    let mut browser = Browser::logged_in(&server, "ada");
    assert!(browser.get(FILE).text().contains("Download with secrets"));
    // The password was entered too long ago.
    database(&lab, "UPDATE sessions SET confirmed = confirmed - 301");
    let referer = format!("http://{}{FILE}", server.address);
    let headers = [
        ("Sec-Fetch-Site", "same-origin"),
        ("Referer", referer.as_str()),
    ];
    let body = "name=customers.csv";
    let answer = browser.send("POST", "/pin-file/download", &headers, body);
    assert_eq!(answer.status, 403);
    let page = answer.text();
    assert!(
        !page.contains(PIN) && page.contains("Your password again"),
        "{page}"
    );
    // After it, the browser is on the page of the file again.
    assert!(
        page.contains(&format!("name=\"next\" value=\"{FILE}\"")),
        "{page}"
    );
    let fields = [("name", "ada"), ("password", PASSWORD), ("next", FILE)];
    let answer = browser.post("/confirm", &fields);
    assert_eq!(answer.header("location"), Some(FILE));
    let answer = browser.post("/pin-file/download", NAMED);
    assert_eq!((answer.status, answer.text()), (200, CUSTOMERS.to_owned()));
    assert_eq!(answer.header("cache-control"), Some("no-store"));
    let changes = browser.get("/changes").text();
    assert!(changes.contains("<td>download with secrets</td><td>customers.csv</td>"));
    database(&lab, "ALTER TABLE changes RENAME TO gone");
    let answer = browser.post("/pin-file/download", NAMED);
    assert_eq!(answer.status, 503);
    assert!(!answer.text().contains(PIN));
}

#[test]
fn over_ten_rows_are_deleted_with_the_password_only() {
    let lab = lab("");
    add_user(&lab, "otto", "operator");
    let accounts: Vec<String> = (100..111).map(|at| format!("a{at}")).collect();
    let rows = accounts
        .iter()
        .map(|account| format!("{account},md5:{MD5_OF_PIN}\n"));
    let text = format!("account,secret\n{}", rows.collect::<String>());
    lab.list("pins/customers.csv", &text);
    let server = start(&lab);
    let mut browser = Browser::logged_in(&server, "otto");
    database(&lab, "UPDATE sessions SET confirmed = confirmed - 301");
    let accounts: Vec<&str> = accounts.iter().map(String::as_str).collect();
    let answer = super::delete(&mut browser, &accounts);
    assert_eq!(answer.status, 403);
    assert!(answer.text().contains("Your password again"));
    assert_eq!(lab.text("pins/customers.csv"), text);
    assert_eq!(super::delete(&mut browser, &accounts[..10]).status, 303);
    assert_eq!(lab.text("pins/customers.csv").lines().count(), 2);
    lab.list("pins/customers.csv", &text);
    let fields = [("name", "otto"), ("password", PASSWORD), ("next", FILE)];
    assert_eq!(browser.post("/confirm", &fields).status, 303);
    assert_eq!(super::delete(&mut browser, &accounts).status, 303);
    assert_eq!(lab.text("pins/customers.csv"), "account,secret\n");
}
