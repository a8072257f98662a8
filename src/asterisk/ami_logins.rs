//! Users of AMI sessions. Asterisk offers an action no name of its user, but raises a
//! security event at each login, with the address of the session in memory.
//!
//! A session that ends raises nothing, and the next one may be at the same address, so a
//! login counts only while its connection is open. Sessions with HTTP digest
//! authentication, and those that are older than our subscription, have no user.

use std::collections::VecDeque;
use std::ffi::c_char;
use std::fs;
use std::net::{IpAddr, SocketAddr};
use std::ptr::NonNull;
use std::sync::{Condvar, Mutex};
use std::time::Duration;

use pinset::admin::tcp_table::has_peer;
use pinset::audit::change::AmiUser;

use super::c_string;
use super::panic::guard;
use crate::ffi;
use crate::sync::lock::{lock, wait_while};

/// Most logins that are kept, the latest.
const MAX_LOGINS: usize = 1000;

/// How long an action waits for the event of its session's login: it is sent before the
/// action is read, by another thread.
const LOGIN_WAIT: Duration = Duration::from_millis(250);

/// The kernel's tables of our connections.
const TCP_TABLES: [&str; 2] = ["/proc/self/net/tcp", "/proc/self/net/tcp6"];

struct Login {
    /// The address of the session in memory, never followed.
    session: usize,
    user: AmiUser,
}

static LOGINS: Mutex<VecDeque<Login>> = Mutex::new(VecDeque::new());
static LOGIN_ADDED: Condvar = Condvar::new();

/// A subscription to all logins. Dropped, it waits for the last report to be over.
struct LoginSubscription(NonNull<ffi::stasis_subscription>);

// SAFETY: Asterisk allows any thread to end a subscription.
unsafe impl Send for LoginSubscription {}

impl Drop for LoginSubscription {
    fn drop(&mut self) {
        // SAFETY: the subscription is ours, and ends here and nowhere else.
        unsafe { ffi::authrs_unsubscribe(self.0.as_ptr()) }
    }
}

static SUBSCRIPTION: Mutex<Option<LoginSubscription>> = Mutex::new(None);

/// Begins to note logins. If that fails, no session has a user.
pub(crate) fn start() {
    let mut subscription = lock(&SUBSCRIPTION);
    if subscription.is_none() {
        // SAFETY: no arguments, and NULL is looked for.
        *subscription = NonNull::new(unsafe { ffi::authrs_watch_logins() }).map(LoginSubscription);
    }
}

/// Stops to note logins, and forgets those that were.
pub(crate) fn shutdown() {
    let subscription = lock(&SUBSCRIPTION).take();
    drop(subscription);
    *lock(&LOGINS) = VecDeque::new();
}

/// Returns the user of a session that runs an action, or `None` if that is not certain.
pub(super) fn user_of(session: *const ffi::mansession) -> Option<AmiUser> {
    // SAFETY: Asterisk lends us the session until the action returns.
    let session = unsafe { ffi::authrs_manager_session(session) }.addr();
    let user = wait_for_login(session, None)?;
    if is_connected(&user.address) {
        return Some(user);
    }
    // That session has ended, and the login of the one at its address is on its way.
    let user = wait_for_login(session, Some(&user))?;
    is_connected(&user.address).then_some(user)
}

/// Returns the user of the last login of a session, if there is one within the time that
/// is not `ended`.
fn wait_for_login(session: usize, ended: Option<&AmiUser>) -> Option<AmiUser> {
    let mut user = None;
    let (_logins, _) = wait_while(&LOGIN_ADDED, lock(&LOGINS), LOGIN_WAIT, |logins| {
        let mut logins = logins.iter();
        let login = logins.find(|login| login.session == session);
        let found = login.map(|login| &login.user);
        user = found.filter(|found| Some(*found) != ended).cloned();
        user.is_none()
    });
    user
}

/// Returns whether a connection from `IPV4/TCP/127.0.0.1/41234` is open.
fn is_connected(address: &str) -> bool {
    let mut parts = address.rsplit('/');
    let port = parts.next().and_then(|port| port.parse().ok());
    let ip = parts.next().and_then(|ip| ip.parse::<IpAddr>().ok());
    let Some((ip, port)) = ip.zip(port) else {
        return false;
    };
    TCP_TABLES.iter().any(|path| {
        fs::read_to_string(path).is_ok_and(|table| has_peer(&table, SocketAddr::new(ip, port)))
    })
}

#[no_mangle]
unsafe extern "C" fn authrs_ami_login(
    session: *const c_char,
    user: *const c_char,
    address: *const c_char,
) {
    guard((), || {
        // SAFETY: NUL-terminated strings that live as long as this call.
        let texts = [session, user, address].map(|text| unsafe { c_string::lent(text) });
        let [session, name, address] = texts.map(|text| String::from_utf8_lossy(text).into_owned());
        let Some(Ok(session)) = session
            .strip_prefix("0x")
            .map(|digits| usize::from_str_radix(digits, 16))
        else {
            return;
        };
        let mut logins = lock(&LOGINS);
        logins.retain(|login| login.session != session);
        logins.truncate(MAX_LOGINS - 1);
        let user = AmiUser { name, address };
        logins.push_front(Login { session, user });
        LOGIN_ADDED.notify_all();
    });
}
