//! Safe wrappers of what crate `curl` leaves out of libcurl.

use std::ffi::CStr;
use std::ops::Deref;

use curl::easy::Easy2;
use curl::multi::Multi;

/// Transfers that share their connections. Without callbacks of its own, it may be moved
/// from one thread to another, which happens under a lock.
pub(crate) struct Transfers(Multi);

// SAFETY: libcurl lets any thread use a multi handle, one at a time, which is
// what `Send` without `Sync` says. Its socket and timer callbacks, which might be
// bound to a thread, are never set: `Multi` is handed out as `&Multi` only, and
// setting them takes `&mut`.
unsafe impl Send for Transfers {}

impl Transfers {
    /// Creates a handle without transfers.
    pub(crate) fn new() -> Self {
        Self(Multi::new())
    }

    /// Keeps at most `max` unused connections. If libcurl refuses, its default stays.
    pub(crate) fn keep_connections(&mut self, max: usize) {
        let _ = self.0.set_max_connects(max);
    }
}

impl Deref for Transfers {
    type Target = Multi;

    fn deref(&self) -> &Multi {
        &self.0
    }
}

/// Restricts a transfer to HTTP and HTTPS, whatever its URL or a redirect says. Returns
/// false if libcurl refuses.
pub(crate) fn only_http<H>(easy: &mut Easy2<H>) -> bool {
    let protocols = libc::c_long::from(curl_sys::CURLPROTO_HTTP | curl_sys::CURLPROTO_HTTPS);
    let options = [
        curl_sys::CURLOPT_PROTOCOLS,
        curl_sys::CURLOPT_REDIR_PROTOCOLS,
    ];
    options.into_iter().all(|option| {
        // SAFETY: the handle is ours alone; both options take a long.
        unsafe { curl_sys::curl_easy_setopt(easy.raw(), option, protocols) == curl_sys::CURLE_OK }
    })
}

/// Keeps libcurl itself in memory: a canceled transfer can leave behind a thread of
/// libcurl that looks up a name, and its code would be unmapped with our module.
pub(crate) fn stay() {
    const LIBRARY: &CStr = c"libcurl.so.4";
    // SAFETY: the library is loaded already, for we are linked with it: no code of
    // its is run. The reference is never given back.
    unsafe {
        libc::dlopen(
            LIBRARY.as_ptr(),
            libc::RTLD_LAZY | libc::RTLD_NOLOAD | libc::RTLD_NODELETE,
        );
    }
}
