//! Pasting of lists, with a preview before the save.

use crate::fixture::{add_user, database, is_root, lab, start, Browser};
use crate::lab::http::{request, Connection, Response};
use crate::lab::server::Server;
use crate::lab::{Lab, MD5_OF_PIN, OTHER, PIN};
use crate::pages::is_accessible;

pub(crate) const FILE: &str = "pins/customers.csv";
const FORM: &str = "/pin-file/paste?name=customers.csv";

/// Returns the body of a form with this list, and its headers.
fn multipart(fields: &[(&str, &str)]) -> String {
    let mut body = String::new();
    for (name, value) in fields {
        let file = if *name == "file" {
            "; filename=\"<b>.csv\""
        } else {
            ""
        };
        body += "--limit\r\nContent-Disposition: form-data; name=\"";
        body += &format!("{name}\"{file}\r\n\r\n{value}\r\n");
    }
    body + "--limit--\r\n"
}

const MULTIPART: [(&str, &str); 2] = [
    ("Sec-Fetch-Site", "same-origin"),
    ("Content-Type", "multipart/form-data; boundary=limit"),
];

pub(crate) fn upload(browser: &mut Browser<'_>, path: &str, fields: &[(&str, &str)]) -> Response {
    browser.send("POST", path, &MULTIPART, &multipart(fields))
}

/// Pastes a list, and returns the path of its preview.
pub(crate) fn paste(browser: &mut Browser<'_>, text: &str) -> String {
    let answer = upload(browser, FORM, &[("text", text), ("format", "auto")]);
    assert_eq!(answer.status, 303, "{}", answer.text());
    answer.header("location").unwrap().to_owned()
}

/// Returns the value of a hidden field.
pub(crate) fn hidden(page: &str, name: &str) -> String {
    let mark = format!("name=\"{name}\" value=\"");
    let value = page.split(&mark).nth(1).unwrap();
    value.split('"').next().unwrap().to_owned()
}

/// Sends the form of a preview: `add` or `replace`.
pub(crate) fn save(browser: &mut Browser<'_>, preview: &str, mode: &str, form: &str) -> Response {
    let page = browser.get(preview).text();
    let (id, tag) = (hidden(&page, "id"), hidden(&page, "tag"));
    let fields = [("id", id.as_str()), ("tag", &tag), ("form", form)];
    browser.post(&format!("/pin-file/paste/{mode}"), &fields)
}

/// Follows the answer to a save to its result.
pub(crate) fn result(browser: &mut Browser<'_>, saved: &Response) -> Response {
    assert_eq!(saved.status, 303, "{}", saved.text());
    browser.get(saved.header("location").unwrap())
}

/// Returns the lines of the table of lines that are left out.
fn left_out(page: &str) -> Vec<String> {
    let rows = page.split("<tr><td class=\"number\">").skip(1);
    let row = |row: &str| {
        let row = row.split("</td></tr>").next().unwrap();
        row.replace("</td><td>", ": ")
    };
    rows.map(row).collect()
}

pub(crate) fn with_file(text: &str) -> (Lab, Server) {
    let lab = lab("");
    lab.list(FILE, text);
    let server = start(&lab);
    (lab, server)
}

#[test]
fn preview_counts_and_add_saves_the_new_rows() {
    let old = "account,secret,name\n2,plain:572048163,Bob\n";
    let (lab, server) = with_file(old);
    let mut browser = Browser::logged_in(&server, "ada");
    let list = format!(
        "{PIN}\r\n{OTHER}\r\n1234\r\n12x4\r\n{PIN}\r\n{}\r\n",
        "1".repeat(255)
    );
    let preview = paste(&mut browser, &list);
    let page = browser.get(&preview).text();
    for part in [
        "Lines: 6. New: 2, of which weak: 1. There already: 1. Left out: 3.",
        "Lines 3</p>",
        "Lines 2</p>",
        "Add the new rows: 2",
        "Rows that go: 0. Rows that stay as they are: 1. New rows: 2.",
    ] {
        assert!(page.contains(part), "{part}: {page}");
    }
    let reasons = [
        "4: a character that telephones do not have",
        "5: same PIN as line 1",
        "6: too long",
    ];
    assert_eq!(left_out(&page), reasons);
    is_accessible(&page, "preview");
    assert_eq!(lab.text(FILE), old, "a preview saves nothing");
    let saved = save(&mut browser, &preview, "add", "plain");
    let page = result(&mut browser, &saved).text();
    assert!(page.contains("Rows added: 2."), "{page}");
    assert_eq!(
        lab.text(FILE),
        format!("{old}1,plain:{PIN},\n3,plain:1234,\n")
    );
    assert_eq!(lab.mode(FILE), 0o640);
    // The list is wiped with the save.
    assert_eq!(browser.get(&preview).status, 410);
    let change = browser.get("/changes").text();
    assert!(
        change.contains("<td>paste rows</td><td>customers.csv</td>"),
        "{change}"
    );
    assert!(change.contains("rows added: 2, secrets: plain"));
}

