//! Files with so many rows that pages use an index of them.

use std::fs;

use rustix::process::Signal;

use super::{settled, tag, FILE};
use crate::fixture::{lab, start, Browser};
use crate::lab::server::{until, Server};
use crate::lab::{Lab, MD5_OF_PIN, OTHER, PIN};

/// Most rows of a file that is read for each page.
const MAX_READ_ROWS: usize = 20_000;

const LIST: &str = "pins/customers.csv";
const INDEXES: &str = "pin-files";

/// Returns a list, the last rows of which sort first.
fn list(rows: usize) -> String {
    let mut text = "account,secret,caller,name,level,valid_until\n".to_owned();
    for at in 0..rows {
        let secret = match at % 3 {
            0 => format!("plain:{PIN}{at}"),
            1 => format!("md5:{MD5_OF_PIN}"),
            _ => format!("hmac-sha256:k:{at:064x}"),
        };
        let (account, name) = (rows - at, at * 7919 % 10_007);
        let until = ["", "2099-12-31", "2020-01-01"][at / 5 % 3];
        text += &format!(
            "Customer{account:06},{secret},0506 05{at:05},Name {name},{},{until}\n",
            at % 7
        );
    }
    text
}

/// Returns the rows of a page with their tags, without the links to other pages.
fn rows(page: &str) -> &str {
    let body = page.split("<tbody>").nth(1).unwrap();
    body.split("</tbody>").next().unwrap()
}

fn indexes(lab: &Lab) -> Vec<String> {
    let entries = fs::read_dir(lab.path(INDEXES)).unwrap();
    let names = entries.map(|entry| entry.unwrap().file_name().into_string().unwrap());
    names.collect()
}

fn running() -> (Lab, Server) {
    let lab = lab("");
    lab.list(LIST, list(MAX_READ_ROWS + 1));
    let server = start(&lab);
    (lab, server)
}

#[test]
#[ignore = "takes long: make unit"]
fn page_of_a_large_file_is_that_of_a_small_one() {
    let lab = lab("");
    let small = list(MAX_READ_ROWS);
    lab.list(LIST, &small);
    let server = start(&lab);
    let mut browser = Browser::logged_in(&server, "ada");
    let queries = [
        "",
        "&sort=-account",
        "&sort=name&q=name+77",
        "&sort=until&state=valid",
        "&sort=-number&secret=md5&q=0506-05",
        "&sort=-line&state=expired&q=5&secret=plain",
        "&sort=state&secret=md5",
        "&sort=-secret&state=valid",
        "&q=nobody",
    ];
    let paths = queries.map(|query| format!("{FILE}{query}"));
    let read = paths.each_ref().map(|path| {
        let page = browser.get(path);
        assert_eq!(page.header("refresh"), None);
        page.text()
    });
    assert_eq!(indexes(&lab), Vec::<String>::new());
    // A row that none of these pages shows.
    lab.list(LIST, format!("{small}x,plain:{OTHER},,,9,2020-01-01\n"));
    let first = browser.get(FILE);
    assert_eq!(first.header("refresh"), Some("1"));
    assert!(first.text().contains("is being read"), "{}", first.text());
    assert!(!first.text().contains("<tbody>"));
    settled(&mut browser, FILE);
    assert_eq!(indexes(&lab).len(), 1);
    for (path, read) in paths.iter().zip(&read) {
        let page = settled(&mut browser, path).text();
        if path.ends_with("sort=-account") {
            assert!(page.contains("All 20001 rows") && page.contains("<td>x</td>"));
            continue;
        }
        assert_eq!(rows(&page), rows(read), "{path}");
        let count = |page: &str, all: &str| {
            let caption = page.split("<caption>").nth(1).unwrap();
            let caption = caption.split('.').next().unwrap();
            caption.replace(all, "n")
        };
        assert_eq!(count(&page, "20001"), count(read, "20000"), "{path}");
        for secret in [PIN, OTHER, MD5_OF_PIN] {
            assert!(!page.contains(secret), "{path}");
        }
    }
    // It is small again.
    lab.list(LIST, &small);
    assert_eq!(rows(&browser.get(FILE).text()), rows(&read[0]));
    assert_eq!(indexes(&lab), Vec::<String>::new());
}

