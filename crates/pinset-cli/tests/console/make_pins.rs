//! New PINs for many rows, and their handing out.

use crate::fixture::{add_user, database, lab, start, Browser};
use crate::lab::http::Response;
use crate::lab::server::Server;
use crate::lab::Lab;
use crate::pages::is_accessible;
use crate::paste::{hidden, result};

const FILE: &str = "pins/customers.csv";
const FORM: &str = "/pin-file/make-pins";

fn make(browser: &mut Browser<'_>, fields: &[(&str, &str)]) -> Response {
    let form = browser.get("/pin-file/make-pins?name=customers.csv").text();
    let once = hidden(&form, "once");
    let mut all = vec![("name", "customers.csv"), ("once", &once)];
    for name in ["count", "prefix", "accounts", "digits", "form"] {
        let given = fields.iter().find(|(field, _)| *field == name);
        let default = match name {
            "digits" => "9",
            "form" => "md5",
            _ => "",
        };
        all.push((name, given.map_or(default, |(_, value)| value)));
    }
    browser.post(FORM, &all)
}

fn with_file(text: &str) -> (Lab, Server) {
    let lab = lab("");
    lab.list(FILE, text);
    let server = start(&lab);
    (lab, server)
}

/// Makes PINs, and returns the field `id` of the page that hands them out.
fn made(browser: &mut Browser<'_>, fields: &[(&str, &str)]) -> (Response, String) {
    let saved = make(browser, fields);
    let page = result(browser, &saved);
    assert_eq!(page.status, 200, "{}", page.text());
    let id = hidden(&page.text(), "id");
    (saved, id)
}

#[test]
fn pins_are_taken_once_as_csv_and_once_as_letters() {
    let (lab, server) = with_file("account,secret\nguest-7,plain:4711\n");
    let mut browser = Browser::logged_in(&server, "ada");
    let form = browser.get("/pin-file/make-pins?name=customers.csv").text();
    assert!(form.contains("name=\"digits\" value=\"6\""), "{form}");
    let (saved, id) = made(&mut browser, &[("count", "3"), ("prefix", "guest-")]);
    let page = result(&mut browser, &saved).text();
    is_accessible(&page, "new PINs");
    for part in [
        "Rows added: 3.",
        "New PINs: 3.",
        "after a restart of the console",
    ] {
        assert!(page.contains(part), "{part}: {page}");
    }
    let csv = browser.post("/pin-file/pins/csv", &[("id", &id)]);
    assert_eq!(csv.status, 200);
    assert_eq!(csv.header("content-type"), Some("text/csv; charset=utf-8"));
    assert_eq!(csv.header("cache-control"), Some("no-store"));
    let csv = csv.text();
    let rows: Vec<Vec<&str>> = csv.lines().map(|line| line.split(',').collect()).collect();
    assert_eq!(rows[0], ["account", "name", "pin"]);
    let accounts: Vec<&str> = rows[1..].iter().map(|row| row[0]).collect();
    assert_eq!(accounts, ["guest-8", "guest-9", "guest-10"]);
    for row in &rows[1..] {
        assert_eq!(row[2].len(), 9, "{row:?}");
        assert_eq!(lab.verify(FILE, &["--account", row[0]], row[2]), 0);
    }
    let again = browser.post("/pin-file/pins/csv", &[("id", &id)]);
    assert_eq!(again.status, 410);
    assert!(again
        .text()
        .contains("The PINs were taken in this form at 20"));
    let page = result(&mut browser, &saved).text();
    assert!(
        page.contains("As CSV for a mail merge: was taken at 20"),
        "{page}"
    );
    let letters = browser
        .post("/pin-file/pins/letters", &[("id", &id)])
        .text();
    assert_eq!(letters.matches("<section class=\"letter\">").count(), 3);
    for row in &rows[1..] {
        assert!(
            letters.contains(&format!("<h2>{}</h2>", row[0])),
            "{letters}"
        );
        assert!(letters.contains(&format!("<strong class=\"pin\">{}</strong>", row[2])));
    }
    assert_eq!(
        browser
            .post("/pin-file/pins/letters", &[("id", &id)])
            .status,
        410
    );
    let changes = browser.get("/changes").text();
    for action in ["make PINs", "take PINs as CSV", "take PINs as letters"] {
        assert!(
            changes.contains(&format!("<td>{action}</td><td>customers.csv</td>")),
            "{changes}"
        );
    }
    assert!(changes.contains("<td>PINs: 3</td>"));
    // The PINs are nowhere else.
    let mut texts = vec![changes, result(&mut browser, &saved).text()];
    texts.push(browser.get("/pin-file?name=customers.csv").text());
    assert!(server.stop().success());
    for file in ["err", "console.db", "console.db-wal", FILE] {
        let bytes = std::fs::read(lab.path(file)).unwrap_or_default();
        texts.push(String::from_utf8_lossy(&bytes).into_owned());
    }
    for (text, row) in texts
        .iter()
        .flat_map(|text| rows[1..].iter().map(move |row| (text, row)))
    {
        assert!(!text.contains(row[2]), "{}", row[2]);
    }
}

