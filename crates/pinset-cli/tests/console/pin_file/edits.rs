//! Changes of a file: what is saved, recorded, taken back.

use std::fs;
use std::os::unix::fs::{chown, symlink, MetadataExt};
use std::process::Command;
use std::thread;

use rustix::fs::{flock, FlockOperation};

use super::{delete, send_delete, tag, CUSTOMERS, FILE};
use crate::fixture::{add_user, database, is_root, lab, start, Browser};
use crate::lab::server::{until, Server};

/// Sends the form on a page that takes back the last change. Returns the status.
fn undo(browser: &mut Browser<'_>, page: &str) -> u16 {
    let tag = page.split("name=\"tag\" value=\"").nth(1).unwrap();
    let tag = tag.split('"').next().unwrap();
    let fields = [("name", "customers.csv"), ("tag", tag)];
    browser.post("/pin-file/undo", &fields).status
}

#[test]
fn rows_are_deleted_recorded_and_restored() {
    let lab = lab("");
    let path = lab.list("pins/customers.csv", CUSTOMERS);
    let before = fs::metadata(&path).unwrap();
    let server = start(&lab);
    let mut browser = Browser::logged_in(&server, "ada");
    assert!(!browser.get(FILE).text().contains("Your last change"));
    let answer = delete(&mut browser, &["bob", "eve"]);
    assert_eq!(answer.status, 303, "{}", answer.text());
    assert_eq!(answer.header("location"), Some(FILE));
    let lines: Vec<&str> = CUSTOMERS.lines().take(2).collect();
    assert_eq!(lab.text("pins/customers.csv"), lines.join("\n") + "\n");
    let after = fs::metadata(&path).unwrap();
    assert_eq!(
        (after.uid(), after.gid(), after.mode()),
        (before.uid(), before.gid(), before.mode())
    );
    let changes = browser.get("/changes").text();
    let row = "<td>delete rows</td><td>customers.csv</td><td>bob, eve</td><td>account=bob, \
               secret=plain, caller=0532 111 22 33, name=Bob, valid_until=2020-01-01; account=eve, \
               secret=md5, name=&lt;b&gt;Eve&lt;/b&gt;, valid_from=2099-01-01</td><td></td>";
    assert!(changes.contains(row), "{changes}");
    let page = browser.get(FILE).text();
    assert!(page.contains(" by ada.") && page.contains("Your last change: delete rows."));
    // Of the same session only.
    let mut other = Browser::logged_in(&server, "ada");
    assert!(!other.get(FILE).text().contains("Your last change"));
    assert_eq!(undo(&mut other, &page), 409);
    assert_eq!(undo(&mut browser, &page), 303);
    assert_eq!(lab.text("pins/customers.csv"), CUSTOMERS);
    // A second press of the button.
    assert_eq!(undo(&mut browser, &page), 409);
    assert_eq!(lab.text("pins/customers.csv"), CUSTOMERS);
    // The undo can be undone.
    let page = browser.get(FILE).text();
    assert_eq!(undo(&mut browser, &page), 303);
    assert_eq!(lab.text("pins/customers.csv").lines().count(), 2);
    // The change of another session is not ours.
    assert_eq!(delete(&mut other, &["ada"]).status, 303);
    let theirs = other.get(FILE).text();
    assert_eq!(undo(&mut browser, &theirs), 409);
    assert_eq!(undo(&mut other, &theirs), 303);
}

#[test]
fn change_on_the_command_line_is_kept() {
    let lab = lab("");
    lab.list("pins/customers.csv", CUSTOMERS);
    let server = start(&lab);
    let mut browser = Browser::logged_in(&server, "ada");
    let page = browser.get(FILE).text();
    let file = "pins/customers.csv";
    let ran = lab.run(&["change", file, "--account", "ada", "--level", "9"], "");
    assert_eq!(ran.code, 0, "{}", ran.err);
    // Another row: both changes are there.
    assert_eq!(send_delete(&mut browser, &[tag(&page, "bob")]).status, 303);
    let text = lab.text(file);
    assert!(
        text.contains("Ada Lovelace,9,") && !text.contains("bob"),
        "{text}"
    );
    // The same row: nothing is changed.
    let answer = send_delete(&mut browser, &[tag(&page, "ada"), tag(&page, "eve")]);
    assert_eq!(answer.status, 409);
    assert!(answer
        .text()
        .contains("1 of the chosen rows were changed or deleted meanwhile. Nothing was changed."));
    assert_eq!(lab.text(file), text);
    // A change after ours can't be taken back by our undo.
    let page = browser.get(FILE).text();
    let ran = lab.run(&["change", file, "--account", "ada", "--level", "8"], "");
    assert_eq!(ran.code, 0, "{}", ran.err);
    assert!(!browser.get(FILE).text().contains("Your last change"));
    assert_eq!(undo(&mut browser, &page), 409);
    assert!(lab.text(file).contains("Ada Lovelace,8,"));
}

#[test]
fn change_that_is_not_recorded_is_not_made() {
    let lab = lab("");
    lab.list("pins/customers.csv", CUSTOMERS);
    let server = start(&lab);
    let mut browser = Browser::logged_in(&server, "ada");
    let page = browser.get(FILE).text();
    database(&lab, "ALTER TABLE changes RENAME TO gone");
    assert_eq!(send_delete(&mut browser, &[tag(&page, "bob")]).status, 503);
    assert_eq!(lab.text("pins/customers.csv"), CUSTOMERS);
}

