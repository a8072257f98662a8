//! A signal between threads that `poll` sees.

use std::os::fd::OwnedFd;

use rustix::event::{eventfd, EventfdFlags};

/// Makes one that is not raised.
pub(super) fn new() -> std::io::Result<OwnedFd> {
    Ok(eventfd(0, EventfdFlags::CLOEXEC | EventfdFlags::NONBLOCK)?)
}

/// Makes it readable, until [`clear`].
pub(super) fn raise(signal: &OwnedFd) {
    // It fails only if it is readable already.
    let _ = rustix::io::write(signal, &1_u64.to_ne_bytes());
}

/// Makes it readable no more.
pub(super) fn clear(signal: &OwnedFd) {
    let mut count = [0; 8];
    // It fails only if it is not readable.
    let _ = rustix::io::read(signal, &mut count);
}
