//! Ends of channels, from Asterisk's message bus (Stasis).

use std::ffi::{c_char, CStr};
use std::ptr::NonNull;
use std::sync::OnceLock;

use super::panic::guard;
use crate::ffi;

static ENDED: OnceLock<fn(&[u8])> = OnceLock::new();

/// A subscription to the ends of all channels. Dropped, it waits for the last
/// report to be over.
pub(crate) struct HangupSubscription(NonNull<ffi::stasis_subscription>);

// SAFETY: Asterisk allows any thread to end a subscription.
unsafe impl Send for HangupSubscription {}

impl HangupSubscription {
    /// Subscribes: `ended` is called with the unique id of each channel that ends, on one
    /// thread of Asterisk at a time and without a lock. Returns `None` if that fails.
    pub(crate) fn start(ended: fn(&[u8])) -> Option<Self> {
        ENDED.get_or_init(|| ended);
        // SAFETY: no arguments, and NULL is looked for.
        NonNull::new(unsafe { ffi::authrs_watch_channels() }).map(Self)
    }
}

impl Drop for HangupSubscription {
    fn drop(&mut self) {
        // SAFETY: the subscription is ours, and ends here and nowhere else.
        unsafe { ffi::authrs_unsubscribe(self.0.as_ptr()) }
    }
}

#[no_mangle]
unsafe extern "C" fn authrs_channel_ended(unique_id: *const c_char) {
    guard((), || {
        // SAFETY: a NUL-terminated string that lives as long as this call.
        let unique_id = unsafe { CStr::from_ptr(unique_id) };
        if let Some(ended) = ENDED.get() {
            ended(unique_id.to_bytes());
        }
    });
}