#[test]
fn only_own_regular_files_of_the_folder_are_read_and_changed() {
    let lab = lab("");
    lab.list("pins/customers.csv", CUSTOMERS);
    lab.list("secret.csv", CUSTOMERS);
    lab.list("pins/.hidden", CUSTOMERS);
    symlink("../secret.csv", lab.path("pins/link.csv")).unwrap();
    let fifo = Command::new("mkfifo")
        .arg(lab.path("pins/fifo.csv"))
        .status();
    assert!(fifo.unwrap().success());
    let server = start(&lab);
    let mut browser = Browser::logged_in(&server, "ada");
    let row = tag(&browser.get(FILE).text(), "ada");
    for name in [
        "../secret.csv",
        "link.csv",
        "fifo.csv",
        ".hidden",
        "none.csv",
        "",
        ".",
        "..",
        "a\0b",
    ] {
        let query: String = form_urlencoded::byte_serialize(name.as_bytes()).collect();
        let answer = browser.get(&format!("/pin-file?name={query}"));
        assert_eq!(answer.status, 404, "{name}");
        let fields = [("name", name), ("action", "delete"), ("row", &row)];
        assert_eq!(
            browser.post("/pin-file/rows", &fields).status,
            404,
            "{name}"
        );
    }
    assert_eq!(lab.text("secret.csv"), CUSTOMERS);
    if is_root() {
        chown(lab.path("pins/customers.csv"), Some(12_345), None).unwrap();
        let page = browser.get(FILE).text();
        assert!(
            page.contains("As root: <code>chown pinset:asterisk "),
            "{page}"
        );
        for absent in ["name=\"row\"", "/pin-file/add", "/pin-file/change"] {
            assert!(!page.contains(absent), "{page}");
        }
        let answer = send_delete(&mut browser, &[row]);
        assert_eq!(answer.status, 403);
        assert!(answer.text().contains("As root: chown pinset:asterisk "));
        assert_eq!(lab.text("pins/customers.csv"), CUSTOMERS);
    }
}

#[test]
fn viewer_changes_nothing() {
    let lab = lab("");
    lab.list("pins/customers.csv", CUSTOMERS);
    add_user(&lab, "vic", "viewer");
    let server = start(&lab);
    let page = Browser::logged_in(&server, "ada").get(FILE).text();
    let mut browser = Browser::logged_in(&server, "vic");
    let own = browser.get(FILE).text();
    for absent in ["name=\"row\"", "action=\"/pin-file/"] {
        assert!(!own.contains(absent), "{own}");
    }
    assert_eq!(send_delete(&mut browser, &[tag(&page, "bob")]).status, 403);
    let fields = [("name", "customers.csv"), ("tag", "0")];
    assert_eq!(browser.post("/pin-file/undo", &fields).status, 403);
    assert_eq!(lab.text("pins/customers.csv"), CUSTOMERS);
}

/// A command that holds the lock replaces the file, as all do.
#[test]
fn change_waits_for_the_lock_and_keeps_what_the_holder_has_saved() {
    let lab = lab("");
    let path = lab.list("pins/customers.csv", CUSTOMERS);
    let server = start(&lab);
    let mut browser = Browser::logged_in(&server, "ada");
    let row = tag(&browser.get(FILE).text(), "bob");
    let file = fs::File::open(&path).unwrap();
    flock(&file, FlockOperation::LockExclusive).unwrap();
    let inode = format!(":{} ", file.metadata().unwrap().ino());
    thread::scope(|scope| {
        let deleted = scope.spawn(|| send_delete(&mut browser, &[row]).status);
        until("a waiting lock", || {
            let locks = fs::read_to_string("/proc/locks").unwrap();
            locks
                .lines()
                .any(|lock| lock.contains("-> FLOCK") && lock.contains(&inode))
        });
        let saved = lab.list("new", CUSTOMERS.replace("Ada Lovelace", "Ada King"));
        fs::rename(saved, &path).unwrap();
        drop(file);
        assert_eq!(deleted.join().unwrap(), 303);
    });
    let text = lab.text("pins/customers.csv");
    assert!(text.contains("Ada King") && !text.contains("bob"), "{text}");
}

#[test]
fn change_that_is_not_saved_leaves_the_file_and_is_recorded() {
    const BLOCKS: usize = 2000;
    let lab = lab("");
    let name = "x".repeat(1000);
    let rows = (0..1500).map(|at| format!("a{at},plain:{},{name}\n", 500_000 + at));
    let text = format!("account,secret,name\n{}", rows.collect::<String>());
    assert!(text.len() > BLOCKS * 512);
    lab.list("pins/customers.csv", &text);
    // As on a full disk: the limit of a file, in blocks of 512 bytes.
    let limited = format!("trap '' XFSZ; ulimit -f {BLOCKS}; exec \"$@\"");
    let mut command = Command::new("sh");
    command.args(["-c", &limited, "sh", env!("CARGO_BIN_EXE_pinset")]);
    command.args(["console", "--config", "console.toml"]);
    command.current_dir(lab.path(""));
    let server = Server::run(&lab, command);
    let mut browser = Browser::logged_in(&server, "ada");
    let row = tag(&browser.get(FILE).text(), "a0");
    let answer = send_delete(&mut browser, &[row]);
    assert_eq!(answer.status, 507);
    assert!(answer.text().contains("Free space on the disk"));
    assert!(lab.text("pins/customers.csv") == text);
    assert_eq!(fs::read_dir(lab.path("pins")).unwrap().count(), 1);
    let changes = browser.get("/changes").text();
    let row = "<td>not saved</td><td>customers.csv</td><td>a0</td><td></td><td>delete rows</td>";
    assert!(changes.contains(row), "{changes}");
    assert!(!browser.get(FILE).text().contains("Your last change"));
}
