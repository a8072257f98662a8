//! Plain and MD5 files: PINs are added, pasted and deleted, and the file becomes CSV.

use std::fs;

use super::row::Form;
use crate::fixture::{add_user, database, lab, start, Browser};
use crate::lab::http::Response;
use crate::lab::server::Server;
use crate::lab::{Lab, MD5_OF_PIN, OTHER, PIN};
use crate::pages::is_accessible;
use crate::paste::{hidden, result, save, upload};

const STAFF: &str = "pins/staff.txt";
const PAGE: &str = "/pin-file?name=staff.txt";
const ADD: &str = "/pin-file/add-pin";
const REMOVE: &str = "/pin-file/remove-pin";
const CONVERT: &str = "/pin-file/convert";
/// Of `OTHER`.
const MD5_OF_OTHER: &str = "f638923c2b053b60bde1521f54ad43d9";

fn with_file(text: &str) -> (Lab, Server) {
    let lab = lab("");
    lab.list(STAFF, text);
    let server = start(&lab);
    (lab, server)
}

fn form_page(path: &str) -> String {
    format!("{path}?name=staff.txt")
}

/// Enters a PIN into the form that adds one.
fn enter(browser: &mut Browser<'_>, pin: &str) -> Response {
    let form = Form::of(&browser.get(&form_page(ADD)).text());
    let form = form.with("pin_choice", "enter").with("pin", pin);
    form.send(browser, ADD)
}

fn remove(browser: &mut Browser<'_>, field: &str, value: &str) -> Response {
    browser.post(REMOVE, &[("name", "staff.txt"), (field, value)])
}

fn convert(browser: &mut Browser<'_>, page: &str, form: &str) -> Response {
    let tag = hidden(page, "tag");
    let fields = [("name", "staff.txt"), ("tag", &tag), ("form", form)];
    browser.post(CONVERT, &fields)
}

/// Pastes a list. Returns the path of its preview.
fn paste(browser: &mut Browser<'_>, text: &str) -> String {
    let fields = [("text", text), ("format", "auto")];
    let answer = upload(browser, &form_page("/pin-file/paste"), &fields);
    assert_eq!(answer.status, 303, "{}", answer.text());
    answer.header("location").unwrap().to_owned()
}

/// Nothing that the console has written or shown has a PIN, except the file itself.
fn no_pin_is_kept(lab: &Lab, browser: &mut Browser<'_>, pins: &[&str]) {
    let changes = browser.get("/changes").text();
    let page = browser.get(PAGE).text();
    for pin in pins {
        assert!(!changes.contains(pin) && !page.contains(pin), "{pin}");
        for entry in fs::read_dir(lab.path("")).unwrap() {
            let path = entry.unwrap().path();
            if path.is_file() {
                let bytes = fs::read(&path).unwrap();
                let found = memchr::memmem::find(&bytes, pin.as_bytes());
                assert_eq!(found, None, "{}", path.display());
            }
        }
    }
}

#[test]
fn pin_is_added_to_a_plain_file() {
    let (lab, server) = with_file(&format!("; staff\n{PIN}"));
    let mut browser = Browser::logged_in(&server, "ada");
    let page = browser.get(PAGE).text();
    for part in [
        "A plain file: one PIN a line. PINs: 1. Invalid lines: 1.",
        "href=\"/pin-file/add-pin?name=staff.txt\"",
        "href=\"/pin-file/paste?name=staff.txt\"",
        "href=\"/pin-file/remove-pin?name=staff.txt\"",
        "href=\"/pin-file/convert?name=staff.txt\"",
    ] {
        assert!(page.contains(part), "{part}: {page}");
    }
    let form = browser.get(&form_page(ADD)).text();
    is_accessible(&form, ADD);
    assert!(!form.contains("name=\"account\""), "{form}");
    let answer = enter(&mut browser, OTHER);
    assert_eq!(answer.status, 200, "{}", answer.text());
    assert!(answer.text().contains("The PIN is stored as plain."));
    assert!(
        !answer.text().contains(OTHER),
        "an entered PIN is not shown"
    );
    assert_eq!(lab.text(STAFF), format!("; staff\n{PIN}\n{OTHER}\n"));
    assert_eq!(lab.mode(STAFF), 0o640);
    let changes = browser.get("/changes").text();
    let row = "<td>add PIN</td><td>staff.txt</td><td></td><td></td><td>secret=plain</td>";
    assert!(changes.contains(row), "{changes}");
    // The same PIN again.
    let answer = enter(&mut browser, OTHER);
    assert_eq!(answer.status, 422);
    let text = answer.text();
    assert!(
        text.contains("PIN: line 3 has the same PIN already"),
        "{text}"
    );
    assert!(!text.contains(OTHER), "{text}");
    // A weak one is added, with a warning.
    assert!(enter(&mut browser, "1234")
        .text()
        .contains("Warning: The PIN is weak: "));
    no_pin_is_kept(&lab, &mut browser, &[PIN, OTHER]);
}

