//! Saves that are killed.

use std::fs;
use std::os::unix::fs::MetadataExt;
use std::thread;
use std::time::Instant;

use rustix::process::Signal;

use super::{tag, FILE};
use crate::fixture::{lab, start, Browser};
use crate::lab::http::{request, Connection, PATIENCE};
use crate::lab::Lab;

/// A point of a save at which the console is killed.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
enum Point {
    Begun,
    Writing,
    Written,
    Replaced,
}

/// Bytes of the name in each of the rows, so that a save takes some time.
const NAME_BYTES: usize = 8_000;
const ROWS: usize = 500;

/// Returns the size of the temporary file, if there is one.
fn temporary(lab: &Lab) -> Option<u64> {
    let entries = fs::read_dir(lab.path("pins")).unwrap();
    let mut names = entries.map(|entry| entry.unwrap().file_name());
    let name = names.find(|name| name.to_string_lossy().starts_with(".pinset-"))?;
    // It may be gone meanwhile.
    Some(fs::metadata(lab.path("pins").join(name)).ok()?.len())
}

/// Returns whether a save has come to this point, or further: it may be faster than this.
fn is_reached(point: Point, lab: &Lab, old_inode: u64, bytes: u64) -> bool {
    let path = lab.path("pins/customers.csv");
    let is_replaced = fs::metadata(path).unwrap().ino() != old_inode;
    is_replaced
        || match (point, temporary(lab)) {
            (Point::Begun, Some(_)) => true,
            (Point::Writing, Some(size)) => size > 0,
            (Point::Written, Some(size)) => size >= bytes,
            (Point::Replaced, _) | (_, None) => false,
        }
}

#[test]
fn killed_save_leaves_the_old_or_the_new_file() {
    let rows = (0..ROWS).map(|at| {
        format!(
            "a{at:03},plain:{},{}\n",
            500_000 + at,
            "x".repeat(NAME_BYTES)
        )
    });
    let old = format!("account,secret,name\n{}", rows.collect::<String>());
    let new: String = old
        .split_inclusive('\n')
        .filter(|line| !line.starts_with("a000"))
        .collect();
    for point in [
        Point::Begun,
        Point::Writing,
        Point::Written,
        Point::Replaced,
    ] {
        let lab = lab("");
        let path = lab.list("pins/customers.csv", &old);
        let before = fs::metadata(&path).unwrap();
        let mut server = start(&lab);
        let mut browser = Browser::logged_in(&server, "ada");
        let row = tag(&browser.get(&format!("{FILE}&sort=line")).text(), "a000");
        let host = server.address.to_string();
        let headers = [
            ("Host", host.as_str()),
            ("Cookie", browser.cookie.as_deref().unwrap()),
            ("Sec-Fetch-Site", "same-origin"),
            ("Content-Type", "application/x-www-form-urlencoded"),
        ];
        let body = format!("name=customers.csv&action=delete&row={row}");
        let mut connection = Connection::new(server.address);
        connection.send(&request("POST", "/pin-file/rows", &headers, &body));
        let end = Instant::now() + PATIENCE;
        while !is_reached(point, &lab, before.ino(), new.len() as u64) {
            assert!(Instant::now() < end, "{point:?}");
            thread::yield_now();
        }
        server.signal(Signal::KILL);
        server.wait();
        let text = fs::read_to_string(&path).unwrap();
        assert!(
            text == old || text == new,
            "{point:?}: {} bytes",
            text.len()
        );
        if point == Point::Replaced {
            assert!(text == new, "{point:?}");
        }
        let after = fs::metadata(&path).unwrap();
        let access = |about: &fs::Metadata| (about.uid(), about.gid(), about.mode());
        assert_eq!(access(&after), access(&before), "{point:?}");
        // The change was recorded before, and the console starts again.
        let server = start(&lab);
        let mut browser = Browser::logged_in(&server, "ada");
        assert!(browser
            .get("/changes")
            .text()
            .contains("<td>delete rows</td>"));
        assert_eq!(browser.get(FILE).status, 200);
        assert!(!browser.get("/").text().contains(".pinset-"));
    }
}
