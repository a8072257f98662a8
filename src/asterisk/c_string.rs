//! Strings on their way to C, and from there.

use std::ffi::{c_char, CStr};

use zeroize::Zeroizing;

/// Bytes with a NUL behind them, wiped when dropped: a PIN may be in them.
pub struct Text(Zeroizing<Vec<u8>>);

impl Text {
    /// Copies `bytes`, as far as their first NUL if there is one.
    pub fn new(bytes: &[u8]) -> Self {
        let mut text = Zeroizing::new(Vec::with_capacity(bytes.len() + 1));
        text.extend(bytes.iter().take_while(|byte| **byte != 0));
        text.push(0);
        Self(text)
    }

    /// The same for C.
    pub fn as_c(&self) -> &CStr {
        CStr::from_bytes_until_nul(&self.0).unwrap_or_default()
    }
}

/// The bytes of a text that Asterisk lends us; of NULL, none.
///
/// # Safety
///
/// `text` is NULL, or NUL-terminated and left alone for the lifetime chosen.
pub unsafe fn lent<'a>(text: *const c_char) -> &'a [u8] {
    if text.is_null() {
        return b"";
    }
    // SAFETY: so the caller says.
    unsafe { CStr::from_ptr(text) }.to_bytes()
}
