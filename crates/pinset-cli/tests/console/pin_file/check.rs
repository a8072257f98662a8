//! What is found in a PIN file.

use crate::fixture::{add_user, lab, start, Browser};

/// A row of each kind: invalid, weak, a duplicate, and one that admits nobody.
const LIST: &str = "account,secret,caller,level\n\
    ada,plain:836490217,+4930555,high\n\
    bob,plain:1111,+4930556,\n\
    bob,plain:836490217,+4930556,\n\
    <b>eve</b>,plain:729516483,no number,\n";

#[test]
fn findings_are_counted_on_the_page_of_the_file() {
    let lab = lab("");
    add_user(&lab, "vic", "viewer");
    lab.list(
        "pins/customers.csv",
        "account,secret\nada,plain:1234\nbob,plain:4321\nada,plain:836490217\nmax,nonsense\n",
    );
    lab.list("pins/clean.csv", "account,secret\nada,plain:836490217\n");
    lab.list("pins/md5", "ada:81dc9bdb52d04dc20036dbd8313ed055\n");
    let server = start(&lab);
    let mut browser = Browser::logged_in(&server, "ada");
    let page = browser.get("/pin-file?name=customers.csv").text();
    let counts = "Weak PINs: 2. Duplicates: 1. Invalid lines: 1. \
                  <a href=\"/pin-file/check?name=customers.csv\">See the lines</a>";
    assert!(page.contains(counts), "{page}");
    let clean = browser.get("/pin-file?name=clean.csv").text();
    assert!(!clean.contains("See the lines"), "{clean}");
    // Which take long to find are there once the page of the check has found them.
    for (path, is_known) in [
        ("/pin-file", false),
        ("/pin-file/check", false),
        ("/pin-file", true),
    ] {
        let page = browser.get(&format!("{path}?name=md5")).text();
        assert_eq!(page.contains("Weak PINs: 1. <a"), is_known, "{page}");
    }
    let page = Browser::logged_in(&server, "vic")
        .get("/pin-file?name=customers.csv")
        .text();
    assert!(!page.contains("See the lines"), "{page}");
}

#[test]
fn findings_are_listed_by_line_without_pins() {
    let lab = lab("");
    lab.list("pins/customers.csv", LIST);
    add_user(&lab, "vic", "viewer");
    let server = start(&lab);
    let mut browser = Browser::logged_in(&server, "ada");
    let page = browser.get("/pin-file?name=customers.csv").text();
    assert!(page.contains("href=\"/pin-file/check?name=customers.csv\""));
    let page = browser.get("/pin-file/check?name=customers.csv").text();
    for part in [
        "csv, 2 entries. invalid: 2. duplicate: 1. weak: 1. admits nobody: 0. ",
        "<td class=\"number\">2</td><td>invalid</td><td>level: ",
        "<td class=\"number\">5</td><td>invalid</td><td>caller: ",
        "<td class=\"number\">4</td><td>duplicate</td><td>as line 3</td>",
        "<td class=\"number\">3</td><td>weak</td>",
    ] {
        assert!(page.contains(part), "{part}: {page}");
    }
    for secret in ["1111", "836490217", "729516483", "<b>"] {
        assert!(!page.contains(secret), "{secret}: {page}");
    }
    let mut viewer = Browser::logged_in(&server, "vic");
    assert_eq!(viewer.get("/pin-file/check?name=customers.csv").status, 403);
    assert_eq!(browser.get("/pin-file/check?name=none.csv").status, 404);
    assert_eq!(
        browser.get("/pin-file/check?name=../ami.secret").status,
        404
    );
}

#[test]
fn plain_file_has_its_odds_and_a_file_of_another_kind_its_reason() {
    let lab = lab("");
    lab.list("pins/doors", "8364\n12a\n7295");
    lab.list("pins/broken.csv", "account,secret,account\n");
    let server = start(&lab);
    let mut browser = Browser::logged_in(&server, "ada");
    let page = browser.get("/pin-file/check?name=doors").text();
    for part in [
        "plain, 2 entries. invalid: 1. ",
        "2 PINs of 4 digits: one guess in 5000 is right",
        "The last line has no line end",
    ] {
        assert!(page.contains(part), "{part}: {page}");
    }
    assert!(!page.contains("12a"), "{page}");
    let page = browser.get("/pin-file/check?name=broken.csv").text();
    assert!(page.contains("The file admits nobody: "), "{page}");
}
