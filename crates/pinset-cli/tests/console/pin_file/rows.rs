//! The table of rows: search, filters, order, parts.

use super::{CUSTOMERS, FILE};
use crate::fixture::{lab, start, Browser};
use crate::lab::{MD5_OF_PIN, OTHER, PIN};

/// Returns the accounts of a page, in order.
fn accounts(page: &str) -> Vec<String> {
    let rows = page.split("aria-label=\"Choose ").skip(1);
    rows.map(|row| row.split(", line").next().unwrap().to_owned())
        .collect()
}

#[test]
fn rows_are_shown_without_secrets() {
    let lab = lab("");
    lab.list("pins/customers.csv", CUSTOMERS);
    let server = start(&lab);
    let mut browser = Browser::logged_in(&server, "ada");
    let files = browser.get("/").text();
    assert!(files.contains("<a href=\"/pin-file?name=customers.csv\">customers.csv</a>"));
    let page = browser.get(FILE).text();
    for part in [
        "Rows: 3. Accounts: 3. Changed ",
        "All 3 rows",
        "<td>ada</td><td>Ada Lovelace</td><td>+905060508169</td><td class=\"number\">3</td>\
         <td>until 2099-12-31</td><td class=\"number\">5</td><td>plain</td><td>valid</td>",
        "<td>until 2020-01-01</td><td class=\"number\"></td><td>plain</td><td>expired</td>",
        "<td>&lt;b&gt;Eve&lt;/b&gt;</td>",
        "<td>md5</td><td>not yet valid</td><td class=\"number\">4</td>",
    ] {
        assert!(page.contains(part), "{part}: {page}");
    }
    for secret in [PIN, OTHER, MD5_OF_PIN, "plain:", "<b>"] {
        assert!(!page.contains(secret), "{secret}");
    }
}

#[test]
fn rows_are_searched_and_filtered() {
    let lab = lab("");
    lab.list("pins/customers.csv", CUSTOMERS);
    let server = start(&lab);
    let mut browser = Browser::logged_in(&server, "ada");
    for (query, wanted) in [
        ("q=LOVE", &["ada"][..]),
        ("q=ob", &["bob"]),
        ("q=0532111", &["bob"]),
        ("q=0506+0508", &["ada"]),
        ("q=836490217", &[]),
        ("state=expired", &["bob"]),
        ("state=not-yet", &["eve"]),
        ("state=valid&secret=md5", &[]),
        ("secret=plain", &["ada", "bob"]),
        ("sort=-account", &["eve", "bob", "ada"]),
        ("sort=name", &["eve", "ada", "bob"]),
        ("sort=until", &["bob", "ada", "eve"]),
        ("sort=level", &["bob", "eve", "ada"]),
        ("sort=secret", &["eve", "ada", "bob"]),
        ("sort=-secret", &["bob", "ada", "eve"]),
        ("sort=state", &["ada", "eve", "bob"]),
        ("sort=-state", &["bob", "eve", "ada"]),
        // No PBX counts uses.
        ("sort=uses", &["ada", "bob", "eve"]),
    ] {
        let page = browser.get(&format!("{FILE}&{query}")).text();
        assert_eq!(accounts(&page), wanted, "{query}");
    }
    // A heading sorts by its column, and then the other way round.
    for (sort, link, direction) in [
        ("name", "sort=account", "sort=-name"),
        ("-name", "sort=account", "sort=name"),
    ] {
        let page = browser.get(&format!("{FILE}&sort={sort}&q=a")).text();
        for target in [link, direction] {
            let link = format!("<a href=\"/pin-file?name=customers.csv&amp;q=a&amp;{target}\">");
            assert!(page.contains(&link), "{link}: {page}");
        }
        assert_eq!(page.matches("aria-sort=\"").count(), 1);
    }
    // The values stay in the form.
    let page = browser
        .get(&format!("{FILE}&q=%3Ci%3E&state=expired"))
        .text();
    assert!(page.contains("type=\"search\" value=\"&lt;i&gt;\""));
    assert!(page.contains("<option value=\"expired\" selected>"));
    assert!(page.contains("0 of 3 rows") && page.contains("There is no such row."));
}

