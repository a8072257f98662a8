//! Asterisk's database: values in memory, and the last commit on disk. A commit that fails
//! is rolled back.

use std::cell::RefCell;
use std::collections::BTreeMap;
use std::ffi::CStr;
use std::path::PathBuf;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use crate::model::{happens, step};

pub(crate) const MAX_WAITING: usize = 1000;

#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Presence {
    Present,
    Absent,
    Unknown,
}

type Rows = BTreeMap<Vec<u8>, Vec<u8>>;

#[derive(Default)]
struct Database {
    rows: Rows,
    on_disk: Rows,
    commits: u64,
}

thread_local! {
    static DATABASE: RefCell<Database> = RefCell::default();
}

fn with<T>(what: impl FnOnce(&mut Database) -> T) -> T {
    step();
    DATABASE.with_borrow_mut(what)
}

fn path(family: &[u8], key: &[u8]) -> Vec<u8> {
    [b"/", family, b"/", key].concat()
}

pub(crate) fn presence(family: &[u8], key: &[u8]) -> Presence {
    match with(|database| database.rows.contains_key(&path(family, key))) {
        true => Presence::Present,
        false => Presence::Absent,
    }
}

pub(crate) fn exists(family: &[u8], key: &[u8]) -> bool {
    presence(family, key) == Presence::Present
}

pub(crate) fn each(family: &[u8], mut look: impl FnMut(&[u8], &[u8])) {
    each_below(family, |key, value| {
        if !key.contains(&b'/') {
            look(key, value);
        }
    });
}

pub(crate) fn each_below(family: &[u8], mut look: impl FnMut(&[u8], &[u8])) {
    let head = path(family, b"");
    let rows = with(|database| database.rows.clone());
    for (key, value) in &rows {
        if let Some(key) = key.strip_prefix(head.as_slice()) {
            look(key, value);
        }
    }
}

pub(crate) fn put(family: &[u8], key: &[u8], value: &[u8]) -> bool {
    with(|database| database.rows.insert(path(family, key), value.to_vec()));
    true
}

pub(crate) fn own_value(family: &[u8], key: &[u8]) -> Option<Vec<u8>> {
    with(|database| database.rows.get(&path(family, key)).cloned())
}

pub(crate) fn own_value_is(family: &[u8], key: &[u8], value: &[u8]) -> bool {
    own_value(family, key).is_some_and(|found| found == value)
}

pub(crate) fn delete(family: &[u8], key: &[u8]) -> bool {
    with(|database| database.rows.remove(&path(family, key)));
    true
}

pub(crate) fn delete_own_family(family: &CStr) {
    let head = path(family.to_bytes(), b"");
    with(|database| database.rows.retain(|key, _| !key.starts_with(&head)));
}

pub(crate) fn beside(name: &str) -> PathBuf {
    super::process::cache_folder().join(name)
}

pub(crate) fn file() -> PathBuf {
    beside("astdb.sqlite3")
}

pub(crate) fn written() -> Option<SystemTime> {
    let commits = with(|database| database.commits);
    Some(UNIX_EPOCH + Duration::from_secs(commits))
}

/// Asterisk's commit, once a second.
pub(crate) fn commit() {
    let fails = happens(|odds| odds.no_commit);
    with(|database| {
        if fails {
            database.rows = database.on_disk.clone();
        } else if database.rows != database.on_disk {
            database.on_disk = database.rows.clone();
            database.commits += 1;
        }
    });
}

/// What a crash leaves: the last commit.
pub(crate) fn on_disk() -> Rows {
    DATABASE.with_borrow(|database| database.on_disk.clone())
}

/// Starts Asterisk with what a crash has left.
pub(crate) fn recover(rows: Rows) {
    DATABASE.with_borrow_mut(|database| {
        database.rows = rows.clone();
        database.on_disk = rows;
    });
}

pub(super) fn reset() {
    DATABASE.set(Database::default());
}
