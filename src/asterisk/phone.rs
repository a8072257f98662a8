//! Where a phone's messages come from, as `chan_pjsip` knows it. It is asked on
//! the thread that handles them, which may take a moment.

use pinset::audit::{Remote, Transport};

use super::channel::Channel;

/// The address a phone's messages come from.
pub fn remote(channel: &Channel<'_>) -> Option<Remote> {
    let address = channel.read(c"CHANNEL(pjsip,remote_addr)")?;
    let uri = channel.read(c"CHANNEL(pjsip,target_uri)");
    let transport = Transport::of_uri(&uri.unwrap_or_default());
    Remote::new(std::str::from_utf8(&address).ok()?, transport)
}

/// The address of ours they go to; `0.0.0.0:0` if nobody knows.
pub fn local(channel: &Channel<'_>) -> String {
    let address = channel.read(c"CHANNEL(pjsip,local_addr)");
    let address = address.and_then(|address| String::from_utf8(address).ok());
    address.unwrap_or_else(|| "0.0.0.0:0".to_owned())
}
