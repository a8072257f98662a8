//! What the pages show.

use std::fs;

use crate::fixture::{add_user, database, lab, start, Browser};

#[test]
fn pin_files_of_the_folder_are_listed() {
    let lab = lab("");
    let server = start(&lab);
    let mut browser = Browser::logged_in(&server, "ada");
    assert!(browser
        .get("/")
        .text()
        .contains("There is no PIN file yet."));
    lab.list("pins/customers.csv", "account,secret\nada,plain:1234\n");
    lab.list("pins/<b>.txt", "1234\n");
    lab.list("pins/.hidden", "1234\n");
    fs::create_dir(lab.path("pins/folder")).unwrap();
    std::os::unix::fs::symlink("/etc/passwd", lab.path("pins/link")).unwrap();
    let text = browser.get("/").text();
    assert!(
        text.contains(
            "<td><a href=\"/pin-file?name=customers.csv\">customers.csv</a></td>\
             <td class=\"number\">30</td>"
        ),
        "{text}"
    );
    assert!(text.contains("\">&lt;b&gt;.txt</a></td>"));
    for absent in ["hidden", "folder</", "link</", "<b>", "1234"] {
        assert!(!text.contains(absent), "{absent}");
    }
    fs::rename(lab.path("pins"), lab.path("gone")).unwrap();
    assert!(browser
        .get("/")
        .text()
        .contains("pins: No such file or directory"));
}

#[test]
fn pin_files_are_sorted_by_the_links_of_their_headings() {
    let lab = lab("");
    for (name, bytes) in [("b.csv", 30), ("A.csv", 10), ("c.csv", 20)] {
        lab.list(&format!("pins/{name}"), "1".repeat(bytes));
    }
    let server = start(&lab);
    let mut browser = Browser::logged_in(&server, "ada");
    for (order, names) in [
        ("", ["A.csv", "b.csv", "c.csv"]),
        ("-name", ["c.csv", "b.csv", "A.csv"]),
        ("bytes", ["A.csv", "c.csv", "b.csv"]),
        ("-bytes", ["b.csv", "c.csv", "A.csv"]),
    ] {
        let page = browser.get(&format!("/?sets=name&files={order}")).text();
        let places = names.map(|name| page.find(&format!(">{name}</a>")).unwrap());
        assert!(places.is_sorted(), "{order}: {page}");
        // The other tables keep their order.
        assert!(
            page.contains("href=\"/?sets=name&amp;files=changed\""),
            "{page}"
        );
    }
}

#[test]
fn changes_are_listed_by_page_and_as_csv() {
    let lab = lab("");
    let server = start(&lab);
    let mut browser = Browser::logged_in(&server, "ada");
    for at in 0..60 {
        let insert = format!(
            "INSERT INTO changes (time, user, client, action, pin_set, account, before, after, \
             tag_before, tag_after) VALUES (1800000000000, 'bob', '192.0.2.1', 'change row', \
             'customers', 'account {at}', 'level=1', '=1+1 <i>', '', '')"
        );
        database(&lab, &insert);
    }
    let first = browser.get("/changes").text();
    assert!(first.contains("<td>account 59</td>") && first.contains("<td>account 10</td>"));
    assert!(!first.contains("<td>account 9</td>") && !first.contains("<i>"));
    let link = |page: &str, text: &str| {
        let before = page.split(&format!("\">{text} 50</a>")).next().unwrap();
        assert!(before.len() < page.len(), "{text}: {page}");
        let link = before.rsplit("href=\"").next().unwrap();
        link.replace("&amp;", "&")
    };
    let second = browser.get(&link(&first, "Next")).text();
    assert!(second.contains("<td>account 9</td>") && second.contains("<td>log in</td>"));
    assert!(!second.contains("Next 50"));
    assert_eq!(browser.get(&link(&second, "Previous")).text(), first);
    // In another order, both parts together have all of them once.
    for (order, accounts) in [
        ("account", [None, Some("account 59"), Some("account 9")]),
        ("-account", [Some("account 9"), Some("account 0"), None]),
        ("time", [None, Some("account 0"), Some("account 59")]),
        ("user", [None, Some("account 0"), Some("account 59")]),
    ] {
        let one = browser.get(&format!("/changes?sort={order}")).text();
        let other = browser.get(&link(&one, "Next")).text();
        let back = browser.get(&link(&other, "Previous")).text();
        assert_eq!(back, one, "{order}");
        let found: Vec<Option<&str>> = [&one, &other]
            .into_iter()
            .flat_map(|page| page.split("<tr>").skip(2))
            .map(|row| {
                let account = row.split("<td>account ").nth(1)?;
                account.split('<').next()
            })
            .collect();
        assert_eq!(found.len(), 61, "{order}");
        let wanted = accounts.map(|account| account.map(|text| &text["account ".len()..]));
        let places = wanted.map(|wanted| found.iter().position(|found| *found == wanted));
        assert!(places.iter().all(Option::is_some), "{order}: {found:?}");
        assert!(places.is_sorted(), "{order}: {found:?}");
        let all: std::collections::HashSet<_> = found.iter().collect();
        assert_eq!(all.len(), 61, "{order}: {found:?}");
        let direction = if order.starts_with('-') {
            "descending"
        } else {
            "ascending"
        };
        assert!(one.contains(&format!("aria-sort=\"{direction}\"")), "{one}");
    }
    let csv = browser.get("/changes.csv");
    assert_eq!(csv.header("content-type"), Some("text/csv; charset=utf-8"));
    let text = csv.text();
    let lines: Vec<&str> = text.lines().collect();
    assert_eq!(lines.len(), 62);
    assert!(lines[0].starts_with("time,user,client,action,pin_set,account,before,after,"));
    let row = "bob,192.0.2.1,change row,customers,account 59,level=1,'=1+1 <i>,,";
    assert!(lines[1].ends_with(row), "{}", lines[1]);
    assert!(lines[61].contains(",ada,127.0.0.1,log in,"));
}