#[test]
fn change_from_elsewhere_is_seen() {
    let (lab, server) = running();
    let mut browser = Browser::logged_in(&server, "ada");
    settled(&mut browser, FILE);
    // Of the same size.
    let changed = lab.text(LIST).replace("Customer000001", "Customer00000A");
    lab.list(LIST, &changed);
    let page = settled(&mut browser, &format!("{FILE}&q=Customer00000a")).text();
    assert!(page.contains("<td>Customer00000A</td>"), "{page}");
    assert!(!browser.get(FILE).text().contains("<td>Customer000001</td>"));
    let callers = browser.get("/callers?q=Customer00000A").text();
    assert!(callers.contains("<td>Customer00000A</td>"), "{callers}");
    assert!(!callers.contains("<td>Customer000002</td>"));
    // The file of another console, or of a backup, has the index of no other one.
    lab.list(LIST, changed.replacen("account", "account,x", 1));
    let page = settled(&mut browser, FILE).text();
    assert!(page.contains("The rows can't be shown: "), "{page}");
}

#[test]
fn change_by_the_console_is_seen_and_an_old_row_is_refused() {
    let (lab, server) = running();
    let mut browser = Browser::logged_in(&server, "ada");
    let page = settled(&mut browser, FILE).text();
    let link = page.split("href=\"/pin-file/change?").nth(1).unwrap();
    let link = link.split('"').next().unwrap().replace("&amp;", "&");
    let form = browser.get(&format!("/pin-file/change?{link}"));
    assert_eq!(form.status, 200);
    assert!(form.text().contains("value=\"Customer000001\""));
    // The same row, by its tag alone.
    let without_line = link.split("&line=").next().unwrap();
    let form = browser.get(&format!("/pin-file/change?{without_line}"));
    assert!(form.text().contains("value=\"Customer000001\""));
    let tags = ["Customer000001", "Customer000002"].map(|account| tag(&page, account));
    let delete = |browser: &mut Browser<'_>, tag: &str| {
        let fields = [
            ("name", "customers.csv"),
            ("action", "delete"),
            ("row", tag),
        ];
        browser.post("/pin-file/rows", &fields).status
    };
    assert_eq!(delete(&mut browser, &tags[0]), 303);
    let page = settled(&mut browser, FILE).text();
    assert!(page.contains("All 20000 rows"), "{page}");
    assert!(!page.contains("Customer000001"));
    assert!(page.contains("Your last change: delete rows."), "{page}");
    assert_eq!(delete(&mut browser, &tags[0]), 409);
    assert_eq!(lab.text(LIST).lines().count(), MAX_READ_ROWS + 1);
}

#[test]
#[ignore = "takes long: make unit"]
fn killed_reading_leaves_nothing_and_a_removed_file_has_no_index() {
    let lab = lab("");
    lab.list(LIST, list(3 * MAX_READ_ROWS));
    let mut server = start(&lab);
    let mut browser = Browser::logged_in(&server, "ada");
    assert_eq!(browser.get(FILE).header("refresh"), Some("1"));
    until("an index that is begun", || !indexes(&lab).is_empty());
    server.signal(Signal::KILL);
    server.wait();
    let server = start(&lab);
    let mut browser = Browser::logged_in(&server, "ada");
    let page = settled(&mut browser, FILE).text();
    assert!(page.contains("All 60000 rows"), "{page}");
    let made = indexes(&lab);
    assert!(
        matches!(made.as_slice(), [name] if name.ends_with(".db")),
        "{made:?}"
    );
    assert_eq!(lab.mode(INDEXES), 0o700);
    assert_eq!(lab.mode(&format!("{INDEXES}/{}", made[0])), 0o600);
    // The next start uses it.
    drop(server);
    let server = start(&lab);
    let mut browser = Browser::logged_in(&server, "ada");
    assert_eq!(browser.get(FILE).header("refresh"), None);
    drop(server);
    fs::remove_file(lab.path(LIST)).unwrap();
    let server = start(&lab);
    let mut browser = Browser::logged_in(&server, "ada");
    assert_eq!(browser.get(FILE).status, 404);
    until("no index", || indexes(&lab).is_empty());
}

#[test]
fn index_that_is_damaged_is_made_again() {
    let (lab, server) = running();
    let mut browser = Browser::logged_in(&server, "ada");
    let wanted = settled(&mut browser, FILE).text();
    let path = lab.path(INDEXES).join(&indexes(&lab)[0]);
    let whole = fs::read(&path).unwrap();
    // The first page is that of the tables.
    fs::write(&path, &whole[..whole.len() / 2]).unwrap();
    let damaged = browser.get(FILE).text();
    let page = settled(&mut browser, FILE).text();
    assert_eq!(rows(&page), rows(&wanted), "{damaged}");
}

