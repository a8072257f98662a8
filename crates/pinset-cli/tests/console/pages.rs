//! What the pages show.

use std::fs;

use crate::fixture::{database, lab, start, Browser};

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
        text.contains("<td>customers.csv</td><td class=\"number\">30</td>"),
        "{text}"
    );
    assert!(text.contains("<td>&lt;b&gt;.txt</td>"));
    for absent in ["hidden", "folder</td>", "link</td>", "<b>", "1234"] {
        assert!(!text.contains(absent), "{absent}");
    }
    fs::rename(lab.path("pins"), lab.path("gone")).unwrap();
    assert!(browser
        .get("/")
        .text()
        .contains("pins: No such file or directory"));
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
    let older = first.split("/changes?before=").nth(1).unwrap();
    let older = older.split('"').next().unwrap();
    let second = browser.get(&format!("/changes?before={older}")).text();
    assert!(second.contains("<td>account 9</td>") && second.contains("<td>log in</td>"));
    assert!(!second.contains("Older"));
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

/// Each page can be used without a script and by keyboard, and names its parts.
#[test]
fn pages_have_labels_captions_and_one_heading() {
    let lab = lab("");
    let server = start(&lab);
    let mut browser = Browser::logged_in(&server, "ada");
    for path in [
        "/", "/account", "/changes", "/confirm", "/login", "/setup", "/none",
    ] {
        let text = browser.get(path).text();
        assert!(
            text.starts_with("<!DOCTYPE html><html lang=\"en\">"),
            "{path}"
        );
        assert_eq!(text.matches("<h1>").count(), 1, "{path}");
        assert!(text.contains("<a class=\"skip\" href=\"#main\">"), "{path}");
        assert!(text.contains("<main id=\"main\""), "{path}");
        assert_eq!(
            text.matches("<table>").count(),
            text.matches("<caption>").count()
        );
        assert_eq!(
            text.matches("<th ").count(),
            text.matches("<th scope=").count()
                + text.matches("<th class=\"number\" scope=").count(),
            "{path}"
        );
        let fields = text.matches("<input").count() - text.matches("type=\"hidden\"").count();
        assert_eq!(fields, text.matches("<label>").count(), "{path}");
        for absent in ["<script", "style=", "onclick", "http://", "https://"] {
            assert!(!text.contains(absent), "{path}: {absent}");
        }
    }
    let wrong = Browser::new(&server).log_in("ada", "wrong").text();
    assert!(wrong.contains("<div class=\"errors\" role=\"alert\" tabindex=\"-1\" autofocus>"));
}
