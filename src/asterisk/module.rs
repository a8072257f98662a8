//! What Asterisk calls: load, unload, reload, and the application. Each goes
//! through [`guard`], the one boundary that no panic passes.

use std::ffi::{c_char, c_int, CStr};
use std::panic::{self, AssertUnwindSafe, PanicHookInfo};
use std::ptr::NonNull;
use std::sync::atomic::{AtomicUsize, Ordering};

use pinset::Next;

use super::channel::Channel;
use super::host::Call;
use super::log::log;
use super::{log as logger, sound, worker};
use crate::{application, ffi, one_time};

const APPLICATION: &CStr = c"Authenticate";

/// `authrs-built-for:MAJOR:SUM`: the Asterisk whose headers this was built
/// with. `packaging/install.sh` looks for it in the module's file.
const BUILT_FOR: &str = env!("AUTHRS_BUILT_FOR");

/// Calls inside the application. Asterisk refuses a plain unload by its own
/// count; this one refuses a forced one too, which would take the code away
/// from under them.
static INSIDE: AtomicUsize = AtomicUsize::new(0);

/// Runs `work`; a panic ends here, and `otherwise` is returned.
pub fn guard<T>(otherwise: T, work: impl FnOnce() -> T) -> T {
    panic::catch_unwind(AssertUnwindSafe(work)).unwrap_or(otherwise)
}

/// A panic's message may hold anything, so only its place is logged.
fn log_panic(panic: &PanicHookInfo<'_>) {
    match panic.location() {
        Some(place) => log!(Error, "internal error at {place}: please report it"),
        None => log!(Error, "internal error: please report it"),
    }
}

/// Loads the module. Whatever is wrong, it declines: a failure at boot would
/// end Asterisk. The application is registered last, so that nothing is left
/// of a load that failed.
#[no_mangle]
extern "C" fn authrs_load() -> c_int {
    panic::set_hook(Box::new(log_panic));
    let loaded = guard(false, || {
        if !fits() || is_taken() {
            return false;
        }
        one_time::start();
        // SAFETY: a function of ours, taken back when the module is unloaded.
        // Should it not be registered, the scheduler's thread ends with the
        // process.
        unsafe { ffi::ast_register_atexit(Some(at_exit)) };
        register()
    });
    if !loaded {
        guard((), clear);
        return c_int::try_from(ffi::AST_MODULE_LOAD_DECLINE).unwrap_or(1);
    }
    c_int::try_from(ffi::AST_MODULE_LOAD_SUCCESS).unwrap_or(0)
}

/// Whether this Asterisk is of the version we were built for. The build sum,
/// which Asterisk has compared before, is the same in all of them.
fn fits() -> bool {
    // SAFETY: a static string of Asterisk's.
    let running = unsafe { CStr::from_ptr(ffi::ast_get_version()) }.to_string_lossy();
    // The black box keeps the text whole in the module's file.
    let built_for = std::hint::black_box(BUILT_FOR).split(':').nth(1);
    let fits = built_for.is_some() && major(&running) == built_for;
    if !fits {
        log!(
            Error,
            "built for Asterisk {}, this is Asterisk {running}: not loaded",
            built_for.unwrap_or_default()
        );
    }
    fits
}

/// The major version in `22.10.1`, `certified-20.7-cert3`, `GIT-22-1a2b3c`.
fn major(version: &str) -> Option<&str> {
    let number = ["certified-", "certified/", "GIT-"]
        .iter()
        .find_map(|prefix| version.strip_prefix(prefix))
        .unwrap_or(version);
    let end = number
        .find(|c: char| !c.is_ascii_digit())
        .unwrap_or(number.len());
    number.get(..end).filter(|digits| !digits.is_empty())
}

/// Whether another module has the name.
fn is_taken() -> bool {
    // SAFETY: a static name; the pointer returned is only looked at.
    let taken = !unsafe { ffi::pbx_findapp(APPLICATION.as_ptr()) }.is_null();
    if taken {
        log!(
            Error,
            "there is an Authenticate already: put 'noload = app_authenticate.so' into modules.conf"
        );
    }
    taken
}

fn register() -> bool {
    // SAFETY: the function and the module stay until `unregister`; without
    // synopsis and description, Asterisk takes both from the XML documentation.
    unsafe {
        ffi::ast_register_application2(
            APPLICATION.as_ptr(),
            Some(authrs_exec),
            std::ptr::null(),
            std::ptr::null(),
            ffi::authrs_self().cast(),
        ) == 0
    }
}

/// Unloads the module, unless a call is inside or a download runs.
#[no_mangle]
extern "C" fn authrs_unload() -> c_int {
    guard(-1, || {
        if busy() {
            return -1;
        }
        // SAFETY: a static name, ours since `register`.
        unsafe { ffi::ast_unregister_application(APPLICATION.as_ptr()) };
        // A call may have come in since we looked; no other can any more.
        if busy() && register() {
            return -1;
        }
        clear();
        0
    })
}

fn busy() -> bool {
    INSIDE.load(Ordering::SeqCst) > 0 || worker::any()
}

/// Leaves no thread, no memory and no hook behind.
fn clear() {
    // SAFETY: a function of ours, registered or not.
    unsafe { ffi::ast_unregister_atexit(Some(at_exit)) };
    one_time::stop();
    worker::join_all();
    sound::forget();
    logger::forget();
    drop(panic::take_hook());
}

/// Asterisk ends: its database is about to be closed.
extern "C" fn at_exit() {
    guard((), one_time::stop);
}

/// Nothing is configured yet; what was said once may be said again, and
/// missing sounds are warned about anew.
#[no_mangle]
extern "C" fn authrs_reload() -> c_int {
    guard(-1, || {
        sound::forget();
        logger::forget();
        0
    })
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

/// `Authenticate(data)` on a channel: 0 to go on, −1 to hang up. Anything
/// else would make the PBX jump (`main/pbx.c`).
unsafe extern "C" fn authrs_exec(channel: *mut ffi::ast_channel, data: *const c_char) -> c_int {
    let _inside = Inside::enter();
    guard(-1, || {
        let Some(raw) = NonNull::new(channel) else {
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
        let next = panic::catch_unwind(AssertUnwindSafe(|| {
            application::authenticate(&mut call, data)
        }));
        match next {
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
