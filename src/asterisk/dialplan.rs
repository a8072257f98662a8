//! The dialplan application: its name, and the calls that run it.

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
pub struct Application {
    /// What it does with a call and the text between its parentheses.
    pub run: fn(&mut Call<'_>, &[u8]) -> Next,
    /// Starts a prompt from the web.
    pub start_url: StartUrl,
}

static APPLICATION: OnceLock<Application> = OnceLock::new();

/// Whether it is one of these times now, as Asterisk understands them.
pub fn is_time(times: &Times) -> bool {
    let text = Text::new(times.as_str().as_bytes());
    // SAFETY: a NUL-terminated string, read before the call returns.
    let is = unsafe { ffi::authrs_is_time(text.as_c().as_ptr()) };
    if is != 0 && is != 1 {
        log!(
            Error,
            "times = {}: Asterisk takes it for none",
            times.as_str()
        );
    }
    is == 1
}

/// Whether another module has the name.
pub fn is_taken() -> bool {
    // SAFETY: a static name; the pointer returned is only looked at.
    !unsafe { ffi::pbx_findapp(NAME.as_ptr()) }.is_null()
}

/// Registers the application; false if Asterisk has said in its log why not.
pub fn register(application: Application) -> bool {
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

/// How long a call may take from the dialplan's look-up of the application to
/// the application itself. It is some tens of microseconds of work.
const ON_THE_WAY: Duration = Duration::from_millis(50);

/// Takes back [`register`], unless a call is inside: then false.
///
/// A call that has looked the application up and is on its way to it is counted
/// nowhere yet, and unregistering frees under it what it has looked up. So
/// nobody may look anything up while we wait for who is on the way to arrive.
pub fn unregister() -> bool {
    let Some(_still) = Still::new() else {
        return false;
    };
    std::thread::sleep(ON_THE_WAY);
    if in_flight::any() {
        return false;
    }
    // SAFETY: a static name, ours since `register`; Asterisk goes by the name
    // alone. It takes the lock that we hold anew, which it may.
    unsafe { ffi::ast_unregister_application(NAME.as_ptr()) };
    true
}

/// The dialplan stands still: no call looks up its next step.
struct Still;

impl Still {
    /// `None`: the lock can't be had.
    fn new() -> Option<Self> {
        // SAFETY: Asterisk's lock on its contexts, which is recursive, taken
        // by its own unregistering in the same order behind the module list.
        (unsafe { ffi::ast_wrlock_contexts() } == 0).then_some(Self)
    }
}

impl Drop for Still {
    fn drop(&mut self) {
        // SAFETY: taken by this thread in `new`.
        unsafe { ffi::ast_unlock_contexts() };
    }
}

/// The application on a channel: 0 to go on, −1 to hang up. Anything else
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
