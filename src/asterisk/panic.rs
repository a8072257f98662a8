//! Panic boundary: every function of ours that Asterisk calls runs inside [`guard`].

use std::panic::{self, AssertUnwindSafe, PanicHookInfo};

use super::log::log;

/// Runs `work`. If it panics, returns `otherwise`.
pub(crate) fn guard<T>(otherwise: T, work: impl FnOnce() -> T) -> T {
    panic::catch_unwind(AssertUnwindSafe(work)).unwrap_or(otherwise)
}

/// Registers a panic hook that writes to Asterisk's log: stderr is lost.
pub(crate) fn register_panic_hook() {
    panic::set_hook(Box::new(log_panic));
}

/// Takes back [`register_panic_hook`], before the code is unmapped.
pub(crate) fn unregister_panic_hook() {
    drop(panic::take_hook());
}

/// Logs the place of a panic. Its message may hold secrets, so it is not logged.
fn log_panic(panic: &PanicHookInfo<'_>) {
    match panic.location() {
        Some(place) => log!(Error, "internal error at {place}: please report it"),
        None => log!(Error, "internal error: please report it"),
    }
}
