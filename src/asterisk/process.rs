//! The running Asterisk: its version, and what is to be done when it ends.

use std::ffi::{CStr, OsStr};
use std::mem::MaybeUninit;
use std::os::unix::ffi::OsStrExt;
use std::path::PathBuf;
use std::ptr;
use std::sync::{Mutex, OnceLock, PoisonError};

use pinset::pepper::Identity;
use pinset::permission::Account;

use super::boundary::guard;
use crate::ffi;

/// Its version, `22.10.1`.
pub fn version() -> String {
    // SAFETY: a static string of Asterisk's.
    let version = unsafe { CStr::from_ptr(ffi::ast_get_version()) };
    version.to_string_lossy().into_owned()
}

/// The folder for what can be had again (`astcachedir`).
pub fn cache_folder() -> PathBuf {
    // SAFETY: a string of Asterisk's that is set at start and stays.
    let path = unsafe { CStr::from_ptr(ffi::ast_config_AST_CACHE_DIR) };
    PathBuf::from(OsStr::from_bytes(path.to_bytes()))
}

/// A random UUID, version 4.
pub fn uuid() -> String {
    let mut buffer = [0_u8; 40];
    // SAFETY: a buffer of ours and of that size, which is ended by NUL.
    unsafe { ffi::ast_uuid_generate_str(buffer.as_mut_ptr().cast(), buffer.len()) };
    let text = CStr::from_bytes_until_nul(&buffer).unwrap_or_default();
    text.to_string_lossy().into_owned()
}

/// Whether it has started all its modules.
pub fn is_booted() -> bool {
    // SAFETY: reads a global of Asterisk's.
    unsafe { ffi::authrs_is_booted() != 0 }
}

/// The user and the group it runs as.
pub fn identity() -> Identity {
    // SAFETY: both always succeed.
    let (uid, gid) = unsafe { (libc::geteuid(), libc::getegid()) };
    Identity { uid, gid }
}

/// The names of [`identity`], for messages. Asterisk changes its user before it
/// loads modules, and not later.
pub fn account() -> Account {
    let known = || ACCOUNT.lock().unwrap_or_else(PoisonError::into_inner);
    if let Some(account) = &*known() {
        return account.clone();
    }
    // Without the lock: a directory service may answer late.
    let Identity { uid, gid } = identity();
    let account = Account {
        user: user_name(uid).unwrap_or_else(|| uid.to_string()),
        group: group_name(gid).unwrap_or_else(|| gid.to_string()),
    };
    *known() = Some(account.clone());
    account
}

static ACCOUNT: Mutex<Option<Account>> = Mutex::new(None);

/// Forgets the names, before the library is unmapped.
pub fn forget_account() {
    *ACCOUNT.lock().unwrap_or_else(PoisonError::into_inner) = None;
}

/// As much as the names of a user or a group need, whoever has how many members.
const MAX_RECORD_BYTES: usize = 64 << 10;

fn user_name(uid: u32) -> Option<String> {
    let mut buffer = vec![0; MAX_RECORD_BYTES];
    let mut record = MaybeUninit::<libc::passwd>::uninit();
    let mut found = ptr::null_mut();
    // SAFETY: getpwuid_r(3): room for the record and for its texts, and their size.
    let status = unsafe {
        libc::getpwuid_r(
            uid,
            record.as_mut_ptr(),
            buffer.as_mut_ptr(),
            buffer.len(),
            &mut found,
        )
    };
    if status != 0 || found.is_null() {
        return None;
    }
    // SAFETY: it was found: `found` is the record, whose name lies in `buffer`.
    let name = unsafe { CStr::from_ptr((*found).pw_name) };
    Some(name.to_string_lossy().into_owned())
}

fn group_name(gid: u32) -> Option<String> {
    let mut buffer = vec![0; MAX_RECORD_BYTES];
    let mut record = MaybeUninit::<libc::group>::uninit();
    let mut found = ptr::null_mut();
    // SAFETY: getgrgid_r(3): room for the record and for its texts, and their size.
    let status = unsafe {
        libc::getgrgid_r(
            gid,
            record.as_mut_ptr(),
            buffer.as_mut_ptr(),
            buffer.len(),
            &mut found,
        )
    };
    if status != 0 || found.is_null() {
        return None;
    }
    // SAFETY: it was found: `found` is the record, whose name lies in `buffer`.
    let name = unsafe { CStr::from_ptr((*found).gr_name) };
    Some(name.to_string_lossy().into_owned())
}

static AT_EXIT: OnceLock<fn()> = OnceLock::new();

/// Has `work` done when Asterisk ends, while its database is still open.
pub fn at_exit(work: fn()) {
    AT_EXIT.get_or_init(|| work);
    // SAFETY: a function of ours, taken back by `forget_exit` before the code
    // goes. Should Asterisk have no memory for it, the work is not done.
    unsafe { ffi::ast_register_atexit(Some(exit)) };
}

/// Takes back [`at_exit`].
pub fn forget_exit() {
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
