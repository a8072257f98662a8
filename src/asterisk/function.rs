//! The dialplan function `AUTHENTICATE_VERIFY()`: its registration, and the calls that
//! read it.

use std::ffi::{c_char, c_int};
use std::panic::{self, AssertUnwindSafe};
use std::ptr::NonNull;
use std::sync::OnceLock;
use std::time::Duration;

use pinset::verify::ServiceChannel;
use pinset::{Grant, Status};
use zeroize::Zeroizing;

use super::c_string;
use super::call::{announce, OutcomeObserver, ATTEMPTS, CLEARED, STATUS};
use super::channel::{Autoservice, Channel, TooLong};
use super::in_flight::CallGuard;
use super::panic::guard;
use crate::ffi;

/// Returns the value of the function for a call and the text between its parentheses,
/// and the number of verified attempts.
pub(crate) type Function = fn(&mut FunctionCall<'_>, &[u8]) -> (Status, u32);

static RUN: OnceLock<Function> = OnceLock::new();

/// Registers the function. Returns false if that fails, which Asterisk logs.
pub(crate) fn register(run: Function) -> bool {
    RUN.get_or_init(|| run);
    // SAFETY: the shim registers a static of its own.
    unsafe { ffi::authrs_function_register() == 0 }
}

/// Takes back [`register`]. A call that has found the function before may still read it.
pub(crate) fn unregister() {
    // SAFETY: the shim unregisters a static of its own, registered or not.
    unsafe { ffi::authrs_function_unregister() };
}

/// A call that reads the function. Its caller is not asked for anything.
pub(crate) struct FunctionCall<'call> {
    channel: Channel<'call>,
    /// Set while we wait and Asterisk services the channel: this thread may not be the
    /// channel's.
    service: Option<Autoservice<'call>>,
    observer: Option<Box<dyn OutcomeObserver>>,
}

impl<'call> FunctionCall<'call> {
    /// Wraps a channel, and fails closed: the status is `ERROR`, and nothing is left of
    /// an earlier verdict.
    fn new(mut channel: Channel<'call>) -> Self {
        channel.fail_closed(STATUS, c"ERROR", &CLEARED, false);
        Self {
            channel,
            service: None,
            observer: None,
        }
    }

    /// Returns the channel's name.
    pub(crate) fn name(&self) -> String {
        self.channel.name()
    }

    /// Sets the observer of the outcome.
    pub(crate) fn observe(&mut self, observer: impl OutcomeObserver + 'static) {
        observer.begins(&self.channel);
        self.observer = Some(Box::new(observer));
    }

    /// Returns its place in the dialplan: `context,extension,priority`.
    pub(crate) fn place(&self) -> String {
        self.channel.place()
    }

    /// Returns the caller number, if there is one.
    pub(crate) fn caller_number(&self) -> Option<Vec<u8>> {
        self.channel.caller_number()
    }

    /// Removes a variable and returns its value, or `None` if there is no such variable.
    ///
    /// # Errors
    ///
    /// Fails if the value is longer than any PIN.
    pub(crate) fn take_variable(
        &mut self,
        name: &[u8],
    ) -> Result<Option<Zeroizing<Vec<u8>>>, TooLong> {
        self.channel.take_variable(name)
    }

    fn settle(&mut self, status: Status, attempts: u32) {
        self.service = None;
        self.channel
            .set_variable(ATTEMPTS, attempts.to_string().as_bytes());
        self.channel.set_variable(STATUS, status.word().as_bytes());
        self.report(status, attempts);
    }

    fn report(&self, status: Status, attempts: u32) {
        if let Some(observer) = &self.observer {
            observer.verdict(&self.channel, status, attempts);
        }
    }

    /// Sets the variables with the account, level and context of a PIN.
    pub(crate) fn announce(&mut self, grant: &Grant) {
        self.service = None;
        if let Some(observer) = &self.observer {
            observer.admitted(grant);
        }
        announce(&mut self.channel, grant);
    }
}

impl ServiceChannel for FunctionCall<'_> {
    fn listen(&mut self, milliseconds: i32) -> bool {
        if self.service.is_none() {
            self.service = Some(self.channel.autoservice());
        }
        let time = u64::try_from(milliseconds).unwrap_or_default();
        std::thread::sleep(Duration::from_millis(time));
        !self.channel.is_gone()
    }
}

/// Reads the function. Returns 0, and the status in `buffer`.
#[no_mangle]
unsafe extern "C" fn authrs_verify(
    channel: *mut ffi::ast_channel,
    _name: *const c_char,
    data: *mut c_char,
    buffer: *mut c_char,
    size: usize,
) -> c_int {
    let _in_flight = CallGuard::enter();
    guard(-1, || {
        let (Some(raw), Some(run)) = (NonNull::new(channel), RUN.get()) else {
            return -1;
        };
        // SAFETY: the dialplan's text, NUL-terminated, which Asterisk keeps until
        // the function returns.
        let data = unsafe { c_string::lent(data) };
        // SAFETY: Asterisk lends us the channel until we return. We read no frames from
        // it: Asterisk's autoservice knows which thread may.
        let mut call = FunctionCall::new(unsafe { Channel::borrow(raw) });
        let run = AssertUnwindSafe(|| run(&mut call, data));
        let Ok((status, attempts)) = panic::catch_unwind(run) else {
            call.report(Status::Error, 0);
            return -1;
        };
        call.settle(status, attempts);
        let word = status.word().as_bytes();
        if word.len() >= size || buffer.is_null() {
            return -1;
        }
        // SAFETY: Asterisk's buffer, of that size: the word and its end fit.
        unsafe {
            std::ptr::copy_nonoverlapping(word.as_ptr().cast(), buffer, word.len());
            buffer.add(word.len()).write(0);
        }
        0
    })
}