#[test]
fn replaced_list_is_exactly_the_pasted_one() {
    let old =
        format!("account,secret,name\nada,plain:{PIN},Ada\nbob,plain:4711,\n<i>,plain:4712,\n");
    let (lab, server) = with_file(&old);
    add_user(&lab, "eve", "operator");
    let list = format!("account,pin\nada,{PIN}\nmax,{OTHER}\n");
    let mut eve = Browser::logged_in(&server, "eve");
    let preview = paste(&mut eve, &list);
    let page = eve.get(&preview).text();
    assert!(!page.contains("Replace the list"), "an operator can't");
    assert_eq!(save(&mut eve, &preview, "replace", "plain").status, 403);
    let mut ada = Browser::logged_in(&server, "ada");
    let preview = paste(&mut ada, &list);
    let page = ada.get(&preview).text();
    assert!(page.contains("Replace the list: rows that go: 2"), "{page}");
    assert!(page.contains("<p>bob &lt;i&gt; </p>"), "{page}");
    database(&lab, "UPDATE sessions SET confirmed = confirmed - 301");
    assert_eq!(save(&mut ada, &preview, "replace", "plain").status, 403);
    assert_eq!(lab.text(FILE), old);
    database(&lab, "UPDATE sessions SET confirmed = confirmed + 301");
    let saved = save(&mut ada, &preview, "replace", "plain");
    let page = result(&mut ada, &saved).text();
    assert!(page.contains("Rows added: 1. Rows removed: 2."), "{page}");
    let wanted = format!("account,secret,name\nada,plain:{PIN},Ada\nmax,plain:{OTHER},\n");
    assert_eq!(lab.text(FILE), wanted);
}

/// The password is asked for on the way back to the preview.
#[test]
fn confirmation_leads_back_to_the_preview() {
    let (lab, server) = with_file("account,secret\n");
    let mut ada = Browser::logged_in(&server, "ada");
    let preview = paste(&mut ada, PIN);
    database(&lab, "UPDATE sessions SET confirmed = confirmed - 301");
    let referer = format!("http://{}{preview}", server.address);
    let headers = [("Sec-Fetch-Site", "same-origin"), ("Referer", &*referer)];
    let needed = ada.send("POST", "/pin-file/paste/replace", &headers, "");
    assert_eq!(needed.status, 403);
    assert!(
        needed.text().contains(&format!("value=\"{preview}\"")),
        "{}",
        needed.text()
    );
}

#[test]
fn every_format_of_convert_is_read() {
    for (list, wanted) in [
        (format!("{PIN}\n"), format!("1,plain:{PIN}")),
        (format!("ada,{PIN}\n"), format!("ada,plain:{PIN}")),
        (
            format!("pin;account\n{PIN};ada\n"),
            format!("ada,plain:{PIN}"),
        ),
        (
            format!("account,secret\nada,plain:{PIN}\n"),
            format!("ada,plain:{PIN}"),
        ),
        (
            format!("ada:{MD5_OF_PIN}\n"),
            format!("ada,md5:{MD5_OF_PIN}"),
        ),
        (format!("/PINSETS/1/{PIN} : 1\n"), format!("1,plain:{PIN}")),
        (
            format!("pin_number,enabled,accountcode\n{PIN},true,ada\n"),
            format!("ada,plain:{PIN}"),
        ),
        (
            format!("Authorization Code Name,Authorization Code,Authorization Level\nada,{PIN},\n"),
            format!("ada,plain:{PIN}"),
        ),
    ] {
        let (lab, server) = with_file("");
        let mut browser = Browser::logged_in(&server, "ada");
        let preview = paste(&mut browser, &list);
        let saved = save(&mut browser, &preview, "add", "plain");
        assert_eq!(result(&mut browser, &saved).status, 200);
        assert_eq!(
            lab.text(FILE),
            format!("account,secret\n{wanted}\n"),
            "{list}"
        );
    }
}

