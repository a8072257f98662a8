//! Our metrics for `res_prometheus`, if it runs. We are loaded without it, so its
//! functions are looked up by name.

use std::ffi::{c_char, c_int, c_void, CStr};
use std::sync::OnceLock;

use super::c_string::Text;
use super::modules::while_running;
use super::panic::guard;
use crate::ffi;

const MODULE: &CStr = c"res_prometheus.so";

/// Returns our metrics in Prometheus' text format.
pub(crate) type Scrape = fn() -> String;

static SCRAPE: OnceLock<Scrape> = OnceLock::new();

/// `struct prometheus_callback` of `asterisk/res_prometheus.h`, which Asterisk
/// 16 does not have; it is the same since. Room as `include/shim.h` says.
#[repr(C)]
struct Callback {
    name: *const c_char,
    function: unsafe extern "C" fn(*mut *mut ffi::ast_str),
    room: [u8; ffi::AUTHRS_ROOM as usize],
}

// SAFETY: it is not written to: `res_prometheus` keeps a pointer to it, reads its
// name and calls its function, with a lock of its own held.
unsafe impl Sync for Callback {}

/// `res_prometheus` keeps a pointer to it, and no reference to our module.
static CALLBACK: Callback = Callback {
    name: c"app_authenticate_rs".as_ptr(),
    function: scraped,
    room: [0; ffi::AUTHRS_ROOM as usize],
};

/// 0 on success, −1 for a callback without a name or a function.
type Register = unsafe extern "C" fn(*const Callback) -> c_int;
type Unregister = unsafe extern "C" fn(*const Callback);

/// Registers `scrape` to be called at each scrape, if `res_prometheus` runs; only once,
/// however often this is called.
pub(crate) fn connect(scrape: Scrape) {
    SCRAPE.get_or_init(|| scrape);
    while_running(MODULE, &mut || {
        unregister();
        if let Some(register) = find(c"prometheus_callback_register") {
            // SAFETY: a function of this type, in a module that runs and goes
            // on running meanwhile. What it is given stays until `disconnect`.
            unsafe { std::mem::transmute::<*mut c_void, Register>(register)(&raw const CALLBACK) };
        }
    });
}

/// Takes back [`connect`]: no scrape runs then, nor will any.
pub(crate) fn disconnect() {
    while_running(MODULE, &mut unregister);
}

/// Unregisters the callback while `res_prometheus` runs, and waits for a running scrape.
fn unregister() {
    if let Some(unregister) = find(c"prometheus_callback_unregister") {
        // SAFETY: as in `connect`. It goes by the name alone, ours or not there.
        unsafe { std::mem::transmute::<*mut c_void, Unregister>(unregister)(&raw const CALLBACK) };
    }
}

/// Looks up a function that a module offers to all others, on behalf of Asterisk:
/// otherwise the dynamic linker would note that we need that module, keep it mapped when
/// it is unloaded, and unmap it with us when it runs again.
fn find(name: &CStr) -> Option<*mut c_void> {
    // SAFETY: NULL stands for Asterisk itself, which stays; the address is not
    // used unless it is there.
    let found = unsafe {
        let asterisk = libc::dlopen(std::ptr::null(), libc::RTLD_LAZY);
        if asterisk.is_null() {
            return None;
        }
        let found = libc::dlsym(asterisk, name.as_ptr());
        libc::dlclose(asterisk);
        found
    };
    (!found.is_null()).then_some(found)
}

unsafe extern "C" fn scraped(output: *mut *mut ffi::ast_str) {
    guard((), || {
        let Some(scrape) = SCRAPE.get() else {
            return;
        };
        let text = Text::new(scrape().as_bytes());
        // SAFETY: Asterisk's buffer, which grows as it must; the text is copied.
        unsafe { ffi::authrs_metrics_append(output, text.as_c().as_ptr()) };
    });
}