#[test]
fn made_pin_is_shown_once_and_the_form_is_done_once() {
    let (lab, server) = with_file(&format!("{PIN}\n"));
    let mut browser = Browser::logged_in(&server, "ada");
    let form = Form::of(&browser.get(&form_page(ADD)).text()).with("digits", "8");
    let page = form.send(&mut browser, ADD).text();
    let made = page.split("<strong class=\"secret\">").nth(1).unwrap();
    let made = made.split('<').next().unwrap();
    assert_eq!(made.len(), 8, "{page}");
    let text = format!("{PIN}\n{made}\n");
    assert_eq!(lab.text(STAFF), text);
    let again = form.send(&mut browser, ADD);
    assert_eq!(again.status, 409);
    assert!(again.text().contains("This was done at "));
    assert!(!again.text().contains(made));
    assert_eq!(lab.text(STAFF), text);
    no_pin_is_kept(&lab, &mut browser, &[made]);
}

#[test]
fn form_of_an_md5_file_names_what_is_wrong_and_keeps_the_account() {
    let (lab, server) = with_file(&format!("ada:{MD5_OF_PIN}\n"));
    let mut browser = Browser::logged_in(&server, "ada");
    let page = browser.get(&form_page(ADD)).text();
    is_accessible(&page, ADD);
    for (account, choice, pin, digits, error) in [
        (
            "b:b",
            "enter",
            OTHER,
            "6",
            "Account: required for an MD5 file, without : and line ends",
        ),
        (
            "",
            "enter",
            OTHER,
            "6",
            "Account: required for an MD5 file, without : and line ends",
        ),
        (
            "bob",
            "enter",
            "12x4",
            "6",
            "PIN: enter a PIN of 1 to 254 of the keys 0 to 9, * and A to D",
        ),
        (
            "bob",
            "enter",
            "",
            "6",
            "PIN: enter a PIN of 1 to 254 of the keys 0 to 9, * and A to D",
        ),
        (
            "bob",
            "enter",
            PIN,
            "6",
            "PIN: line 1 has the same PIN for another account",
        ),
        (
            "ada",
            "enter",
            PIN,
            "6",
            "PIN: line 1 has the same PIN already",
        ),
        ("bob", "make", "", "x", "Digits: 1 to 254"),
    ] {
        let form = Form::of(&browser.get(&form_page(ADD)).text())
            .with("account", account)
            .with("pin_choice", choice)
            .with("digits", digits)
            .with("pin", pin);
        let answer = form.send(&mut browser, ADD);
        let page = answer.text();
        assert_eq!(answer.status, 422, "{error}: {page}");
        assert!(
            page.contains(&format!("autofocus><p>{error}")),
            "{error}: {page}"
        );
        assert!(page.contains("aria-invalid=\"true\" aria-describedby=\"error\""));
        assert!(page.contains(&format!("name=\"account\" value=\"{account}\"")));
        assert!(pin.is_empty() || !page.contains(pin), "{page}");
        is_accessible(&page, error);
    }
    let form = Form::of(&browser.get(&form_page(ADD)).text())
        .with("account", "bob")
        .with("pin_choice", "enter")
        .with("pin", OTHER);
    assert_eq!(form.send(&mut browser, ADD).status, 200);
    let text = lab.text(STAFF);
    assert!(
        text.starts_with(&format!("ada:{MD5_OF_PIN}\nbob:")),
        "{text}"
    );
    let changes = browser.get("/changes").text();
    let row = "<td>add PIN</td><td>staff.txt</td><td>bob</td><td></td><td>secret=md5</td>";
    assert!(changes.contains(row), "{changes}");
}