#[test]
fn chosen_format_and_shared_pins_are_used() {
    let (lab, server) = with_file("");
    let mut browser = Browser::logged_in(&server, "ada");
    let list = format!("ada,{PIN}\nbob,{PIN}\n");
    let fields = [
        ("format", "account-pin"),
        ("shared", "yes"),
        ("text", ""),
        ("file", &*list),
    ];
    let answer = upload(&mut browser, FORM, &fields);
    let preview = answer.header("location").unwrap().to_owned();
    let saved = save(&mut browser, &preview, "add", "plain");
    assert_eq!(result(&mut browser, &saved).status, 200);
    assert_eq!(
        lab.text(FILE),
        format!("account,secret\nada,plain:{PIN}\nbob,plain:{PIN}\n")
    );
}

#[test]
fn list_that_can_not_be_used_is_refused_with_reason_and_remedy() {
    let (lab, server) = with_file("account,secret\n");
    let mut browser = Browser::logged_in(&server, "ada");
    let many = "1\n".repeat(100_001);
    let two = format!("pin_number,accountcode\n{PIN},ada\n");
    for (fields, what) in [
        (vec![("text", ""), ("file", "")], "The list is empty."),
        (vec![("text", "\r\n \r\n")], "The list is empty."),
        (
            vec![("text", "# \n\0\n")],
            "The list is no text. Save a spreadsheet as CSV",
        ),
        (vec![("text", "1"), ("file", "2")], "There are two lists."),
        (vec![("text", &many)], "The list has more than 100000 rows."),
        (vec![("text", &two)], "line 1: no column enabled"),
        (
            vec![("text", "account,secret\na\n")],
            "The list can't be read: line 2",
        ),
    ] {
        let fields = [fields, vec![("format", "auto")]].concat();
        let answer = upload(&mut browser, FORM, &fields);
        let text = answer.text();
        assert_eq!(answer.status, 422, "{what}: {text}");
        assert!(text.contains(what), "{what}: {text}");
        for part in [
            "class=\"errors\"",
            "aria-describedby=\"list-error\"",
            "id=\"list-error\"",
        ] {
            assert!(text.contains(part), "{part}");
        }
        assert!(!text.contains(PIN) && !text.contains(">1</textarea>"));
    }
    for fields in [&[("text", PIN)][..], &[("format", "x")], &[("other", "x")]] {
        assert_eq!(upload(&mut browser, FORM, fields).status, 400);
    }
    assert_eq!(browser.post(FORM, &[("text", PIN)]).status, 400);
    // Lines without any PIN: there is nothing to save.
    let preview = paste(&mut browser, "no PIN here\nnor here\n");
    let page = browser.get(&preview).text();
    assert!(
        page.contains("New: 0") && page.contains("There is nothing to save."),
        "{page}"
    );
    assert_eq!(lab.text(FILE), "account,secret\n");
}

#[test]
fn list_over_64_mib_is_refused() {
    let (_lab, server) = with_file("account,secret\n");
    let browser = Browser::logged_in(&server, "ada");
    let list = "1".repeat(65 << 20);
    let body = multipart(&[("text", &list), ("format", "auto")]);
    let host = server.address.to_string();
    let cookie = browser.cookie.clone().unwrap();
    let headers = [&MULTIPART[..], &[("Host", &host), ("Cookie", &cookie)]].concat();
    let mut connection = Connection::new(server.address);
    // The answer may come before everything is sent.
    let _ = connection.try_send(&request("POST", FORM, &headers, &body));
    let answer = connection.response().unwrap();
    assert_eq!(answer.status, 413);
    assert!(answer.text().contains("The list is larger than 64 MiB."));
    // Other forms have the small limit.
    let mut browser = browser;
    let long = "x".repeat(65 << 10);
    assert_eq!(
        browser.post("/pin-file/paste/add", &[("id", &long)]).status,
        413
    );
}

