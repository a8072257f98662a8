//! The one boundary that no panic passes: every function of ours that
//! Asterisk calls runs inside [`guard`].

use std::panic::{self, AssertUnwindSafe, PanicHookInfo};

use super::log::log;

/// Runs `work`; a panic ends here, and `otherwise` is returned.
pub fn guard<T>(otherwise: T, work: impl FnOnce() -> T) -> T {
    panic::catch_unwind(AssertUnwindSafe(work)).unwrap_or(otherwise)
}

/// Has panics logged by Asterisk; what Rust writes to stderr is lost.
pub fn register_panic_hook() {
    panic::set_hook(Box::new(log_panic));
}

/// Takes back [`register_panic_hook`], before the code goes.
pub fn unregister_panic_hook() {
    drop(panic::take_hook());
}

/// A panic's message may hold anything, so only its place is logged.
fn log_panic(panic: &PanicHookInfo<'_>) {
    match panic.location() {
        Some(place) => log!(Error, "internal error at {place}: please report it"),
        None => log!(Error, "internal error: please report it"),
    }
}