#[test]
fn parts_follow_each_other_without_gaps() {
    let lab = lab("");
    let mut text = "account,secret\n".to_owned();
    for at in 0..120 {
        // Descending, and each account twice.
        text += &format!("a{:03},plain:{}\n", 60 - at / 2, 500_000 + at);
    }
    lab.list("pins/customers.csv", text);
    let server = start(&lab);
    let mut browser = Browser::logged_in(&server, "ada");
    for sort in [
        "account", "-account", "line", "-line", "state", "-secret", "uses",
    ] {
        let (mut path, mut forward, mut sizes) = (format!("{FILE}&sort={sort}"), vec![], vec![]);
        let mut last;
        loop {
            last = browser.get(&path).text();
            let part = accounts(&last);
            sizes.push(part.len());
            forward.extend(part);
            match link(&last, "Next 50") {
                Some(next) => path = next,
                None => break,
            }
        }
        assert_eq!(sizes, [50, 50, 20], "{sort}");
        let mut sorted = forward.clone();
        sorted.sort();
        // Equal ones are in the order of the file.
        if ["-account", "line", "state", "uses"].contains(&sort) {
            sorted.reverse();
        }
        assert_eq!(forward, sorted, "{sort}");
        let previous = browser.get(&link(&last, "Previous 50").unwrap()).text();
        assert_eq!(accounts(&previous), forward[50..100], "{sort}");
        let first = browser.get(&link(&previous, "Previous 50").unwrap()).text();
        assert_eq!(accounts(&first), forward[..50], "{sort}");
        assert_eq!(link(&first, "Previous 50"), None);
    }
}

/// Returns the target of a link by its text.
fn link(page: &str, text: &str) -> Option<String> {
    let before = page.split(&format!("\">{text}")).next().unwrap();
    let target = before.rsplit("href=\"").next().unwrap();
    (before.len() < page.len()).then(|| target.replace("&amp;", "&"))
}

#[test]
fn invalid_rows_and_other_files_are_explained() {
    let lab = lab("");
    lab.list(
        "pins/customers.csv",
        "account,secret,caller,level\nada,plain:836490217,,300\nbob,sha1:1,,\neve,plain:572048163,x,\n,plain:1,,\n",
    );
    lab.list("pins/plain", "836490217\n572048163\nx\n");
    lab.list("pins/md5", format!("ada:{MD5_OF_PIN}\n"));
    lab.list("pins/empty", "");
    lab.list("pins/bad.csv", "account,secret\nada\n");
    let server = start(&lab);
    let mut browser = Browser::logged_in(&server, "ada");
    let page = browser.get(&format!("{FILE}&state=invalid")).text();
    for part in [
        "invalid: line 2, level: must be a whole number from 0 to 255",
        "invalid: line 3, secret: the secret must begin with plain:",
        "invalid: line 4, caller: not a usable number",
        "invalid: line 5, account: empty",
        "All 4 rows",
    ] {
        assert!(page.contains(part), "{part}: {page}");
    }
    for (name, part) in [
        (
            "plain",
            "A plain file: one PIN a line. PINs: 2. Invalid lines: 1.",
        ),
        ("md5", "An MD5 file: account and MD5 of the PIN. PINs: 1. "),
        ("empty", "The file is empty."),
        ("bad.csv", "line 2: more or fewer fields than the header"),
    ] {
        let page = browser.get(&format!("/pin-file?name={name}"));
        assert_eq!(page.status, 200);
        let page = page.text();
        assert!(page.contains(part), "{part}: {page}");
        for secret in [PIN, OTHER, MD5_OF_PIN] {
            assert!(!page.contains(secret), "{name}");
        }
    }
}