#[test]
fn lines_are_deleted_by_pin_and_restored() {
    let text = format!("; staff\n{PIN}\n{OTHER}\n {PIN} \n");
    let (lab, server) = with_file(&text);
    let mut browser = Browser::logged_in(&server, "ada");
    is_accessible(&browser.get(&form_page(REMOVE)).text(), REMOVE);
    let answer = remove(&mut browser, "pin", PIN);
    assert_eq!(answer.status, 303, "{}", answer.text());
    assert_eq!(answer.header("location"), Some(PAGE));
    assert_eq!(lab.text(STAFF), format!("; staff\n{OTHER}\n"));
    let changes = browser.get("/changes").text();
    let row = "<td>delete PINs</td><td>staff.txt</td><td></td><td>PINs removed: 2</td><td></td>";
    assert!(changes.contains(row), "{changes}");
    no_pin_is_kept(&lab, &mut browser, &[PIN, OTHER]);
    let page = browser.get(PAGE).text();
    assert!(page.contains("Your last change: delete PINs."), "{page}");
    let tag = hidden(&page, "tag");
    let undone = browser.post("/pin-file/undo", &[("name", "staff.txt"), ("tag", &tag)]);
    assert_eq!(undone.status, 303);
    assert_eq!(lab.text(STAFF), text);
    for (pin, error) in [
        ("", "PIN: enter the PIN to delete."),
        (
            "12x",
            "PIN: enter 1 to 254 of the keys 0 to 9, * and A to D.",
        ),
    ] {
        let answer = remove(&mut browser, "pin", pin);
        assert_eq!(answer.status, 422);
        assert!(answer.text().contains(&format!("autofocus><p>{error}")));
    }
}

/// The answer says whether a PIN is right, so it must not help to find one.
#[test]
fn wrong_pins_to_delete_lock_the_user() {
    let (lab, server) = with_file(&format!("{PIN}\n"));
    let mut browser = Browser::logged_in(&server, "ada");
    for at in 0..5 {
        let wrong = format!("48151{at}");
        let answer = remove(&mut browser, "pin", &wrong);
        assert_eq!(answer.status, 422, "{at}");
        let text = answer.text();
        assert!(text.contains("PIN: no line of the file has it, so nothing was deleted."));
        assert!(!text.contains(&wrong), "{text}");
    }
    assert_eq!(remove(&mut browser, "pin", PIN).status, 429);
    assert_eq!(lab.text(STAFF), format!("{PIN}\n"));
    let fields = [
        ("name", "staff.txt"),
        ("identify", "pin"),
        ("who", ""),
        ("pin", PIN),
    ];
    assert_eq!(browser.post("/pin-file/verify", &fields).status, 429);
}

#[test]
fn lines_of_an_md5_file_are_deleted_by_account_or_pin() {
    let text = format!("ada:{MD5_OF_PIN}\nbob:{MD5_OF_OTHER}\nmax:{MD5_OF_PIN}\n");
    let (lab, server) = with_file(&text);
    let mut browser = Browser::logged_in(&server, "ada");
    is_accessible(&browser.get(&form_page(REMOVE)).text(), REMOVE);
    let both = [("name", "staff.txt"), ("account", "ada"), ("pin", PIN)];
    let answer = browser.post(REMOVE, &both);
    assert_eq!(answer.status, 422);
    assert!(answer
        .text()
        .contains("Account, PIN: enter one of them, not both."));
    assert!(answer.text().contains("name=\"account\" value=\"ada\""));
    assert!(!answer.text().contains(PIN));
    let answer = remove(&mut browser, "account", "eve");
    assert_eq!(answer.status, 422);
    assert!(answer
        .text()
        .contains("Account: no line of the file has it"));
    assert_eq!(remove(&mut browser, "account", "bob").status, 303);
    assert_eq!(
        lab.text(STAFF),
        text.replace(&format!("bob:{MD5_OF_OTHER}\n"), "")
    );
    assert_eq!(remove(&mut browser, "pin", PIN).status, 303);
    assert_eq!(lab.text(STAFF), "");
    // It is empty now, and has no format.
    assert_eq!(browser.get(&form_page(REMOVE)).status, 409);
    assert_eq!(remove(&mut browser, "pin", PIN).status, 409);
}