#[test]
fn named_accounts_are_in_file_and_letters_as_text() {
    let (lab, server) = with_file("account,secret\n");
    let mut browser = Browser::logged_in(&server, "ada");
    let accounts = "ada,\"Lovelace, <b>Ada</b>\"\r\n\r\nbob\r\nmax,=1+1\r\n";
    let (_, id) = made(&mut browser, &[("accounts", accounts)]);
    assert!(lab.text(FILE).starts_with("account,secret,name\nada,md5:"));
    assert!(
        lab.text(FILE)
            .contains(",\"Lovelace, <b>Ada</b>\"\nbob,md5:"),
        "{}",
        lab.text(FILE)
    );
    let csv = browser.post("/pin-file/pins/csv", &[("id", &id)]).text();
    assert!(csv.contains("ada,\"Lovelace, <b>Ada</b>\","), "{csv}");
    assert!(csv.contains("max,'=1+1,"), "{csv}");
    let letters = browser
        .post("/pin-file/pins/letters", &[("id", &id)])
        .text();
    assert!(
        letters.contains("<h2>Lovelace, &lt;b&gt;Ada&lt;/b&gt;</h2>"),
        "{letters}"
    );
    assert!(letters.contains("<h2>=1+1</h2>") && letters.contains("Account: ada"));
}

#[test]
fn wrong_values_are_refused_beside_their_fields() {
    let (lab, server) = with_file("account,secret\nada,plain:4711\n");
    let mut browser = Browser::logged_in(&server, "ada");
    let old = lab.text(FILE);
    for (fields, field, why) in [
        (
            &[("count", "0")][..],
            "count",
            "Number of PINs: a number from 1 to 100000.",
        ),
        (&[("count", "100001")], "count", "Number of PINs: a number"),
        (&[("count", "x<")], "count", "Number of PINs: a number"),
        (&[], "count", "Number of PINs: a number"),
        (
            &[("count", "2"), ("accounts", "bob")],
            "count",
            "Number of PINs: there are 1 accounts.",
        ),
        (
            &[("count", "1"), ("digits", "0")],
            "digits",
            "Digits: a number from 1 to 254.",
        ),
        (
            &[("count", "1"), ("digits", "255")],
            "digits",
            "Digits: a number",
        ),
        (
            &[("count", "6"), ("digits", "1")],
            "digits",
            "too few PINs of 1 digits. Use more digits",
        ),
        (
            &[("accounts", "bob\nada")],
            "accounts",
            "account 2 has a row already. Use other accounts.",
        ),
        (
            &[("accounts", "bob\nbob")],
            "accounts",
            "Accounts: line 2: duplicate account.",
        ),
        (
            &[("accounts", "bob,Bob,1")],
            "accounts",
            "Accounts: line 1: account, or account,name.",
        ),
        (
            &[("count", "1"), ("prefix", "a\u{7}b")],
            "accounts",
            "account 1: ",
        ),
        (
            &[("count", "1"), ("form", "hmac-sha256")],
            "form",
            "PINs can&#39;t be stored in this form.",
        ),
    ] {
        let answer = make(&mut browser, fields);
        let text = answer.text().replace("can't", "can&#39;t");
        assert_eq!(answer.status, 422, "{why}: {text}");
        assert!(text.contains("class=\"errors\""), "{why}");
        let error = format!("<p class=\"error\" id=\"{field}-error\">{why}");
        assert!(text.contains(&error), "{error}: {text}");
        if field != "form" {
            assert!(text.contains(&format!(
                "aria-describedby=\"{field}-error\" aria-invalid=\"true\""
            )));
        }
    }
    // What was typed stays.
    let text = make(&mut browser, &[("count", "x<"), ("prefix", "guest\"")]).text();
    assert!(text.contains("name=\"count\" value=\"x&lt;\""), "{text}");
    assert!(text.contains("name=\"prefix\" value=\"guest&quot;\""));
    assert_eq!(lab.text(FILE), old);
    lab.list("pins/plain", "4711\n");
    let form = browser.get("/pin-file/make-pins?name=plain").text();
    let once = hidden(&form, "once");
    let fields = [
        ("once", once.as_str()),
        ("name", "plain"),
        ("count", "1"),
        ("prefix", ""),
        ("accounts", ""),
        ("digits", "6"),
        ("form", "md5"),
    ];
    let answer = browser.post(FORM, &fields);
    assert_eq!(answer.status, 422);
    assert!(answer.text().contains(
        "not a CSV file. &quot;Make it a CSV file&quot; on the page of the file does that."
    ));
    assert_eq!(browser.get("/pin-file/make-pins?name=none").status, 404);
}

