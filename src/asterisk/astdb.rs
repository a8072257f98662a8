//! Asterisk's database (astdb). No call of ours makes it log a key that a
//! caller entered, unless it has no memory for some 300 bytes: `ast_db_get` and
//! `ast_db_del2` would, and before 22.1 so would a listing whose prefix is too
//! long (`authrs_db_exists`).
//!
//! The file itself is never opened from here: closing it would drop SQLite's
//! locks, and Asterisk's own commit would fail. `stat` is harmless.

use std::ffi::{CStr, OsStr};
use std::os::unix::ffi::OsStrExt;
use std::path::PathBuf;
use std::time::SystemTime;

use super::c_string::Text;
use crate::ffi;

/// Longest queue for the database: more than it answers within `source_timeout`.
pub(crate) const MAX_WAITING: usize = 1000;

/// Presence of a key.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Presence {
    /// It is there.
    Present,
    /// It is not there, or the database can't be read.
    Absent,
    /// The database has not looked: the key is too long for it, or it has no
    /// memory.
    Unknown,
}

/// Looks up a key.
pub(crate) fn presence(family: &[u8], key: &[u8]) -> Presence {
    let (family, key) = (Text::new(family), Text::new(key));
    // SAFETY: two NUL-terminated strings, read before the call returns.
    match unsafe { ffi::authrs_db_exists(family.as_c().as_ptr(), key.as_c().as_ptr()) } {
        1 => Presence::Present,
        0 => Presence::Absent,
        _ => Presence::Unknown,
    }
}

/// Returns whether the family has the key.
pub(crate) fn exists(family: &[u8], key: &[u8]) -> bool {
    presence(family, key) == Presence::Present
}

/// Calls `look` with each key and value of a family, not with those of families below
/// it. If the database can't be read, the family is empty.
pub(crate) fn each(family: &[u8], mut look: impl FnMut(&[u8], &[u8])) {
    each_below(family, |key, value| {
        if !key.contains(&b'/') {
            look(key, value);
        }
    });
}

/// Calls `look` with each key and value of a family and of the families below it, whose
/// names precede their keys.
pub(crate) fn each_below(family: &[u8], mut look: impl FnMut(&[u8], &[u8])) {
    let name = Text::new(family);
    // SAFETY: a NUL-terminated string; NULL stands for the whole family.
    let entries = unsafe { ffi::ast_db_gettree(name.as_c().as_ptr(), std::ptr::null()) };
    let head = [b"/", family, b"/"].concat();
    let mut next = entries;
    // SAFETY: NULL, or an entry of the list that is ours until it is freed.
    while let Some(entry) = unsafe { next.as_ref() } {
        // SAFETY: both are NUL-terminated and stay as long as the entry; the
        // value lies behind its other fields.
        let (key, value) = unsafe {
            (
                CStr::from_ptr(entry.key),
                CStr::from_ptr(entry.data.as_ptr()),
            )
        };
        // The database takes `_` and `%` in a name for wildcards.
        if let Some(key) = key.to_bytes().strip_prefix(head.as_slice()) {
            look(key, value.to_bytes());
        }
        next = entry.next;
    }
    // SAFETY: ours, freed once.
    unsafe { ffi::ast_db_freetree(entries) };
}

/// Writes a value. Returns false if that fails.
pub(crate) fn put(family: &[u8], key: &[u8], value: &[u8]) -> bool {
    let (family, key, value) = (Text::new(family), Text::new(key), Text::new(value));
    // SAFETY: three NUL-terminated strings, read before the call returns.
    unsafe {
        ffi::ast_db_put(
            family.as_c().as_ptr(),
            key.as_c().as_ptr(),
            value.as_c().as_ptr(),
        ) == 0
    }
}

/// Returns the first 31 bytes of the value of one of our own keys, or `None` if there is
/// no such key, or the database can't be read. Not for keys that a caller has entered:
/// one that is deleted meanwhile is logged at debug level 1.
pub(crate) fn own_value(family: &[u8], key: &[u8]) -> Option<Vec<u8>> {
    if !exists(family, key) {
        return None;
    }
    let (family, key) = (Text::new(family), Text::new(key));
    let mut buffer = [0_u8; 32];
    // SAFETY: two NUL-terminated strings, and a buffer of our own of the size
    // given, which the call ends with a NUL.
    let result = unsafe {
        ffi::ast_db_get(
            family.as_c().as_ptr(),
            key.as_c().as_ptr(),
            buffer.as_mut_ptr().cast(),
            i32::try_from(buffer.len()).unwrap_or_default(),
        )
    };
    let read = CStr::from_bytes_until_nul(&buffer).ok()?;
    (result == 0).then(|| read.to_bytes().to_vec())
}

/// Returns whether [`own_value`] is `value`.
pub(crate) fn own_value_is(family: &[u8], key: &[u8], value: &[u8]) -> bool {
    own_value(family, key).is_some_and(|found| found == value)
}

/// Deletes a key. Returns false if that fails; a missing key is no failure.
pub(crate) fn delete(family: &[u8], key: &[u8]) -> bool {
    let (family, key) = (Text::new(family), Text::new(key));
    // SAFETY: two NUL-terminated strings, read before the call returns.
    unsafe { ffi::ast_db_del(family.as_c().as_ptr(), key.as_c().as_ptr()) == 0 }
}

/// Deletes all keys of one of our own families. Its name must hold no `%` and
/// no `_`: the database takes them for wildcards.
pub(crate) fn delete_own_family(family: &CStr) {
    // SAFETY: a NUL-terminated string; NULL stands for the whole family.
    unsafe { ffi::ast_db_deltree(family.as_ptr(), std::ptr::null()) };
}

/// Returns the path of the database, without its extension.
fn path() -> PathBuf {
    // SAFETY: set once when Asterisk starts, before any module is loaded.
    let path = unsafe { CStr::from_ptr(ffi::ast_config_AST_DB) };
    PathBuf::from(OsStr::from_bytes(path.to_bytes()))
}

/// Returns the path of a file next to the database, where Asterisk may write.
pub(crate) fn beside(name: &str) -> PathBuf {
    path().with_file_name(name)
}

/// Returns the path of the database's file.
pub(crate) fn file() -> PathBuf {
    path().with_extension("sqlite3")
}

/// Returns the time of Asterisk's last write to the database's file, that is of its last
/// commit.
pub(crate) fn written() -> Option<SystemTime> {
    std::fs::metadata(file())
        .and_then(|file| file.modified())
        .ok()
}
