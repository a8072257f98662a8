//! Asterisk's log. What is logged never holds a PIN: neither `pinset::Pin`
//! nor a literal password can be formatted.

use std::collections::BTreeSet;
use std::ffi::CStr;
use std::fmt;
use std::sync::{Mutex, PoisonError};

use super::level;
use crate::ffi;

/// Asterisk's log levels, as far as we use them.
#[derive(Clone, Copy)]
pub enum Level {
    /// Worth knowing.
    Notice,
    /// Something is wrong that the administrator can mend.
    Warning,
    /// Calls are refused because of it.
    Error,
    /// How a call has come out.
    Authenticate,
}

/// Writes one line. Use through [`log!`] and [`log_once!`].
pub fn write(level: Level, file: &CStr, line: u32, text: fmt::Arguments<'_>) {
    let text = text.to_string();
    // Asterisk shows its own files without their folders.
    let name = file.to_bytes_with_nul().rsplit(|c| *c == b'/').next();
    let file = name
        .and_then(|name| CStr::from_bytes_with_nul(name).ok())
        .unwrap_or(file);
    let level = match level {
        Level::Notice => number(ffi::__LOG_NOTICE),
        Level::Warning => number(ffi::__LOG_WARNING),
        Level::Error => number(ffi::__LOG_ERROR),
        Level::Authenticate => level::number().unwrap_or(number(ffi::__LOG_NOTICE)),
    };
    let line = i32::try_from(line).unwrap_or_default();
    // SAFETY: `file` is NUL-terminated and `text` is read for its length only;
    // both are read before the call returns.
    unsafe { ffi::authrs_log(level, file.as_ptr(), line, text.as_ptr().cast(), text.len()) }
}

fn number(level: u32) -> i32 {
    i32::try_from(level).unwrap_or_default()
}

/// How many different lines are said once; then no more of them are.
const REMEMBERED: usize = 1000;

static SAID: Mutex<BTreeSet<String>> = Mutex::new(BTreeSet::new());

/// Writes a line unless it has been written since the last load or reload.
pub fn write_once(level: Level, file: &CStr, line: u32, text: fmt::Arguments<'_>) {
    let key = text.to_string();
    let new = {
        let mut said = SAID.lock().unwrap_or_else(PoisonError::into_inner);
        said.len() < REMEMBERED && said.insert(key)
    };
    if new {
        write(level, file, line, text);
    }
}

/// Forgets what [`write_once`] has said.
pub fn forget() {
    SAID.lock().unwrap_or_else(PoisonError::into_inner).clear();
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

/// The same, once until the next load or reload.
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

pub(crate) use {here, log, log_once};
