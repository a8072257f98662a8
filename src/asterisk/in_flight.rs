//! Count of calls that run code of ours. Asterisk's own count refuses a plain unload;
//! this one refuses a forced one too, which would unmap running code.

use std::sync::atomic::{AtomicUsize, Ordering};

static IN_FLIGHT: AtomicUsize = AtomicUsize::new(0);

/// Counts a call until it is dropped: of the application, the function, a command
/// or an action.
pub(crate) struct CallGuard;

impl CallGuard {
    /// Counts one more call.
    pub(crate) fn enter() -> Self {
        IN_FLIGHT.fetch_add(1, Ordering::SeqCst);
        Self
    }
}

impl Drop for CallGuard {
    fn drop(&mut self) {
        IN_FLIGHT.fetch_sub(1, Ordering::SeqCst);
    }
}

/// Returns whether any call is in flight.
pub(crate) fn any() -> bool {
    IN_FLIGHT.load(Ordering::SeqCst) > 0
}