#[test]
fn many_lines_are_deleted_with_the_password_only() {
    let line = format!("ada:{MD5_OF_PIN}\n");
    let (lab, server) = with_file(&line.repeat(11));
    let mut browser = Browser::logged_in(&server, "ada");
    database(&lab, "UPDATE sessions SET confirmed = confirmed - 301");
    let answer = remove(&mut browser, "account", "ada");
    assert_eq!(answer.status, 403);
    assert!(answer.text().contains("This needs your password again."));
    assert_eq!(lab.text(STAFF), line.repeat(11));
    database(&lab, "UPDATE sessions SET confirmed = confirmed + 301");
    assert_eq!(remove(&mut browser, "account", "ada").status, 303);
    assert_eq!(lab.text(STAFF), "");
}

#[test]
fn list_is_pasted_into_a_plain_file() {
    let old = format!("; staff\n{PIN}\n4711\n");
    let (lab, server) = with_file(&old);
    let mut browser = Browser::logged_in(&server, "ada");
    let preview = paste(&mut browser, &format!("{PIN}\n{OTHER}\n1234\n12x\n"));
    let page = browser.get(&preview).text();
    for part in [
        "Lines: 4. New: 2, of which weak: 1. There already: 1. Left out: 1.",
        "The file has its PINs in the clear.",
        "Rows that go: 1. Rows that stay as they are: 1. New rows: 2.",
        "<summary>Lines that go</summary><p>line 3 </p>",
    ] {
        assert!(page.contains(part), "{part}: {page}");
    }
    assert!(!page.contains("Store PINs as"), "{page}");
    for pin in [PIN, OTHER, "1234", "4711"] {
        assert!(!page.contains(pin), "{pin}: {page}");
    }
    is_accessible(&page, "preview");
    let saved = save(&mut browser, &preview, "add", "plain");
    assert!(result(&mut browser, &saved)
        .text()
        .contains("Rows added: 2."));
    assert_eq!(lab.text(STAFF), format!("{old}{OTHER}\n1234\n"));
    let changes = browser.get("/changes").text();
    assert!(
        changes.contains("rows added: 2, secrets: plain"),
        "{changes}"
    );
    // Another form than that of the file is not believed.
    let preview = paste(&mut browser, &format!("{OTHER}\n5678\n"));
    let saved = save(&mut browser, &preview, "replace", "argon2id");
    let page = result(&mut browser, &saved).text();
    assert!(page.contains("Rows added: 1. Rows removed: 3."), "{page}");
    assert_eq!(lab.text(STAFF), format!("; staff\n{OTHER}\n5678\n"));
    assert!(browser
        .get("/changes")
        .text()
        .contains("rows added: 1, secrets: plain"));
    // Values that a plain file can't have.
    let preview = paste(&mut browser, "account,pin,until\nada,900817,2020-01-01\n");
    let page = browser.get(&preview).text();
    assert!(page.contains("a plain file has no column account: make it a CSV file first"));
    assert!(page.contains("There is nothing to save."), "{page}");
    // The file changes after the preview.
    let preview = paste(&mut browser, "900817\n");
    let page = browser.get(&preview).text();
    lab.list(STAFF, "900818\n");
    let (id, tag) = (hidden(&page, "id"), hidden(&page, "tag"));
    let fields = [("id", id.as_str()), ("tag", &tag), ("form", "plain")];
    assert_eq!(browser.post("/pin-file/paste/add", &fields).status, 409);
    assert_eq!(lab.text(STAFF), "900818\n");
}

#[test]
fn list_is_pasted_into_an_md5_file() {
    let old = format!("ada:{MD5_OF_PIN}\n");
    let (lab, server) = with_file(&old);
    let mut browser = Browser::logged_in(&server, "ada");
    let preview = paste(&mut browser, "account,pin\nmax,1234\n");
    let page = browser.get(&preview).text();
    assert!(page.contains("The file has MD5 hashes."), "{page}");
    assert!(page.contains("<summary>Accounts of the rows that go</summary><p>ada </p>"));
    let saved = save(&mut browser, &preview, "add", "md5");
    assert!(result(&mut browser, &saved)
        .text()
        .contains("Rows added: 1."));
    let md5 = "81dc9bdb52d04dc20036dbd8313ed055";
    assert_eq!(lab.text(STAFF), format!("{old}max:{md5}\n"));
}

