//! AMI events, and Asterisk's security events.

use std::ptr::NonNull;

use pinset::audit::{Remote, Transport};

use super::c_string::Text;
use crate::ffi;

/// Sends an AMI event of class `security`. No value may hold a line break, and all must
/// be UTF-8: Asterisk escapes nothing.
pub(crate) fn publish<'a>(name: &str, fields: impl IntoIterator<Item = (&'a str, &'a str)>) {
    let Some(json) = Json::object() else { return };
    for (key, value) in fields {
        json.set(key, value);
    }
    let (name, class) = (Text::new(name.as_bytes()), ffi::EVENT_FLAG_SECURITY);
    let class = i32::try_from(class).unwrap_or_default();
    // SAFETY: the name is copied; Asterisk takes a reference of its own to the
    // object.
    unsafe { ffi::ast_manager_publish_event(name.as_c().as_ptr(), class, json.0.as_ptr()) }
}

/// A JSON object, whose reference is ours.
struct Json(NonNull<ffi::ast_json>);

impl Json {
    fn object() -> Option<Self> {
        // SAFETY: no arguments, and NULL is looked for.
        NonNull::new(unsafe { ffi::ast_json_object_create() }).map(Self)
    }

    fn set(&self, key: &str, value: &str) {
        let (key, value) = (Text::new(key.as_bytes()), Text::new(value.as_bytes()));
        // SAFETY: the texts are copied; the object is ours, and takes over the
        // value, NULL included.
        unsafe {
            let value = ffi::ast_json_string_create(value.as_c().as_ptr());
            ffi::ast_json_object_set(self.0.as_ptr(), key.as_c().as_ptr(), value);
        }
    }
}

impl Drop for Json {
    fn drop(&mut self) {
        // SAFETY: the reference is ours and is given back once.
        unsafe { ffi::ast_json_unref(self.0.as_ptr()) }
    }
}

/// Reports a right or a wrong PIN of a phone as a security event of Asterisk. `account`
/// and `session` must hold no `"` and no line break: the logger escapes nothing. Returns
/// false if that fails.
pub(crate) fn report(
    admitted: bool,
    account: &str,
    session: &str,
    local: &str,
    remote: Remote,
) -> bool {
    let texts = [account, session, local, &remote.address.to_string()];
    let [account, session, local, address] = texts.map(|text| Text::new(text.as_bytes()));
    let transport = match remote.transport {
        Transport::Udp => ffi::AST_TRANSPORT_UDP,
        Transport::Tcp => ffi::AST_TRANSPORT_TCP,
        Transport::Tls => ffi::AST_TRANSPORT_TLS,
        Transport::Ws => ffi::AST_TRANSPORT_WS,
        Transport::Wss => ffi::AST_TRANSPORT_WSS,
    };
    // SAFETY: NUL-terminated texts, all of them copied.
    unsafe {
        ffi::authrs_security_event(
            admitted.into(),
            account.as_c().as_ptr(),
            session.as_c().as_ptr(),
            local.as_c().as_ptr(),
            address.as_c().as_ptr(),
            transport,
        ) == 0
    }
}
