//! Sounds from a URL, through Asterisk's media cache. The download blocks, so
//! a worker does it, and the call waits no longer than [`PATIENCE`].

use std::collections::BTreeMap;
use std::ffi::CStr;
use std::sync::{Arc, Mutex, OnceLock, PoisonError};
use std::time::Duration;

use super::boundary::guard;
use super::text::Text;
use super::worker;
use crate::ffi;

/// How long a caller waits for a sound to be fetched; then it is skipped.
pub const PATIENCE: Duration = Duration::from_secs(3);

/// A download: once it is over, the file's path without its extension, or
/// `None` if it failed.
pub type Fetch = Arc<OnceLock<Option<Vec<u8>>>>;

/// Downloads under way. Asterisk's cache, asked twice at once for a new URL,
/// gives the second caller no path, so each URL is fetched once.
static FETCHES: Mutex<BTreeMap<Vec<u8>, Fetch>> = Mutex::new(BTreeMap::new());

/// How many may run at once.
const MOST: usize = 8;

/// Has a URL fetched, or joins the download that runs. `None`: too many run.
pub fn fetch(url: &[u8]) -> Option<Fetch> {
    let mut fetches = FETCHES.lock().unwrap_or_else(PoisonError::into_inner);
    if let Some(fetch) = fetches.get(url) {
        return Some(Arc::clone(fetch));
    }
    if fetches.len() >= MOST {
        return None;
    }
    let fetch = Fetch::default();
    let (url, result) = (url.to_vec(), Arc::clone(&fetch));
    let started = worker::start({
        let url = url.clone();
        move || {
            let path = guard(None, || retrieve(&Text::new(&url)));
            FETCHES
                .lock()
                .unwrap_or_else(PoisonError::into_inner)
                .remove(&url);
            // Nobody else sets it.
            let _ = result.set(path);
        }
    });
    started.then(|| {
        fetches.insert(url, Arc::clone(&fetch));
        fetch
    })
}

fn retrieve(url: &Text) -> Option<Vec<u8>> {
    const PATH_MAX: usize = 4096;
    let mut path = [0_u8; PATH_MAX];
    // SAFETY: a NUL-terminated URL, no preferred name, and a buffer of our own
    // of the size given.
    let result = unsafe {
        ffi::ast_media_cache_retrieve(
            url.as_c().as_ptr(),
            std::ptr::null(),
            path.as_mut_ptr().cast(),
            path.len(),
        )
    };
    let path = CStr::from_bytes_until_nul(&path).ok()?.to_bytes();
    (result == 0 && !path.is_empty()).then(|| path.to_vec())
}
