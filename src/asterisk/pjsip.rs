//! Addresses of phones, from `chan_pjsip`.
//!
//! Asterisk asks the thread that handles the phone's messages, and its configuration,
//! which may be in an external database. Both may take long, so this runs on threads of
//! ours.

use std::ffi::CStr;

use pinset::audit::{Remote, Transport};
use thiserror::Error;

use super::c_string::Text;
use super::modules;
use crate::ffi;

/// The modules that [`check_authentication`] needs.
const AUTHENTICATOR: &CStr = c"res_pjsip_authenticator_digest.so";
const FUNCTION: &CStr = c"func_pjsip_endpoint.so";

/// Returns the address from which the call of the channel with this unique id comes, or
/// `None` if it is unknown, or the call goes to the phone.
pub(crate) fn remote(channel: &[u8]) -> Option<Remote> {
    let address = read(channel, b"CHANNEL(pjsip,remote_addr)")?;
    let uri = read(channel, b"CHANNEL(pjsip,target_uri)");
    let transport = Transport::of_uri(&uri.unwrap_or_default());
    Remote::new(std::str::from_utf8(&address).ok()?, transport)
}

/// Returns our address to which the call has come; `0.0.0.0:0` if it is unknown.
pub(crate) fn local(channel: &[u8]) -> String {
    let address = read(channel, b"CHANNEL(pjsip,local_addr)");
    let address = address.and_then(|address| String::from_utf8(address).ok());
    address.unwrap_or_else(|| "0.0.0.0:0".to_owned())
}

/// Why the address of a phone can't be trusted.
#[derive(Debug, Error)]
pub(crate) enum AuthenticationError {
    /// A module that is needed to know does not run.
    #[error("{} does not run", .0.to_string_lossy())]
    NotRunning(&'static CStr),
    /// The name of the endpoint can't be an argument of a function.
    #[error("its name can't be asked for")]
    UnsafeName,
    /// The endpoint needs no authentication.
    #[error("no 'auth', so anybody may have sent its calls")]
    NoAuth,
}

/// Checks whether calls of this endpoint are challenged, and with them their addresses:
/// a nonce is valid only for the address to which it was sent.
///
/// # Errors
///
/// Fails if they are not, or that is unknown.
pub(crate) fn check_authentication(
    endpoint: &[u8],
    channel: &[u8],
) -> Result<(), AuthenticationError> {
    for module in [AUTHENTICATOR, FUNCTION] {
        let mut runs = false;
        modules::while_running(module, &mut || runs = true);
        if !runs {
            return Err(AuthenticationError::NotRunning(module));
        }
    }
    // Characters that would end the argument.
    if endpoint.iter().any(|byte| b",()\"\\".contains(byte)) {
        return Err(AuthenticationError::UnsafeName);
    }
    let function = [b"PJSIP_ENDPOINT(", endpoint, b",auth)"].concat();
    match read(channel, &function) {
        Some(_) => Ok(()),
        None => Err(AuthenticationError::NoAuth),
    }
}

/// Returns the value of a dialplan function for the channel of this unique id, which may
/// be in use by its own thread. Returns `None` if the value is empty, there is no such
/// channel, or the function fails, which Asterisk logs.
fn read(channel: &[u8], function: &[u8]) -> Option<Vec<u8>> {
    let (channel, function) = (Text::new(channel), Text::new(function));
    let mut buffer = [0_u8; 256];
    // SAFETY: two NUL-terminated strings, which are copied, and a buffer of our own
    // of the size given. The channel is referenced inside, and not locked by us.
    let failed = unsafe {
        ffi::authrs_read_of(
            channel.as_c().as_ptr(),
            function.as_c().as_ptr(),
            buffer.as_mut_ptr().cast(),
            buffer.len(),
        )
    };
    let value = CStr::from_bytes_until_nul(&buffer).ok()?.to_bytes();
    (failed == 0 && !value.is_empty()).then(|| value.to_vec())
}
