//! Strings to and from C.

use std::ffi::{c_char, CStr};

use zeroize::Zeroizing;

/// A NUL-terminated string, wiped when dropped: it may hold a PIN.
pub(crate) struct Text(Zeroizing<Vec<u8>>);

impl Text {
    /// Copies `bytes` up to their first NUL.
    pub(crate) fn new(bytes: &[u8]) -> Self {
        let mut text = Zeroizing::new(Vec::with_capacity(bytes.len() + 1));
        text.extend(bytes.iter().take_while(|byte| **byte != 0));
        text.push(0);
        Self(text)
    }

    /// Returns it for C.
    pub(crate) fn as_c(&self) -> &CStr {
        CStr::from_bytes_until_nul(&self.0).unwrap_or_default()
    }
}

/// Returns the bytes of a string that Asterisk lends us; none for NULL.
///
/// # Safety
///
/// `text` is NULL, or NUL-terminated and not changed for the lifetime chosen.
pub(crate) unsafe fn lent<'a>(text: *const c_char) -> &'a [u8] {
    if text.is_null() {
        return b"";
    }
    // SAFETY: so the caller says.
    unsafe { CStr::from_ptr(text) }.to_bytes()
}