#[test]
fn setup_says_what_is_missing_and_how_to_mend_it() {
    let lab = lab("cdr = \"LAB/Master.csv\"\naudit_log = \"LAB/authenticate.log\"\n");
    lab.file("authenticate.log", "", 0o640);
    let server = start(&lab);
    let mut browser = Browser::logged_in(&server, "ada");
    let text = browser.get("/setup").text();
    for row in [
        "<td class=\"ok\">✓ ok</td><td>users</td>",
        "<td class=\"ok\">✓ ok</td><td>lists</td>",
        "<td class=\"warning\">! warning</td><td>pbx</td><td>no PBX is configured</td>",
        "<td class=\"warning\">! warning</td><td>cdr</td>",
        "<td class=\"ok\">✓ ok</td><td>audit_log</td>",
    ] {
        assert!(text.contains(row), "{row}: {text}");
    }
    assert!(text.contains("<code>module load cdr_csv.so"));
    fs::remove_dir(lab.path("pins")).unwrap();
    let text = browser.get("/setup").text();
    assert!(
        text.contains("<code>install -d -o pinset -g asterisk -m 2750 "),
        "{text}"
    );
}

#[test]
fn errors_have_the_navigation_of_a_session() {
    let lab = lab("");
    add_user(&lab, "vic", "viewer");
    let server = start(&lab);
    let mut browser = Browser::logged_in(&server, "vic");
    let navigation = "<nav aria-label=\"Pages\">";
    let has_it = |text: String| text.contains(navigation) && text.contains("vic (viewer)");
    for (path, status) in [
        ("/none", 404),
        ("/logout", 405),
        ("/pin-file?name=none.csv", 404),
        ("/new-pin-set", 403),
    ] {
        let page = browser.get(path);
        assert_eq!(page.status, status, "{path}");
        assert!(has_it(page.text()), "{path}");
        let page = Browser::new(&server).get(path);
        assert!(!page.text().contains(navigation), "{path}");
    }
    // A page of another host name gets nothing of the session.
    let page = browser.send("GET", "/", &[("Host", "evil.example.net")], "");
    assert_eq!(page.status, 421);
    assert!(!page.text().contains(navigation));
    let cookie = browser.cookie.clone();
    assert_eq!(browser.post("/logout", &[]).status, 303);
    browser.cookie = cookie;
    assert!(!browser.get("/none").text().contains(navigation));
}

/// Checks that a page can be used without a script and by keyboard, and names its parts.
pub(crate) fn is_accessible(text: &str, path: &str) {
    let count = |part: &str| text.matches(part).count();
    assert!(
        text.starts_with("<!DOCTYPE html><html lang=\"en\">"),
        "{path}"
    );
    assert_eq!(count("<h1>"), 1, "{path}");
    assert!(text.contains("<a class=\"skip\" href=\"#main\">"), "{path}");
    assert!(text.contains("<main id=\"main\""), "{path}");
    assert_eq!(count("<table>"), count("<caption>"), "{path}");
    assert_eq!(
        count("<th "),
        count("<th scope=") + count("<th class=\"number\" scope="),
        "{path}"
    );
    let inputs = count("<input") - count("type=\"hidden\"");
    let fields = inputs + count("<select") + count("<textarea") + count("<progress");
    assert_eq!(fields, count("<label"), "{path}");
    for absent in ["<script", "style=", "onclick", "http://", "https://"] {
        assert!(!text.contains(absent), "{path}: {absent}");
    }
}

#[test]
fn pages_have_labels_captions_and_one_heading() {
    let lab = lab("");
    lab.list("pins/customers.csv", "account,secret\n");
    let server = start(&lab);
    let mut browser = Browser::logged_in(&server, "ada");
    for path in [
        "/",
        "/account",
        "/callers?q=ada",
        "/calls",
        "/changes",
        "/confirm",
        "/login",
        "/setup",
        "/none",
        "/pin-file/make-pins?name=customers.csv",
        "/pin-file/paste?name=customers.csv",
    ] {
        is_accessible(&browser.get(path).text(), path);
    }
    let wrong = Browser::new(&server).log_in("ada", "wrong").text();
    assert!(wrong.contains("<div class=\"errors\" role=\"alert\" tabindex=\"-1\" autofocus>"));
}

/// What a browser gets for its first page.
#[test]
fn first_page_is_small_and_of_this_console_alone() {
    let lab = lab("");
    for at in 0..50 {
        lab.list(&format!("pins/customers-{at}.csv"), "account,secret\n");
    }
    let server = start(&lab);
    let mut browser = Browser::logged_in(&server, "ada");
    let page = browser.get("/").text();
    let mut bytes = page.len();
    for attribute in ["src=\"", "rel=\"stylesheet\" href=\""] {
        for path in page.split(attribute).skip(1) {
            let path = path.split('"').next().unwrap();
            assert!(path.starts_with('/') && !path.starts_with("//"), "{path}");
            bytes += browser.get(path).body.len();
        }
    }
    assert!(bytes > page.len(), "a page without a style");
    assert!(!page.contains("://"), "{page}");
    bytes += browser.get("/live.js").body.len();
    assert!(bytes < 60_000, "{bytes}");
}