#[test]
fn file_of_the_console_has_a_secret_or_its_digest_nowhere() {
    let (lab, server) = running();
    let mut browser = Browser::logged_in(&server, "ada");
    settled(&mut browser, FILE);
    settled(&mut browser, &format!("{FILE}&q={PIN}"));
    let mut files: Vec<_> = indexes(&lab)
        .iter()
        .map(|name| lab.path(INDEXES).join(name))
        .collect();
    assert_eq!(files.len(), 1);
    files.extend(["console.db", "console.db-wal", "calls.db"].map(|name| lab.path(name)));
    let md5 = pinset::hex::bytes::<16>(MD5_OF_PIN.as_bytes()).unwrap();
    for path in files.iter().filter(|path| path.exists()) {
        let bytes = fs::read(path).unwrap();
        for secret in [PIN.as_bytes(), MD5_OF_PIN.as_bytes(), &md5, b"hmac-sha256:"] {
            let found = bytes.windows(secret.len()).any(|part| part == secret);
            assert!(!found, "{}", path.display());
        }
    }
}

/// Bytes of a file that no page reads before it is known how many rows it has.
const MIN_BYTES: usize = 8 << 20;

#[test]
#[ignore = "takes long: make unit"]
fn rows_of_a_file_of_many_bytes_are_counted_in_the_background() {
    let lab = lab("");
    let name = "x".repeat(8_000);
    let rows = |count: usize| -> String {
        let row = |at: usize| format!("a{at:05},plain:{},{name}\n", 500_000 + at);
        (0..count).map(row).collect()
    };
    let few = MIN_BYTES / name.len() + 1;
    let csv = format!("account,secret,name\n{}", rows(few));
    let plain = "482913\n".repeat(MIN_BYTES / 7 + 1);
    let server = start(&lab);
    let mut browser = Browser::logged_in(&server, "ada");
    for (text, part) in [
        (&csv, format!("Rows: {few}. ")),
        (&plain, "A plain file: one PIN a line.".to_owned()),
    ] {
        lab.list(LIST, text);
        let first = browser.get(FILE);
        assert_eq!(first.header("refresh"), Some("1"));
        assert!(first.text().contains("is being read"), "{}", first.text());
        let page = settled(&mut browser, FILE).text();
        assert!(page.contains(&part), "{page}");
        // That is known until it changes.
        assert_eq!(browser.get(FILE).header("refresh"), None);
        assert_eq!(indexes(&lab), Vec::<String>::new());
    }
}

#[test]
fn first_rows_of_a_caller_with_many_are_on_the_page_of_callers() {
    let lab = lab("");
    let mut text = list(MAX_READ_ROWS);
    for at in 0..1001 {
        text += &format!("ada,plain:{PIN}0{at},,,,\n");
    }
    lab.list(LIST, text);
    let server = start(&lab);
    let mut browser = Browser::logged_in(&server, "ada");
    settled(&mut browser, FILE);
    let page = browser.get("/callers?q=ada").text();
    assert_eq!(page.matches("<td>ada</td>").count(), 1000, "{page}");
    let more = "customers.csv: up to 1 more rows: search on the page of the PIN file";
    assert!(page.contains(more), "{page}");
}

/// Dates are those of the machine's time zone: an index of another one is not used.
#[test]
fn states_of_an_index_are_those_of_the_time_zone() {
    let lab = lab("");
    // Valid until the end of a day that is over in the far east only.
    let now = jiff::Timestamp::now();
    let utc = now.to_zoned(jiff::tz::TimeZone::UTC);
    let until = utc.date().to_string();
    let text = list(MAX_READ_ROWS) + &format!("zoned,plain:{PIN},,,,{until} 23:59\n");
    lab.list(LIST, text);
    let running = |zone: &str| {
        let mut command = lab.command(&["console", "--config", "console.toml"]);
        command.env("TZ", zone);
        Server::run(&lab, command)
    };
    // POSIX: the sign is that of the way back to UTC.
    for (zone, is_valid) in [("WEST24", true), ("EAST-24", false), ("WEST24", true)] {
        let server = running(zone);
        let mut browser = Browser::logged_in(&server, "ada");
        let page = settled(&mut browser, &format!("{FILE}&q=zoned&state=valid")).text();
        assert_eq!(page.contains("<td>zoned</td>"), is_valid, "{zone}: {page}");
    }
}
