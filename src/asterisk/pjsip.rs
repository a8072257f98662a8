//! Where a phone's messages come from, as `chan_pjsip` knows it.
//!
//! Asterisk asks the thread that handles them, and its configuration, which may lie
//! in a database of somebody's. Both may take long, so it is asked on a thread of
//! ours.

use std::ffi::CStr;

use pinset::audit::{Remote, Transport};

use super::c_string::Text;
use super::modules;
use crate::ffi;

/// The modules that must run for [`is_authenticated`] to be known.
const AUTHENTICATOR: &CStr = c"res_pjsip_authenticator_digest.so";
const FUNCTION: &CStr = c"func_pjsip_endpoint.so";

/// The address a phone's call has come from, of the channel of this unique id;
/// `None`: it is not known, or the call is one of ours to the phone.
pub fn remote(channel: &[u8]) -> Option<Remote> {
    let address = read(channel, b"CHANNEL(pjsip,remote_addr)")?;
    let uri = read(channel, b"CHANNEL(pjsip,target_uri)");
    let transport = Transport::of_uri(&uri.unwrap_or_default());
    Remote::new(std::str::from_utf8(&address).ok()?, transport)
}

/// The address of ours it has come to; `0.0.0.0:0` if nobody knows.
pub fn local(channel: &[u8]) -> String {
    let address = read(channel, b"CHANNEL(pjsip,local_addr)");
    let address = address.and_then(|address| String::from_utf8(address).ok());
    address.unwrap_or_else(|| "0.0.0.0:0".to_owned())
}

/// Whether calls of this endpoint are challenged, and with them their addresses:
/// a nonce holds for the address it was sent to alone.
///
/// # Errors
///
/// They are not, or that is not known, and why.
pub fn is_authenticated(endpoint: &[u8], channel: &[u8]) -> Result<(), String> {
    for module in [AUTHENTICATOR, FUNCTION] {
        let mut runs = false;
        modules::while_running(module, &mut || runs = true);
        if !runs {
            return Err(format!("{} does not run", module.to_string_lossy()));
        }
    }
    // What would end the argument.
    if endpoint.iter().any(|byte| b",()\"\\".contains(byte)) {
        return Err("its name can't be asked for".to_owned());
    }
    let function = [b"PJSIP_ENDPOINT(", endpoint, b",auth)"].concat();
    match read(channel, &function) {
        Some(_) => Ok(()),
        None => Err("it has no 'auth', so anybody may have sent its calls".to_owned()),
    }
}

/// What a function of the dialplan says of the channel of this unique id, which may
/// be in use by its own thread; `None`: nothing, there is no such channel, or
/// Asterisk has said in its log why not.
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
