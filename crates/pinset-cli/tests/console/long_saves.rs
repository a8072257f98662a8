//! Saves of many PINs with slow hashes.

use std::time::Duration;

use crate::fixture::{add_user, Browser};
use crate::lab::http::Response;
use crate::lab::PIN;
use crate::pages::is_accessible;
use crate::paste::{hidden, paste, result, save, with_file, FILE};

/// The page of a long save is loaded again by itself, and can stop it.
#[test]
fn long_save_shows_its_progress_and_can_be_stopped() {
    let (lab, server) = with_file("account,secret\n");
    let mut browser = Browser::logged_in(&server, "ada");
    let list: String = (0..2000)
        .map(|at| format!("ada{at},{}\n", 700_000 + at))
        .collect();
    let preview = paste(&mut browser, &list);
    assert!(browser
        .get(&preview)
        .text()
        .contains("With argon2id this takes about 100 s."));
    let saved = save(&mut browser, &preview, "add", "argon2id");
    let page = result(&mut browser, &saved);
    assert_eq!(page.header("refresh"), Some("2"));
    let job = saved.header("location").unwrap();
    let text = page.text();
    is_accessible(&text, "job");
    for part in [
        " of 2000<progress max=\"2000\" value=\"",
        "Nothing is saved before the end.",
        job,
    ] {
        assert!(text.contains(part), "{part}: {text}");
    }
    add_user(&lab, "eve", "admin");
    let id = hidden(&text, "id");
    let mut eve = Browser::logged_in(&server, "eve");
    assert_eq!(eve.get(job).status, 410);
    assert_eq!(eve.post("/pin-file/job/stop", &[("id", &id)]).status, 410);
    // Changes that need no slow hashes do not wait for it.
    let other = paste(&mut browser, PIN);
    let saved = save(&mut browser, &other, "add", "plain");
    assert_eq!(result(&mut browser, &saved).status, 200);
    let stopped = browser.post("/pin-file/job/stop", &[("id", &id)]);
    let page = result(&mut browser, &stopped);
    assert_eq!(page.header("refresh"), None);
    let text = page.text();
    assert!(
        text.contains("It was stopped. Nothing was saved."),
        "{text}"
    );
    assert!(text.contains(&preview), "{text}");
    assert_eq!(lab.text(FILE), format!("account,secret\n1,plain:{PIN}\n"));
}

#[test]
fn long_save_ends_with_its_result_unless_the_file_has_changed() {
    let (lab, server) = with_file("account,secret\n");
    let mut browser = Browser::logged_in(&server, "ada");
    let list: String = (0..101)
        .map(|at| format!("ada{at},{}\n", 700_000 + at))
        .collect();
    let wait = |browser: &mut Browser<'_>, saved: &Response| loop {
        let page = result(browser, saved);
        if page.header("refresh").is_none() {
            return page;
        }
        std::thread::sleep(Duration::from_millis(20));
    };
    let preview = paste(&mut browser, &list);
    let saved = save(&mut browser, &preview, "add", "argon2id");
    let page = wait(&mut browser, &saved).text();
    assert!(page.contains("Rows added: 101."), "{page}");
    assert!(page.contains("New rows that admit nobody: 101."), "{page}");
    let text = lab.text(FILE);
    assert_eq!(text.matches("$argon2id$").count(), 101);
    let again = list.replace("ada", "bob").replace(",700", ",800");
    let preview = paste(&mut browser, &again);
    let saved = save(&mut browser, &preview, "add", "argon2id");
    lab.list(FILE, format!("{text}max,plain:{PIN}\n"));
    let page = wait(&mut browser, &saved);
    assert_eq!(page.status, 409);
    assert!(page
        .text()
        .contains("has changed meanwhile, so nothing was saved."));
    assert_eq!(lab.text(FILE), format!("{text}max,plain:{PIN}\n"));
    assert_eq!(result(&mut browser, &saved).status, 410);
}
