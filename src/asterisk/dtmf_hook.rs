//! Hides DTMF: a frame hook consumes digits before the core emits events (AMI, ARI, CEL)
//! or log lines for them.
//!
//! A thread that waits for a digit or for the end of a sound is then signaled, as if the
//! sound had been stopped from outside, and reads the digit here.

use std::ffi::{c_int, c_void};
use std::marker::PhantomData;
use std::ptr::NonNull;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, MutexGuard};

use pinset::call::dtmf_buffer::DtmfBuffer;

use super::channel::Channel;
use super::in_flight::CallGuard;
use super::panic::guard;
use crate::ffi;
use crate::sync::lock::lock;

/// Guard: the digits of a channel are hidden. Digits that were not taken are wiped when
/// it is dropped.
pub(crate) struct HiddenDigits<'call> {
    channel: NonNull<ffi::ast_channel>,
    hook: c_int,
    shared: Arc<SharedDigits>,
    lent: PhantomData<&'call mut ffi::ast_channel>,
}

/// State that the hook and the call share.
struct SharedDigits {
    keys: Mutex<DtmfBuffer>,
    /// Number of signals that were given and not handled.
    signals: AtomicUsize,
    /// The hook may outlive the call: if the caller is on another channel by then, until
    /// a frame comes there.
    _in_flight: CallGuard,
}

impl<'call> HiddenDigits<'call> {
    /// Hides digits from now on. Returns `None` if there is not enough memory.
    pub(crate) fn new(channel: &Channel<'call>) -> Option<Self> {
        let shared = Arc::new(SharedDigits {
            keys: Mutex::default(),
            signals: AtomicUsize::new(0),
            _in_flight: CallGuard::enter(),
        });
        let channel = NonNull::new(channel.raw())?;
        let data = Arc::into_raw(Arc::clone(&shared));
        // SAFETY: the channel is valid and not locked by us. The hook's share of
        // `shared` lives until `authrs_digits_done`.
        let hook = unsafe { ffi::authrs_hide_digits(channel.as_ptr(), data.cast_mut().cast()) };
        if hook == -1 {
            // SAFETY: there is no hook: its share is ours again.
            drop(unsafe { Arc::from_raw(data) });
        }
        // With a number that means nothing, there may be one: its share stays.
        if hook < 1 {
            return None;
        }
        Some(Self {
            channel,
            hook,
            shared,
            lent: PhantomData,
        })
    }

    /// Takes the first digit that has come.
    pub(crate) fn take(&self) -> Option<u8> {
        self.shared.keys().take()
    }

    /// Handles a signal. Returns false if it was not the hook's.
    pub(crate) fn is_signal(&self) -> bool {
        let less = |signals: usize| signals.checked_sub(1);
        let signals = &self.shared.signals;
        signals
            .fetch_update(Ordering::SeqCst, Ordering::SeqCst, less)
            .is_ok()
    }
}

impl SharedDigits {
    fn keys(&self) -> MutexGuard<'_, DtmfBuffer> {
        lock(&self.keys)
    }
}

impl Drop for HiddenDigits<'_> {
    fn drop(&mut self) {
        // SAFETY: the guard lives inside the call its channel is lent for, the
        // channel is not locked by us, and the hook is the one made in `new`.
        unsafe { ffi::authrs_show_digits(self.channel.as_ptr(), self.hook) };
    }
}

/// Called when the hook has taken a digit.
#[no_mangle]
unsafe extern "C" fn authrs_digit_taken(data: *mut c_void, key: c_int) {
    guard((), || {
        // SAFETY: the hook's share, which lives as long as the hook.
        let shared = unsafe { &*data.cast::<SharedDigits>() };
        shared.keys().push(u8::try_from(key).unwrap_or_default());
        shared.signals.fetch_add(1, Ordering::SeqCst);
    });
}

/// Called when the hook is gone, and its share with it.
#[no_mangle]
unsafe extern "C" fn authrs_digits_done(data: *mut c_void) {
    guard((), || {
        // SAFETY: given to the hook by `HiddenDigits::new`; Asterisk says this once.
        drop(unsafe { Arc::from_raw(data.cast_const().cast::<SharedDigits>()) });
    });
}