#[test]
fn files_that_can_not_be_pasted_into_say_why() {
    let lab = lab("");
    lab.list("pins/plain", "4711\n");
    lab.list("pins/broken.csv", "account,secret\na\n");
    let server = start(&lab);
    let mut browser = Browser::logged_in(&server, "ada");
    for name in ["none", "..%2Fconsole.users", ""] {
        assert_eq!(
            browser.get(&format!("/pin-file/paste?name={name}")).status,
            404,
            "{name}"
        );
    }
    if is_root() {
        std::os::unix::fs::chown(lab.path("pins/plain"), Some(1), None).unwrap();
        for page in ["paste", "make-pins"] {
            let denied = browser.get(&format!("/pin-file/{page}?name=plain"));
            assert_eq!(denied.status, 403);
            assert!(denied.text().contains("As root: chown pinset:asterisk "));
        }
    }
    let path = "/pin-file/paste?name=broken.csv";
    let answer = upload(&mut browser, path, &[("text", PIN), ("format", "auto")]);
    let page = browser.get(answer.header("location").unwrap());
    assert_eq!(page.status, 422);
    let why = "It is no valid CSV file: line 2";
    assert!(page.text().contains(why), "{}", page.text());
}

#[test]
fn file_that_has_changed_since_the_preview_is_not_overwritten() {
    let (lab, server) = with_file("account,secret\n");
    let mut browser = Browser::logged_in(&server, "ada");
    for mode in ["add", "replace"] {
        let preview = paste(&mut browser, PIN);
        let page = browser.get(&preview).text();
        let (id, tag) = (hidden(&page, "id"), hidden(&page, "tag"));
        let changed = format!("account,secret\n{mode},plain:{PIN}\n");
        lab.list(FILE, &changed);
        let fields = [("id", id.as_str()), ("tag", &tag), ("form", "plain")];
        let answer = browser.post(&format!("/pin-file/paste/{mode}"), &fields);
        assert_eq!(answer.status, 409, "{mode}");
        let page = answer.text();
        assert!(page.contains("has changed since the preview, so nothing was saved."));
        // It is the preview of the file as it is now.
        assert!(page.contains("There already: 1"), "{page}");
        assert_ne!(hidden(&page, "tag"), tag);
        assert_eq!(lab.text(FILE), changed);
    }
}

#[test]
fn pasted_list_belongs_to_its_session_and_ends_with_it() {
    let (lab, server) = with_file("account,secret\n");
    add_user(&lab, "eve", "operator");
    add_user(&lab, "max", "viewer");
    let mut ada = Browser::logged_in(&server, "ada");
    let preview = paste(&mut ada, PIN);
    let page = ada.get(&preview).text();
    let (id, tag) = (hidden(&page, "id"), hidden(&page, "tag"));
    let fields = [("id", id.as_str()), ("tag", &tag), ("form", "plain")];
    for name in ["eve", "ada"] {
        let mut other = Browser::logged_in(&server, name);
        assert_eq!(other.get(&preview).status, 410, "{name}");
        assert_eq!(other.post("/pin-file/paste/add", &fields).status, 410);
        assert_eq!(other.post("/pin-file/paste/discard", &fields).status, 410);
    }
    assert_eq!(Browser::logged_in(&server, "max").get(&preview).status, 403);
    assert_eq!(ada.get(&preview).status, 200);
    for wrong in [
        "/pin-file/paste/preview?id=",
        "/pin-file/paste/preview?id=0000000000000001",
    ] {
        assert_eq!(ada.get(wrong).status, 410);
    }
    let over = ada.post("/pin-file/paste/discard", &fields);
    assert_eq!(over.header("location"), Some(FORM));
    assert_eq!(ada.get(&preview).status, 410);
    // A log-in with the cookie ends the old session.
    let preview = paste(&mut ada, PIN);
    ada.log_in("ada", crate::fixture::PASSWORD);
    assert_eq!(ada.get(&preview).status, 410);
    assert_eq!(lab.text(FILE), "account,secret\n");
}

