//! Asterisk's log. What is logged never holds a PIN: neither `pinset::Pin`
//! nor a literal password can be formatted.

use std::collections::BTreeSet;
use std::ffi::CStr;
use std::fmt;
use std::sync::Mutex;

use super::log_level;
use crate::ffi;
use crate::sync::lock::lock;

/// Asterisk's log levels, as far as we use them.
#[derive(Clone, Copy)]
pub(crate) enum Level {
    /// Information.
    Notice,
    /// A problem that the administrator can fix.
    Warning,
    /// A problem because of which calls are refused.
    Error,
    /// The outcome of a call.
    Authenticate,
}

/// Writes one line. Use through [`log!`] and [`log_once!`].
pub(crate) fn write(level: Level, file: &CStr, line: u32, text: fmt::Arguments<'_>) {
    let text = text.to_string();
    let file = without_folders(file);
    let level = match level {
        Level::Notice => number(ffi::__LOG_NOTICE),
        Level::Warning => number(ffi::__LOG_WARNING),
        Level::Error => number(ffi::__LOG_ERROR),
        Level::Authenticate => log_level::number().unwrap_or(number(ffi::__LOG_NOTICE)),
    };
    let line = i32::try_from(line).unwrap_or_default();
    // SAFETY: `file` is NUL-terminated and `text` is read for its length only;
    // both are read before the call returns.
    unsafe { ffi::authrs_log(level, file.as_ptr(), line, text.as_ptr().cast(), text.len()) }
}

/// Returns the name of a source file as Asterisk logs its own; a `mod.rs` with its
/// folder.
fn without_folders(file: &CStr) -> &CStr {
    let bytes = file.to_bytes_with_nul();
    let is_mod = bytes.ends_with(b"/mod.rs\0");
    let mut parts = bytes.rsplitn(if is_mod { 3 } else { 2 }, |byte| *byte == b'/');
    let behind = if is_mod { parts.nth(2) } else { parts.nth(1) };
    let folders = behind.map_or(0, |folders| folders.len() + 1);
    let name = bytes.get(folders..).map(CStr::from_bytes_with_nul);
    name.and_then(Result::ok).unwrap_or(file)
}

/// Writes a line to consoles and logs of verbose level 3 (`core set verbose 3`). `text`
/// is called only if there is one. Use through [`verbose!`].
pub(crate) fn write_verbose(file: &CStr, line: u32, text: impl FnOnce() -> String) {
    // SAFETY: a number of Asterisk's is read.
    if unsafe { ffi::authrs_is_verbose() } == 0 {
        return;
    }
    let text = text();
    let file = without_folders(file);
    let line = i32::try_from(line).unwrap_or_default();
    // SAFETY: `file` is NUL-terminated and `text` is read for its length only;
    // both are read before the call returns.
    unsafe { ffi::authrs_verbose(file.as_ptr(), line, text.as_ptr().cast(), text.len()) }
}

fn number(level: u32) -> i32 {
    i32::try_from(level).unwrap_or_default()
}

/// Most different lines that are logged once; further ones are not logged.
const MAX_LOGGED: usize = 1000;

static LOGGED: Mutex<BTreeSet<String>> = Mutex::new(BTreeSet::new());

/// Writes a line unless it has been written since the last load or reload.
pub(crate) fn write_once(level: Level, file: &CStr, line: u32, text: fmt::Arguments<'_>) {
    if is_first(text.to_string()) {
        write(level, file, line, text);
    }
}

/// Returns whether this key is new since the last load or reload: for lines that name a
/// call, but are written once for all calls.
pub(crate) fn is_first(key: String) -> bool {
    let mut logged = lock(&LOGGED);
    logged.len() < MAX_LOGGED && logged.insert(key)
}

/// Clears the keys of [`is_first`].
pub(crate) fn clear() {
    lock(&LOGGED).clear();
}

/// The source file's name for C.
macro_rules! here {
    () => {
        std::ffi::CStr::from_bytes_until_nul(concat!(file!(), "\0").as_bytes()).unwrap_or_default()
    };
}

/// `log!(Level, "format", …)`: one line in Asterisk's log.
macro_rules! log {
    ($level:ident, $($text:tt)+) => {
        $crate::asterisk::log::write(
            $crate::asterisk::log::Level::$level,
            $crate::asterisk::log::here!(),
            line!(),
            format_args!($($text)+),
        )
    };
}

/// The same, but only once until the next load or reload.
macro_rules! log_once {
    ($level:ident, $($text:tt)+) => {
        $crate::asterisk::log::write_once(
            $crate::asterisk::log::Level::$level,
            $crate::asterisk::log::here!(),
            line!(),
            format_args!($($text)+),
        )
    };
}

/// `verbose!(|| String)`: one line for consoles and logs at verbose level 3.
macro_rules! verbose {
    ($text:expr) => {
        $crate::asterisk::log::write_verbose($crate::asterisk::log::here!(), line!(), $text)
    };
}

pub(crate) use {here, log, log_once, verbose};
