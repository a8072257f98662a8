//! The dialplan application: its registration, and the calls that run it.

use std::ffi::{c_char, c_int, CStr};
use std::panic::{self, AssertUnwindSafe};
use std::ptr::NonNull;
use std::sync::OnceLock;
use std::time::Duration;

use pinset::call::arguments::may_be_shown;
use pinset::config::Times;
use pinset::Next;

use super::c_string::{self, Text};
use super::call::{Call, StartUrl};
use super::channel::Channel;
use super::in_flight::{self, CallGuard};
use super::log::log;
use super::panic::guard;
use crate::ffi;

const NAME: &CStr = c"Authenticate";

/// The application, as the rooms above this one implement it.
pub(crate) struct Application {
    /// Its effect on a call, with the text between its parentheses.
    pub run: fn(&mut Call<'_>, &[u8]) -> Next,
    /// Starts a prompt from the web.
    pub start_url: StartUrl,
}

static APPLICATION: OnceLock<Application> = OnceLock::new();

/// Returns whether it is one of these times now, as Asterisk interprets them.
pub(crate) fn is_time(times: &Times) -> bool {
    let text = Text::new(times.as_str().as_bytes());
    // SAFETY: a NUL-terminated string, read before the call returns.
    let is = unsafe { ffi::authrs_is_time(text.as_c().as_ptr()) };
    if is != 0 && is != 1 {
        log!(
            Error,
            "times = {}: not a valid time for Asterisk",
            times.as_str()
        );
    }
    is == 1
}

/// Returns whether another module has registered the name.
pub(crate) fn is_taken() -> bool {
    // SAFETY: a static name; the pointer returned is only looked at.
    !unsafe { ffi::pbx_findapp(NAME.as_ptr()) }.is_null()
}

/// Registers the application. Returns false if that fails, which Asterisk logs.
pub(crate) fn register(application: Application) -> bool {
    APPLICATION.get_or_init(|| application);
    // SAFETY: the function and the module stay until `unregister`; without
    // synopsis and description, Asterisk takes both from the XML documentation.
    unsafe {
        ffi::ast_register_application2(
            NAME.as_ptr(),
            Some(exec),
            std::ptr::null(),
            std::ptr::null(),
            ffi::authrs_self().cast(),
        ) == 0
    }
}

/// Longest time from the dialplan's lookup of the application until it runs. It is some
/// tens of microseconds of work.
const LOOKUP_TO_RUN: Duration = Duration::from_millis(50);

/// Takes back [`register`]. Returns false if a call is in flight.
///
/// A call that has looked up the application and does not run it yet is not counted, and
/// unregistering frees what it has looked up. So no call may look up anything while we
/// wait for such calls to arrive.
pub(crate) fn unregister() -> bool {
    let Some(_lock) = DialplanLock::new() else {
        return false;
    };
    std::thread::sleep(LOOKUP_TO_RUN);
    if in_flight::any() {
        return false;
    }
    // SAFETY: a static name, ours since `register`; Asterisk goes by the name
    // alone. It takes the lock that we hold a second time, which it may.
    unsafe { ffi::ast_unregister_application(NAME.as_ptr()) };
    true
}

/// Guard: the dialplan is locked, so no call looks up its next step.
struct DialplanLock;

impl DialplanLock {
    /// Takes the lock. Returns `None` if that fails.
    fn new() -> Option<Self> {
        // SAFETY: Asterisk's lock on its contexts, which is recursive, taken
        // by its own unregistering in the same order behind the module list.
        (unsafe { ffi::ast_wrlock_contexts() } == 0).then_some(Self)
    }
}

impl Drop for DialplanLock {
    fn drop(&mut self) {
        // SAFETY: taken by this thread in `new`.
        unsafe { ffi::ast_unlock_contexts() };
    }
}

/// Runs the application on a channel. Returns 0 to go on, −1 to hang up: anything else
/// would make the PBX jump (`main/pbx.c`).
unsafe extern "C" fn exec(channel: *mut ffi::ast_channel, data: *const c_char) -> c_int {
    let _in_flight = CallGuard::enter();
    guard(-1, || {
        let (Some(raw), Some(application)) = (NonNull::new(channel), APPLICATION.get()) else {
            return -1;
        };
        // SAFETY: the dialplan's text, NUL-terminated, which Asterisk keeps until
        // the application returns.
        let data = unsafe { c_string::lent(data) };
        // SAFETY: Asterisk lends us the channel until we return, on the thread
        // that serves it.
        let channel = unsafe { Channel::borrow(raw) };
        let mut call = Call::new(channel, application.start_url, !may_be_shown(data));
        let next = panic::catch_unwind(AssertUnwindSafe(|| (application.run)(&mut call, data)));
        if next.is_err() {
            call.fail();
            log!(Error, "{} is refused", call.name());
        }
        call.leave();
        match next {
            Ok(Next::Continue) => 0,
            Ok(Next::HangUp) => -1,
            Ok(Next::Goto(place)) if call.go_to(&place) => 0,
            Ok(Next::Goto(place)) => {
                log!(
                    Error,
                    "{} is hung up: there is no {},{},{} in the dialplan to go to",
                    call.name(),
                    place.context,
                    place.exten,
                    place.priority
                );
                -1
            }
            Err(_) => -1,
        }
    })
}