#[test]
fn form_without_key_or_name_is_refused_in_the_preview() {
    let (lab, server) = with_file("account,secret\n");
    let mut browser = Browser::logged_in(&server, "ada");
    let preview = paste(&mut browser, PIN);
    let page = browser.get(&preview).text();
    assert!(!page.contains("<option value=\"hmac-sha256\""), "{page}");
    assert!(page.contains("It needs a key: pepper_file in console.toml."));
    for form in ["hmac-sha256", "x", ""] {
        let answer = save(&mut browser, &preview, "add", form);
        assert_eq!(answer.status, 422);
        assert!(answer.text().contains("PINs can't be stored in this form."));
    }
    assert_eq!(lab.text(FILE), "account,secret\n");
}

#[test]
fn pasted_pins_are_found_after_the_save() {
    let lab = lab("pepper_file = \"LAB/pepper\"\n");
    lab.pepper();
    lab.list(FILE, "account,secret\n");
    let server = start(&lab);
    let mut browser = Browser::logged_in(&server, "ada");
    let preview = paste(&mut browser, &format!("{PIN}\n"));
    assert!(browser
        .get(&preview)
        .text()
        .contains("<option value=\"hmac-sha256\" selected>"));
    let saved = save(&mut browser, &preview, "add", "hmac-sha256");
    assert_eq!(result(&mut browser, &saved).status, 200);
    assert!(lab.text(FILE).contains("1,hmac-sha256:main:"));
    assert_eq!(lab.verify(FILE, &["--pepper", "pepper"], PIN), 0);
    // The same list again: the row is there already.
    let preview = paste(&mut browser, &format!("{PIN}\n{OTHER}\n"));
    let page = browser.get(&preview).text();
    assert!(
        page.contains("New: 1, of which weak: 0. There already: 1."),
        "{page}"
    );
}

#[test]
fn pasted_pins_are_in_no_page_log_trail_or_database() {
    let (lab, server) = with_file(&format!("account,secret\nada,plain:{OTHER}\n"));
    let mut browser = Browser::logged_in(&server, "ada");
    let list = format!("{PIN}\n{OTHER}\n{PIN}\n{PIN}x\n");
    let preview = paste(&mut browser, &list);
    let mut pages = vec![browser.get(&preview)];
    pages.push(save(&mut browser, &preview, "add", "md5"));
    let saved = pages.pop().unwrap();
    pages.push(result(&mut browser, &saved));
    let unread = format!("pin_number\n{PIN}\n");
    pages.push(upload(
        &mut browser,
        FORM,
        &[("text", &unread), ("format", "auto")],
    ));
    for path in ["/changes", "/changes.csv", "/pin-file?name=customers.csv"] {
        pages.push(browser.get(path));
    }
    for page in &pages {
        let text = page.text();
        assert!(!text.contains(PIN) && !text.contains(OTHER), "{text}");
        assert!(!text.contains(MD5_OF_PIN), "{text}");
    }
    assert!(lab.text(FILE).contains(MD5_OF_PIN));
    assert!(server.stop().success());
    for file in ["err", "console.db", "console.db-wal"] {
        let bytes = std::fs::read(lab.path(file)).unwrap_or_default();
        let text = String::from_utf8_lossy(&bytes);
        for secret in [PIN, OTHER, MD5_OF_PIN] {
            assert!(!text.contains(secret), "{file}");
        }
    }
}

#[test]
fn change_that_can_not_be_recorded_is_not_saved() {
    let (lab, server) = with_file("account,secret\n");
    let mut browser = Browser::logged_in(&server, "ada");
    let preview = paste(&mut browser, PIN);
    database(&lab, "ALTER TABLE changes RENAME TO gone");
    assert_eq!(save(&mut browser, &preview, "add", "plain").status, 503);
    assert_eq!(lab.text(FILE), "account,secret\n");
}
