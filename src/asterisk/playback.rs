//! Playback of sounds. Missing ones are logged once, skipped, and looked for again each
//! time, since they may be recorded later.

use std::collections::BTreeSet;
use std::sync::Mutex;

use super::c_string::Text;
use super::channel::Channel;
use super::log::log_once;
use crate::ffi;
use crate::sync::lock::lock;

/// Most missing sounds that are remembered.
const MAX_MISSING: usize = 1000;

/// Sounds that could not be played the last time.
static MISSING: Mutex<BTreeSet<Vec<u8>>> = Mutex::new(BTreeSet::new());

/// Starts a sound in the channel's language. Returns false if it can't be played, which
/// is logged once.
pub(crate) fn start(channel: &mut Channel<'_>, sound: &[u8]) -> bool {
    match try_start(channel, sound) {
        StartResult::Playing => true,
        StartResult::Missing => false,
        StartResult::New => {
            log_once!(
                Warning,
                "sound '{}' can't be played: it is skipped",
                String::from_utf8_lossy(sound)
            );
            false
        }
    }
}

/// Result of starting a sound.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum StartResult {
    /// It plays.
    Playing,
    /// It still can't be played, or the caller has hung up.
    Missing,
    /// It can't be played, and the last time it could, as far as is known.
    New,
}

/// Starts a sound in the channel's language, and logs nothing.
pub(crate) fn try_start(channel: &mut Channel<'_>, sound: &[u8]) -> StartResult {
    let (name, language) = (Text::new(sound), channel.language());
    let missing = || lock(&MISSING);
    // Asterisk logs a warning each time a missing sound is played.
    let was_missing = missing().contains(sound);
    if was_missing && !exists(&name, &language) {
        return StartResult::Missing;
    }
    if channel.stream(&name, &language) {
        missing().remove(sound);
        return StartResult::Playing;
    }
    // No lock of ours over this: it takes the channel's.
    if channel.is_gone() {
        return StartResult::Missing;
    }
    let mut missing = missing();
    if missing.len() < MAX_MISSING {
        missing.insert(sound.to_vec());
    }
    StartResult::New
}

/// Clears the missing sounds.
pub(crate) fn clear() {
    lock(&MISSING).clear();
}

fn exists(sound: &Text, language: &Text) -> bool {
    let any_format = std::ptr::null();
    // SAFETY: two NUL-terminated strings, read before the call returns.
    unsafe { ffi::ast_fileexists(sound.as_c().as_ptr(), any_format, language.as_c().as_ptr()) > 0 }
}
