//! The dialplan application: its name, and the calls that run it.

use std::ffi::{c_char, c_int, CStr};
use std::panic::{self, AssertUnwindSafe};
use std::ptr::NonNull;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::OnceLock;

use pinset::Next;

use super::boundary::guard;
use super::channel::Channel;
use super::host::Call;
use super::log::log;
use crate::ffi;

const APPLICATION: &CStr = c"Authenticate";

/// What the application does with a call and the text between its parentheses.
pub type Application = fn(&mut Call<'_>, &[u8]) -> Next;

static RUN: OnceLock<Application> = OnceLock::new();

/// Calls inside the application. Asterisk refuses a plain unload by its own
/// count; this one refuses a forced one too, which would take the code away
/// from under them.
static INSIDE: AtomicUsize = AtomicUsize::new(0);

/// Whether another module has the name.
pub fn is_taken() -> bool {
    // SAFETY: a static name; the pointer returned is only looked at.
    !unsafe { ffi::pbx_findapp(APPLICATION.as_ptr()) }.is_null()
}

/// Registers the application; false if Asterisk has said in its log why not.
pub fn register(run: Application) -> bool {
    RUN.get_or_init(|| run);
    // SAFETY: the function and the module stay until `unregister`; without
    // synopsis and description, Asterisk takes both from the XML documentation.
    unsafe {
        ffi::ast_register_application2(
            APPLICATION.as_ptr(),
            Some(exec),
            std::ptr::null(),
            std::ptr::null(),
            ffi::authrs_self().cast(),
        ) == 0
    }
}

/// Takes back [`register`]. Asterisk goes by the name alone, so only for who
/// has registered it.
pub fn unregister() {
    // SAFETY: a static name.
    unsafe { ffi::ast_unregister_application(APPLICATION.as_ptr()) };
}

/// Whether any call is inside the application.
pub fn has_calls() -> bool {
    INSIDE.load(Ordering::SeqCst) > 0
}

/// A call inside the application.
struct Inside;

impl Inside {
    fn enter() -> Self {
        INSIDE.fetch_add(1, Ordering::SeqCst);
        Self
    }
}

impl Drop for Inside {
    fn drop(&mut self) {
        INSIDE.fetch_sub(1, Ordering::SeqCst);
    }
}

/// The application on a channel: 0 to go on, −1 to hang up. Anything else
/// would make the PBX jump (`main/pbx.c`).
unsafe extern "C" fn exec(channel: *mut ffi::ast_channel, data: *const c_char) -> c_int {
    let _inside = Inside::enter();
    guard(-1, || {
        let (Some(raw), Some(run)) = (NonNull::new(channel), RUN.get()) else {
            return -1;
        };
        let data = if data.is_null() {
            b""
        } else {
            // SAFETY: the dialplan's text, NUL-terminated, which Asterisk
            // keeps until the application returns.
            unsafe { CStr::from_ptr(data) }.to_bytes()
        };
        // SAFETY: Asterisk lends us the channel until we return, on the thread
        // that serves it.
        let mut call = Call::new(unsafe { Channel::borrow(raw) });
        match panic::catch_unwind(AssertUnwindSafe(|| run(&mut call, data))) {
            Ok(Next::Continue) => 0,
            Ok(Next::HangUp) => -1,
            Err(_) => {
                call.fail();
                log!(Error, "{} is refused", call.name());
                -1
            }
        }
    })
}
