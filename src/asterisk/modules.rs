//! Modules of Asterisk: results of loading ours, and the state of others.

use std::ffi::{c_char, c_int, c_void, CStr};

use thiserror::Error;

use super::c_string;
use super::panic::guard;
use crate::ffi;

/// A load's result: the module is loaded.
pub(crate) const LOADED: c_int = ffi::AST_MODULE_LOAD_SUCCESS;
/// A load's result: the module is not loaded, and Asterisk goes on. A failure at start
/// would end Asterisk.
pub(crate) const DECLINED: c_int = ffi::AST_MODULE_LOAD_DECLINE;

/// Why Asterisk has not reloaded us.
#[derive(Debug, Error)]
pub(crate) enum ReloadError {
    /// Another reload runs.
    #[error("another reload is in progress: try again")]
    InProgress,
    /// Asterisk is still starting, and reloads us then.
    #[error("Asterisk is starting: the reload follows")]
    Queued,
    /// We have failed, or Asterisk does not know us.
    #[error("Asterisk has not reloaded the module")]
    Failed,
}

/// Reloads us as `module reload` does, one reload at a time. Returns once the reload is
/// over.
///
/// # Errors
///
/// Fails if there was none, or ours has failed.
pub(crate) fn reload_ours() -> Result<(), ReloadError> {
    // SAFETY: our own module, which stays while an action runs, and so does its name.
    match unsafe { ffi::ast_module_reload(ffi::ast_module_name(ffi::authrs_self())) } {
        ffi::AST_MODULE_RELOAD_SUCCESS => Ok(()),
        ffi::AST_MODULE_RELOAD_IN_PROGRESS => Err(ReloadError::InProgress),
        ffi::AST_MODULE_RELOAD_QUEUED => Err(ReloadError::Queued),
        _ => Err(ReloadError::Failed),
    }
}

struct ModuleQuery<'a> {
    name: &'a CStr,
    then: &'a mut dyn FnMut(),
}

/// Calls `then` if this module runs (`res_prometheus.so`). The module keeps running
/// meanwhile: Asterisk's lock on its modules is held, as it is while a module is
/// loaded, reloaded or unloaded.
pub(crate) fn while_running(name: &CStr, then: &mut dyn FnMut()) {
    let mut query = ModuleQuery { name, then };
    let data: *mut ModuleQuery<'_> = &raw mut query;
    // SAFETY: `look` takes the data for what it is; it is called before this
    // returns and never after.
    unsafe { ffi::ast_update_module_list_data(Some(look), std::ptr::null(), data.cast()) };
}

unsafe extern "C" fn look(
    module: *const c_char,
    _description: *const c_char,
    _uses: c_int,
    status: *const c_char,
    _like: *const c_char,
    _support: ffi::ast_module_support_level,
    data: *mut c_void,
) -> c_int {
    guard(0, || {
        // SAFETY: what `while_running` has passed, which it does not touch
        // meanwhile.
        let Some(query) = (unsafe { data.cast::<ModuleQuery<'_>>().as_mut() }) else {
            return 0;
        };
        // SAFETY: two strings of Asterisk's, which stay until we return.
        let (module, status) = unsafe { (c_string::lent(module), c_string::lent(status)) };
        // A module that is declined or being loaded is "Not Running".
        if module != query.name.to_bytes() || status != b"Running" {
            return 0;
        }
        (query.then)();
        1
    })
}
