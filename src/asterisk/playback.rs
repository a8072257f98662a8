//! Sounds that are not there: said once, skipped, and looked for again each
//! time, since they may be recorded later.

use std::collections::BTreeSet;
use std::sync::Mutex;

use super::c_string::Text;
use super::channel::Channel;
use super::log::log_once;
use crate::ffi;
use crate::sync::lock::lock;

/// How many missing sounds are remembered.
const REMEMBERED: usize = 1000;

/// Sounds that could not be played the last time.
static MISSING: Mutex<BTreeSet<Vec<u8>>> = Mutex::new(BTreeSet::new());

/// Starts a sound in the channel's language. False: it can't be played, which
/// is said in the log once.
pub fn start(channel: &mut Channel<'_>, sound: &[u8]) -> bool {
    match try_start(channel, sound) {
        Tried::Plays => true,
        Tried::Missing => false,
        Tried::New => {
            log_once!(
                Warning,
                "sound '{}' can't be played: it is skipped",
                String::from_utf8_lossy(sound)
            );
            false
        }
    }
}

/// What came of starting a sound.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Tried {
    /// It plays.
    Plays,
    /// It still can't be played, or the caller is gone.
    Missing,
    /// It can't be played, and could the last time, as far as is known.
    New,
}

/// Starts a sound in the channel's language, and says nothing in the log.
pub fn try_start(channel: &mut Channel<'_>, sound: &[u8]) -> Tried {
    let (name, language) = (Text::new(sound), channel.language());
    let missing = || lock(&MISSING);
    // Asterisk warns each time it is told to play what is not there.
    let was_missing = missing().contains(sound);
    if was_missing && !exists(&name, &language) {
        return Tried::Missing;
    }
    if channel.stream(&name, &language) {
        missing().remove(sound);
        return Tried::Plays;
    }
    // No lock of ours over this: it takes the channel's.
    if channel.is_gone() {
        return Tried::Missing;
    }
    let mut missing = missing();
    if missing.len() < REMEMBERED {
        missing.insert(sound.to_vec());
    }
    Tried::New
}

/// Forgets which sounds were missing.
pub fn clear() {
    lock(&MISSING).clear();
}

fn exists(sound: &Text, language: &Text) -> bool {
    let any_format = std::ptr::null();
    // SAFETY: two NUL-terminated strings, read before the call returns.
    unsafe { ffi::ast_fileexists(sound.as_c().as_ptr(), any_format, language.as_c().as_ptr()) > 0 }
}
