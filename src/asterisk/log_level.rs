//! The log level `AUTHENTICATE`, which `logger.conf` can send anywhere.

use std::ffi::CStr;
use std::sync::atomic::{AtomicBool, AtomicI32, Ordering};

use crate::ffi;

const NAME: &CStr = c"AUTHENTICATE";

/// The number of a missing level. Dynamic levels have numbers from 16 on.
const NONE: i32 = -1;

static NUMBER: AtomicI32 = AtomicI32::new(NONE);

/// Whether we have registered the level, and so unregister it.
static OURS: AtomicBool = AtomicBool::new(false);

/// Returns the level's number, if there is such a level.
pub(crate) fn number() -> Option<i32> {
    Some(NUMBER.load(Ordering::Relaxed)).filter(|number| is_level(*number))
}

fn is_level(number: i32) -> bool {
    number > 0
}

/// Finds or registers the level. One that exists already belongs to `logger.conf`
/// (`custom_levels`). Returns false if Asterisk has no free level.
pub(crate) fn register() -> bool {
    // SAFETY: a static name, compared before the call returns.
    let mut number = unsafe { ffi::ast_logger_get_dynamic_level(NAME.as_ptr()) };
    if !is_level(number) {
        // SAFETY: a static name, which Asterisk copies.
        number = unsafe { ffi::ast_logger_register_level(NAME.as_ptr()) };
        OURS.store(is_level(number), Ordering::Relaxed);
    }
    NUMBER.store(number, Ordering::Relaxed);
    is_level(number)
}

/// Takes back [`register`].
pub(crate) fn unregister() {
    NUMBER.store(NONE, Ordering::Relaxed);
    if OURS.swap(false, Ordering::Relaxed) {
        // SAFETY: a static name, compared before the call returns.
        unsafe { ffi::ast_logger_unregister_level(NAME.as_ptr()) };
    }
}
