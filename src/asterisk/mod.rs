//! Safe wrappers of Asterisk's API: one file for each of its concepts.
//!
//! All of them rely on this: Asterisk runs the application on a channel that
//! stays valid until it returns; strings passed in are NUL-terminated
//! and copied by Asterisk unless a comment says otherwise.

pub mod ami;
pub mod astdb;
pub mod c_string;
pub mod call;
pub mod channel;
pub mod cli;
pub mod config;
pub mod dialplan;
pub mod dtmf_hook;
pub mod events;
pub mod function;
pub mod hangup;
pub mod in_flight;
pub mod log;
pub mod log_level;
pub mod modules;
pub mod panic;
pub mod pjsip;
pub mod playback;
pub mod process;
pub mod prometheus;
pub mod schedule;
pub mod thread_pool;
