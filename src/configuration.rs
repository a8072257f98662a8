//! `authenticate.conf`: read at load and at each reload. What is wrong in it
//! is logged by file, line, section and option. At load a wrong line is passed
//! over; a reload takes the file whole or not at all.

use std::ffi::CStr;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, PoisonError};

use pinset::Settings;

use crate::asterisk::config::{self, Config, Loaded, Section};
use crate::asterisk::log::log;

const FILE: &CStr = c"authenticate.conf";
const GENERAL: &str = "general";

/// What is in force; `None` stands for the defaults.
static CURRENT: Mutex<Option<Arc<Settings>>> = Mutex::new(None);

/// Whether what is in force is all that the file says. If not, the next reload
/// complains again, even of a file that has not changed.
static WHOLE: AtomicBool = AtomicBool::new(false);

/// The settings in force. A reload puts others in their place and leaves these
/// as they are.
pub fn current() -> Arc<Settings> {
    let current = CURRENT.lock().unwrap_or_else(PoisonError::into_inner);
    current.clone().unwrap_or_default()
}

/// Reads the file. Where it is wrong, the defaults stay.
pub fn load() {
    let read = read(false).unwrap_or_default();
    WHOLE.store(read.whole, Ordering::Relaxed);
    put(Some(read.settings));
    if !read.whole {
        log!(
            Error,
            "authenticate.conf has errors, in force is {}",
            current()
        );
    }
}

/// Reads the file again if it has changed. False: it is wrong somewhere, and
/// what was in force stays so.
pub fn reload() -> bool {
    let Some(read) = read(WHOLE.load(Ordering::Relaxed)) else {
        return true;
    };
    WHOLE.store(read.whole, Ordering::Relaxed);
    if read.whole {
        put(Some(read.settings));
    } else {
        log!(
            Error,
            "authenticate.conf has errors and is not taken over, in force stays {}",
            current()
        );
    }
    read.whole
}

/// Lets go of the settings.
pub fn forget() {
    put(None);
}

fn put(settings: Option<Settings>) {
    *CURRENT.lock().unwrap_or_else(PoisonError::into_inner) = settings.map(Arc::new);
}

/// What the file says, and whether it was right in all.
#[derive(Default)]
struct Read {
    settings: Settings,
    whole: bool,
}

/// Reads the file and logs what is wrong in it. `None`: it has not changed.
fn read(if_changed: bool) -> Option<Read> {
    match config::load(FILE, if_changed) {
        Loaded::Read(config) => return Some(understand(&config)),
        Loaded::Missing => {
            return Some(Read {
                whole: true,
                ..Read::default()
            })
        }
        Loaded::Unchanged => return None,
        Loaded::Unreadable => log!(
            Error,
            "authenticate.conf can't be opened or is no regular file"
        ),
        Loaded::Invalid => log!(
            Error,
            "authenticate.conf can't be parsed: the line above this one says where"
        ),
    }
    Some(Read::default())
}

fn understand(config: &Config) -> Read {
    let mut read = Read {
        whole: true,
        ..Read::default()
    };
    for section in config.sections() {
        // Asterisk finds sections whatever their case.
        if section.name.eq_ignore_ascii_case(GENERAL) {
            read.whole &= general(&mut read.settings, &section);
        } else {
            log!(
                Warning,
                "{}: PIN sets are not supported yet: section [{}] is ignored",
                section.place(),
                section.name
            );
        }
    }
    read
}

/// Sets what a `[general]` says; false if anything in it is wrong.
fn general(settings: &mut Settings, section: &Section<'_>) -> bool {
    let mut right = true;
    for line in section.lines() {
        let (option, value) = (line.option.to_bytes(), line.value.to_bytes());
        if let Err(fault) = settings.set(option, value) {
            right = false;
            log!(
                Error,
                "{}: [{}] {}: {fault}",
                line.place,
                section.name,
                line.option.to_string_lossy()
            );
        }
    }
    right
}