#[test]
fn pins_need_the_password_again_and_belong_to_the_session() {
    let (lab, server) = with_file("account,secret\n");
    add_user(&lab, "eve", "operator");
    let mut eve = Browser::logged_in(&server, "eve");
    let (saved, id) = made(&mut eve, &[("count", "1")]);
    let mut ada = Browser::logged_in(&server, "ada");
    for path in ["/pin-file/pins/csv", "/pin-file/pins/letters"] {
        assert_eq!(ada.post(path, &[("id", &id)]).status, 410, "{path}");
        database(&lab, "UPDATE sessions SET confirmed = confirmed - 301");
        let needed = eve.post(path, &[("id", &id)]);
        assert_eq!(needed.status, 403);
        assert!(needed.text().contains("This needs your password again."));
        database(&lab, "UPDATE sessions SET confirmed = confirmed + 301");
    }
    assert_eq!(ada.get(saved.header("location").unwrap()).status, 410);
    // A change that can't be recorded hands out nothing, and does not count as one.
    database(&lab, "ALTER TABLE changes RENAME TO gone");
    assert_eq!(eve.post("/pin-file/pins/csv", &[("id", &id)]).status, 503);
    database(&lab, "ALTER TABLE gone RENAME TO changes");
    assert_eq!(eve.post("/pin-file/pins/csv", &[("id", &id)]).status, 200);
    let (_, id) = made(&mut eve, &[("count", "1")]);
    let cookie = eve.cookie.clone();
    eve.post("/logout", &[]);
    eve.cookie = cookie;
    assert_eq!(eve.post("/pin-file/pins/csv", &[("id", &id)]).status, 401);
    eve.log_in("eve", crate::fixture::PASSWORD);
    assert_eq!(eve.post("/pin-file/pins/csv", &[("id", &id)]).status, 410);
}

/// A form that is sent twice, by a double click, must not make PINs twice.
#[test]
fn form_makes_pins_once_unless_it_was_refused() {
    let (lab, server) = with_file("account,secret\n");
    let mut browser = Browser::logged_in(&server, "ada");
    let form = browser.get("/pin-file/make-pins?name=customers.csv").text();
    let once = hidden(&form, "once");
    let mut send = |digits| {
        let fields = [
            ("name", "customers.csv"),
            ("once", once.as_str()),
            ("count", "6"),
            ("prefix", ""),
            ("accounts", ""),
            ("digits", digits),
            ("form", "md5"),
        ];
        browser.post(FORM, &fields)
    };
    // A refused form can be corrected.
    assert_eq!(send("1").status, 422);
    assert_eq!(send("6").status, 303);
    let again = send("6");
    assert_eq!(again.status, 409);
    assert!(
        again.text().contains("This was done at "),
        "{}",
        again.text()
    );
    assert_eq!(lab.text(FILE).lines().count(), 7);
}

#[test]
fn restart_loses_new_pins() {
    let (lab, server) = with_file("account,secret\n");
    let mut browser = Browser::logged_in(&server, "ada");
    let (_, id) = made(&mut browser, &[("count", "1")]);
    assert!(server.stop().success());
    let server = start(&lab);
    let mut browser = Browser::logged_in(&server, "ada");
    let gone = browser.post("/pin-file/pins/csv", &[("id", &id)]);
    assert_eq!(gone.status, 410);
    assert!(gone.text().contains("until a restart of the console"));
}
