//! `authenticate.conf` and the PIN sets of the console, read at load and at each reload.
//! Errors are logged with file, line, section and option. At load, a PIN set with an error
//! admits nobody, and the others work; a reload takes the file whole or not at all.
//!
//! In three steps, so that nothing here knows the files and services it names:
//! [`read`], then `auth::source_check` checks the sources of the PIN sets, then
//! [`put`] or [`replace`].

mod console_sets;
mod draft;
mod in_force;
mod parse;
pub(crate) mod secret_file;

use std::sync::{Arc, Mutex};

use crate::asterisk::config::{self, LoadResult};
use crate::asterisk::log::log;
use crate::asterisk::process;
use crate::sync::lock::lock;
use in_force::{now, FILE};
use parse::Parser;

pub(crate) use draft::{ConfigError, Draft, SourceCheck};
pub(crate) use in_force::{InForce, PinSetError};

/// The configuration in force; `None` stands for the defaults.
static CURRENT: Mutex<Option<Arc<InForce>>> = Mutex::new(None);

/// A file that a reload has rejected: an older one is in force.
#[derive(Clone)]
pub(crate) struct RejectedFile {
    /// When, in local time.
    pub at: String,
    /// The first errors.
    pub errors: Vec<ConfigError>,
    /// Number of all errors.
    pub count: usize,
}

/// The file that was rejected by the last reload.
static REJECTED: Mutex<Option<RejectedFile>> = Mutex::new(None);

/// Returns the file that the last reload has rejected, if it has.
pub(crate) fn rejected() -> Option<RejectedFile> {
    let rejected = lock(&REJECTED);
    rejected.clone()
}

/// Returns the configuration in force. A reload replaces it, and does not change the
/// one that was returned.
pub(crate) fn current() -> Arc<InForce> {
    let current = lock(&CURRENT);
    current.clone().unwrap_or_default()
}

/// Reads the file, and logs its errors.
pub(crate) fn read() -> Draft {
    match config::load(FILE) {
        LoadResult::Read(config) => Parser::of(Some(&config)),
        LoadResult::Missing => Parser::of(None),
        LoadResult::Unreadable => Draft::failed(&format!(
            "authenticate.conf can't be opened or is no regular file: Asterisk runs as {}",
            process::account()
        )),
        LoadResult::Invalid => {
            Draft::failed("authenticate.conf can't be parsed: the line above this one says where")
        }
    }
}

/// Puts a file in force when the module is loaded. Options with errors keep their
/// defaults, and PIN sets with errors admit nobody.
pub(crate) fn put(draft: Draft) {
    if draft.is_unsound && !draft.in_force.pin_sets.is_empty() {
        let file = FILE.to_string_lossy();
        log!(
            Error,
            "{file}: PIN sets admit nobody until [general] is right"
        );
    }
    set_current(Some(draft.in_force));
    if !draft.errors.is_empty() {
        log!(
            Error,
            "authenticate.conf has errors, in force is {}",
            current()
        );
    }
}

/// Puts a file in force when the module is reloaded, changed or not: the pepper file
/// may have changed. Returns false if there are errors: the old one stays in force.
pub(crate) fn replace(draft: Draft) -> bool {
    let Draft {
        in_force, errors, ..
    } = draft;
    let whole = errors.is_empty();
    if whole {
        set_current(Some(in_force));
    } else {
        log!(
            Error,
            "authenticate.conf has errors and is not taken over, in force stays {}",
            current()
        );
    }
    let rejected = (!whole).then(|| RejectedFile {
        at: now(),
        errors: errors.first,
        count: errors.count,
    });
    *lock(&REJECTED) = rejected;
    whole
}

/// Clears the configuration.
pub(crate) fn clear() {
    set_current(None);
    *lock(&REJECTED) = None;
}

fn set_current(in_force: Option<InForce>) {
    *lock(&CURRENT) = in_force.map(Arc::new);
}
