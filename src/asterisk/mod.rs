//! Safe wrappers of Asterisk's API: one file for each of its concepts.
//!
//! All of them rely on this: Asterisk runs the application on a channel that
//! stays valid until it returns; strings passed in are NUL-terminated
//! and copied by Asterisk unless a comment says otherwise.

pub(crate) mod ami;
pub(crate) mod ami_logins;
pub(crate) mod astdb;
pub(crate) mod c_string;
pub(crate) mod call;
pub(crate) mod channel;
pub(crate) mod cli;
pub(crate) mod config;
pub(crate) mod dialplan;
pub(crate) mod dtmf_hook;
pub(crate) mod events;
pub(crate) mod function;
pub(crate) mod hangup;
pub(crate) mod in_flight;
pub(crate) mod log;
pub(crate) mod log_level;
#[cfg(feature = "test-build")]
pub(crate) mod memory_errors;
pub(crate) mod modules;
pub(crate) mod panic;
pub(crate) mod pjsip;
pub(crate) mod playback;
pub(crate) mod process;
pub(crate) mod prometheus;
pub(crate) mod realtime;
pub(crate) mod schedule;
pub(crate) mod thread_pool;
