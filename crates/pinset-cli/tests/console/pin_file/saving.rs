//! Saves of a row in a file that is so large that they are not awaited.

use std::fs::File;
use std::thread;
use std::time::Duration;

use rustix::fs::{flock, FlockOperation};

use super::row::{change_form, shown_pin, Form};
use super::{settled, FILE};
use crate::fixture::{add_user, lab, start, Browser};
use crate::lab::http::Response;
use crate::lab::Lab;
use crate::pages::is_accessible;

const LIST: &str = "pins/customers.csv";

/// Few rows, but more than 8 MiB.
const ROWS: usize = 1_100;
const NAME_BYTES: usize = 8_000;

fn large() -> Lab {
    let lab = lab("");
    let name = "x".repeat(NAME_BYTES);
    let rows = (0..ROWS).map(|at| format!("a{at:04},plain:{},{name}\n", 500_000 + at));
    let text = format!("account,secret,name\n{}", rows.collect::<String>());
    lab.list(LIST, text);
    lab
}

/// Returns the result of a save.
fn result(browser: &mut Browser<'_>, path: &str) -> Response {
    loop {
        let page = browser.get(path);
        if page.header("refresh").is_none() {
            return page;
        }
        thread::sleep(Duration::from_millis(20));
    }
}

fn begin(browser: &mut Browser<'_>, form: &Form) -> String {
    let begun = form.send(browser, "/pin-file/change");
    assert_eq!(begun.status, 303, "{}", begun.text());
    let path = begun.header("location").unwrap().to_owned();
    assert!(path.starts_with("/pin-file/saving?id="), "{path}");
    path
}

#[test]
#[ignore = "takes long: make unit"]
fn save_in_a_large_file_shows_its_progress_and_its_result_once() {
    let lab = large();
    add_user(&lab, "eve", "admin");
    let server = start(&lab);
    let mut browser = Browser::logged_in(&server, "ada");
    let old = change_form(&mut browser, "a0000");
    let form = change_form(&mut browser, "a0000").with("full_name", "Ada");
    let form = form.with("pin_choice", "make").with("stored", "plain");
    // Another command holds the lock, so that the save waits.
    let file = File::open(lab.path(LIST)).unwrap();
    flock(&file, FlockOperation::LockExclusive).unwrap();
    let path = begin(&mut browser, &form);
    let page = browser.get(&path);
    assert_eq!((page.status, page.header("refresh")), (200, Some("1")));
    let text = page.text();
    is_accessible(&text, "saving");
    for part in [
        "Step 1 of 3: the file is read",
        "<progress max=\"3\" value=\"0\">",
    ] {
        assert!(text.contains(part), "{part}: {text}");
    }
    // The same form, and another session.
    assert_eq!(form.send(&mut browser, "/pin-file/change").status, 409);
    let mut eve = Browser::logged_in(&server, "eve");
    assert_eq!(eve.get(&path).status, 410);
    drop(file);
    let saved = result(&mut browser, &path);
    assert_eq!(saved.status, 200);
    let pin = shown_pin(&saved.text());
    assert!(lab.text(LIST).contains(&format!("a0000,plain:{pin},Ada\n")));
    let again = browser.get(&path);
    assert_eq!(again.status, 410);
    assert!(!again.text().contains(&pin));
    // The row is another one now.
    let path = begin(&mut browser, &old.with("full_name", "Bob"));
    let refused = result(&mut browser, &path);
    assert_eq!(refused.status, 409);
    assert!(refused.text().contains("Use mine"), "{}", refused.text());
    assert!(lab.text(LIST).contains(",Ada\n"));
    assert!(settled(&mut browser, FILE).text().contains("<td>Ada</td>"));
}

/// The form of a save that has failed can be sent again.
#[test]
#[ignore = "takes long: make unit"]
fn refused_save_in_a_large_file_keeps_what_was_typed() {
    let lab = large();
    let server = start(&lab);
    let mut browser = Browser::logged_in(&server, "ada");
    let form = change_form(&mut browser, "a0001").with("level", "300");
    let path = begin(&mut browser, &form);
    let refused = result(&mut browser, &path);
    assert_eq!(refused.status, 422);
    let text = refused.text();
    assert!(
        text.contains("must be a whole number from 0 to 255"),
        "{text}"
    );
    let path = begin(&mut browser, &Form::of(&text).with("level", "30"));
    assert_eq!(result(&mut browser, &path).status, 200);
}
