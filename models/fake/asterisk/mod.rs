//! An Asterisk as small as the models need: threads, a database, the dialplan, a scheduler.

pub(crate) mod astdb;
pub(crate) mod c_string;
pub(crate) mod call;
pub(crate) mod channel;
pub(crate) mod dialplan;
pub(crate) mod function;
pub(crate) mod in_flight;
pub(crate) mod log;
pub(crate) mod log_level;
pub(crate) mod modules;
pub(crate) mod panic;
pub(crate) mod playback;
pub(crate) mod process;
pub(crate) mod schedule;
pub(crate) mod thread_pool;

/// Starts Asterisk.
pub(crate) fn reset() {
    astdb::reset();
    crate::ffi::reset();
    process::reset();
}
