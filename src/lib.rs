//! `app_authenticate_rs.so`: the dialplan application `Authenticate()` for
//! Asterisk.
//!
//! `module` loads and unloads. One way through: the dialplan calls
//! `application`, which has `pinset` read the arguments and hold the
//! conversation; `asterisk` is the channel that conversation is held on, and
//! all else of Asterisk that is used. `unsafe` stands in `asterisk` and `ffi`
//! alone.

// It links inside Asterisk alone, so that nothing of it can be in a test program.
#![cfg(not(test))]

mod admin;
mod asterisk;
mod auth;
mod config;
mod external;
mod ffi;
mod http;
mod linux;
mod module;
mod pin_files;
mod state;
mod sync;
mod version;
mod work_queue;
