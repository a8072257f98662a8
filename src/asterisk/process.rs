//! The Asterisk process: version, user, folders, and work to do when it ends.

use std::ffi::{CStr, OsStr};
use std::os::unix::ffi::OsStrExt;
use std::path::PathBuf;
use std::sync::{Mutex, OnceLock};

use nix::unistd::{Gid, Group, Uid, User};
use pinset::credential::pepper::Identity;
use pinset::permission::AsteriskUser;
use rustix::process::{getegid, geteuid};

use super::panic::guard;
use crate::ffi;
use crate::sync::lock::lock;

/// Returns its version, `22.10.1`.
pub(crate) fn version() -> String {
    // SAFETY: a static string of Asterisk's.
    let version = unsafe { CStr::from_ptr(ffi::ast_get_version()) };
    version.to_string_lossy().into_owned()
}

/// Returns the cache folder (`astcachedir`).
pub(crate) fn cache_folder() -> PathBuf {
    // SAFETY: a string of Asterisk's that is set at start and stays.
    let path = unsafe { CStr::from_ptr(ffi::ast_config_AST_CACHE_DIR) };
    PathBuf::from(OsStr::from_bytes(path.to_bytes()))
}

/// Returns a random UUID, version 4.
pub(crate) fn uuid() -> String {
    let mut buffer = [0_u8; 40];
    // SAFETY: a buffer of ours and of that size, which is ended by NUL.
    unsafe { ffi::ast_uuid_generate_str(buffer.as_mut_ptr().cast(), buffer.len()) };
    let text = CStr::from_bytes_until_nul(&buffer).unwrap_or_default();
    text.to_string_lossy().into_owned()
}

/// Returns whether Asterisk has started all its modules.
pub(crate) fn is_booted() -> bool {
    // SAFETY: reads a global of Asterisk's.
    unsafe { ffi::authrs_is_booted() != 0 }
}

/// Returns the user and the group Asterisk runs as.
pub(crate) fn identity() -> Identity {
    Identity {
        uid: geteuid().as_raw(),
        gid: getegid().as_raw(),
    }
}

/// Returns the names of [`identity`], for messages. Asterisk changes its user before it
/// loads modules, and not later.
pub(crate) fn account() -> AsteriskUser {
    let known = || lock(&ACCOUNT);
    if let Some(account) = &*known() {
        return account.clone();
    }
    // Without the lock: a directory service may be slow.
    let Identity { uid, gid } = identity();
    let user = User::from_uid(Uid::from_raw(uid)).ok().flatten();
    let group = Group::from_gid(Gid::from_raw(gid)).ok().flatten();
    let account = AsteriskUser {
        user: user.map_or_else(|| uid.to_string(), |user| user.name),
        group: group.map_or_else(|| gid.to_string(), |group| group.name),
    };
    *known() = Some(account.clone());
    account
}

static ACCOUNT: Mutex<Option<AsteriskUser>> = Mutex::new(None);

/// Clears the names, before the library is unmapped.
pub(crate) fn clear_account() {
    *lock(&ACCOUNT) = None;
}

static AT_EXIT: OnceLock<fn()> = OnceLock::new();

/// Registers `work` to be done when Asterisk ends, while its database is still open.
pub(crate) fn register_at_exit(work: fn()) {
    AT_EXIT.get_or_init(|| work);
    // SAFETY: a function of ours, taken back by `unregister_at_exit` before the code
    // is unmapped. Without memory for it, the work is not done.
    unsafe { ffi::ast_register_atexit(Some(exit)) };
}

/// Takes back [`register_at_exit`].
pub(crate) fn unregister_at_exit() {
    // SAFETY: a function of ours, registered or not.
    unsafe { ffi::ast_unregister_atexit(Some(exit)) };
}

extern "C" fn exit() {
    guard((), || {
        if let Some(work) = AT_EXIT.get() {
            work();
        }
    });
}