#[test]
fn plain_file_becomes_csv_as_by_the_command() {
    let old = format!("; staff\n{PIN}\n{OTHER}\n{PIN}\n1234\n");
    let (lab, server) = with_file(&old);
    let mut browser = Browser::logged_in(&server, "ada");
    let page = browser.get(&form_page(CONVERT)).text();
    is_accessible(&page, CONVERT);
    for part in [
        "Nothing is saved yet. Rows: 3, of which weak: 1. Lines that are left out: 2.",
        "<td class=\"number\">1</td><td>a character that telephones do not have</td>",
        "<td class=\"number\">4</td><td>same PIN as line 2</td>",
        "The account of each row is the number of its line.",
        "<code>format = auto</code>",
    ] {
        assert!(page.contains(part), "{part}: {page}");
    }
    for pin in [PIN, OTHER, "1234"] {
        assert!(!page.contains(pin), "{pin}: {page}");
    }
    assert_eq!(lab.text(STAFF), old, "a preview saves nothing");
    let options = ["--from", "plain", "--to", "by-command.csv", "--md5"];
    let ran = lab.run(&[&["convert", STAFF][..], &options].concat(), "");
    assert_eq!(ran.code, 1, "{}", ran.err);
    let wrong = convert(&mut browser, &page, "hmac-sha256");
    assert_eq!(wrong.status, 422);
    assert!(wrong.text().contains("Choose another one."));
    let saved = convert(&mut browser, &page, "md5");
    assert!(result(&mut browser, &saved)
        .text()
        .contains("Rows added: 3."));
    let text = lab.text(STAFF);
    assert_eq!(text, lab.text("by-command.csv"));
    assert_eq!(lab.mode(STAFF), 0o640);
    let changes = browser.get("/changes").text();
    let row = "<td>make CSV</td><td>staff.txt</td><td></td><td>lines left out: 2</td>\
               <td>rows: 3, secrets: md5</td>";
    assert!(changes.contains(row), "{changes}");
    no_pin_is_kept(&lab, &mut browser, &[PIN, OTHER]);
    let page = browser.get(PAGE).text();
    assert!(
        page.contains("Rows: 3.") && page.contains("Add a row"),
        "{page}"
    );
    assert!(page.contains("Your last change: make CSV."), "{page}");
    // It is CSV now.
    for path in [ADD, REMOVE, CONVERT] {
        assert_eq!(browser.get(&form_page(path)).status, 409, "{path}");
    }
    let tag = hidden(&page, "tag");
    let undone = browser.post("/pin-file/undo", &[("name", "staff.txt"), ("tag", &tag)]);
    assert_eq!(undone.status, 303);
    assert_eq!(lab.text(STAFF), old);
}

#[test]
fn hashed_rows_of_a_converted_file_admit_the_same_pins() {
    let lab = lab("pepper_file = \"LAB/pepper\"\n");
    fs::rename(lab.pepper(), lab.path("pepper")).unwrap();
    lab.list(STAFF, format!("{PIN}\n{OTHER}\n"));
    let server = start(&lab);
    let mut browser = Browser::logged_in(&server, "ada");
    let page = browser.get(&form_page(CONVERT)).text();
    assert!(
        page.contains("<option value=\"hmac-sha256\" selected>"),
        "{page}"
    );
    let saved = convert(&mut browser, &page, "hmac-sha256");
    assert!(result(&mut browser, &saved)
        .text()
        .contains("Rows added: 2."));
    let text = lab.text(STAFF);
    assert_eq!(text.matches("hmac-sha256:").count(), 2, "{text}");
    for pin in [PIN, OTHER] {
        let fields = [
            ("name", "staff.txt"),
            ("identify", "pin"),
            ("who", ""),
            ("pin", pin),
        ];
        let page = browser.post("/pin-file/verify", &fields).text();
        assert!(page.contains("<strong>right</strong>"), "{page}");
    }
}

#[test]
fn file_that_changed_after_the_preview_is_not_converted() {
    let (lab, server) = with_file(&format!("{PIN}\n"));
    let mut browser = Browser::logged_in(&server, "ada");
    let page = browser.get(&form_page(CONVERT)).text();
    let changed = format!("{PIN}\n{OTHER}\n");
    lab.list(STAFF, &changed);
    let answer = convert(&mut browser, &page, "md5");
    assert_eq!(answer.status, 409);
    let page = answer.text();
    assert!(page.contains("has changed since the preview, so nothing was saved."));
    assert!(page.contains("Rows: 2,"), "{page}");
    assert_eq!(lab.text(STAFF), changed);
    // The new preview can be saved.
    let saved = convert(&mut browser, &page, "md5");
    assert!(result(&mut browser, &saved)
        .text()
        .contains("Rows added: 2."));
}

