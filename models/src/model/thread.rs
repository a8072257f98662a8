//! Threads, in place of `std::thread`.

use super::time::{self, Duration};

/// Lets time pass, and others run: a long sleep lasts until each call that the dialplan has
/// looked up has arrived.
pub(crate) fn sleep(time: Duration) {
    time::pass(time);
    if time >= Duration::from_millis(50) {
        crate::ffi::wait_for_arrivals();
    }
    shuttle::thread::yield_now();
}