#[test]
fn md5_file_becomes_csv_and_keeps_accounts_and_hashes() {
    let (lab, server) = with_file(&format!("ada:{MD5_OF_PIN}\n; old\n<b>:{MD5_OF_OTHER}\n"));
    let mut browser = Browser::logged_in(&server, "ada");
    let page = browser.get(&form_page(CONVERT)).text();
    assert!(
        page.contains("The accounts and the MD5 hashes stay."),
        "{page}"
    );
    let saved = convert(&mut browser, &page, "argon2id");
    assert!(result(&mut browser, &saved)
        .text()
        .contains("Rows added: 2."));
    let rows = format!("account,secret\nada,md5:{MD5_OF_PIN}\n<b>,md5:{MD5_OF_OTHER}\n");
    assert_eq!(lab.text(STAFF), rows);
}

#[test]
fn conversion_that_makes_nothing_is_refused_with_the_remedy() {
    let (lab, server) = with_file("; nothing\n");
    let mut browser = Browser::logged_in(&server, "ada");
    let answer = browser.get(&form_page(CONVERT));
    assert_eq!(answer.status, 422);
    let why = "staff.txt can't be made CSV: none of its lines has a PIN. It is unchanged.";
    assert!(answer.text().contains(why), "{}", answer.text());
    lab.list(STAFF, "1234567\n".repeat(100_001));
    let answer = browser.get(&form_page(CONVERT));
    assert_eq!(answer.status, 422);
    let text = answer.text();
    assert!(text.contains("it has more than 100000 lines"), "{text}");
    assert!(text.contains("As root, pinset convert makes a CSV file of it."));
}

#[test]
fn roles_are_those_of_rows_and_of_a_replaced_list() {
    let text = format!("{PIN}\n");
    let (lab, server) = with_file(&text);
    add_user(&lab, "vic", "viewer");
    add_user(&lab, "opal", "operator");
    let mut ada = Browser::logged_in(&server, "ada");
    let preview = ada.get(&form_page(CONVERT)).text();
    let mut vic = Browser::logged_in(&server, "vic");
    let page = vic.get(PAGE).text();
    assert!(page.contains("PINs: 1."), "{page}");
    for absent in [
        "add-pin",
        "remove-pin",
        "/pin-file/convert",
        "/pin-file/paste",
    ] {
        assert!(!page.contains(absent), "{absent}: {page}");
    }
    assert_eq!(remove(&mut vic, "pin", PIN).status, 403);
    let mut opal = Browser::logged_in(&server, "opal");
    let page = opal.get(PAGE).text();
    assert!(
        page.contains("add-pin") && !page.contains("/pin-file/convert"),
        "{page}"
    );
    assert_eq!(convert(&mut opal, &preview, "md5").status, 403);
    assert_eq!(enter(&mut opal, OTHER).status, 200);
    database(&lab, "UPDATE sessions SET confirmed = confirmed - 301");
    let preview = ada.get(&form_page(CONVERT)).text();
    let answer = convert(&mut ada, &preview, "md5");
    assert_eq!(answer.status, 403);
    assert!(answer.text().contains("This needs your password again."));
    assert_eq!(lab.text(STAFF), format!("{text}{OTHER}\n"));
}

#[test]
fn change_that_is_not_recorded_is_not_made() {
    let text = format!("{PIN}\n");
    let (lab, server) = with_file(&text);
    let mut browser = Browser::logged_in(&server, "ada");
    let preview = browser.get(&form_page(CONVERT)).text();
    let form = Form::of(&browser.get(&form_page(ADD)).text());
    database(&lab, "ALTER TABLE changes RENAME TO gone");
    assert_eq!(remove(&mut browser, "pin", PIN).status, 503);
    assert_eq!(form.send(&mut browser, ADD).status, 503);
    assert_eq!(convert(&mut browser, &preview, "md5").status, 503);
    assert_eq!(lab.text(STAFF), text);
}
