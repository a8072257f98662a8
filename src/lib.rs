//! `app_authenticate_rs.so`: the dialplan application `Authenticate()` for
//! Asterisk.
//!
//! `module` loads and unloads. The dialplan calls `auth::application`, for which `pinset`
//! parses the arguments and runs the dialog; `asterisk` wraps the channel and everything
//! else of Asterisk that is used. `unsafe` is only in `asterisk` and `ffi`. Imports
//! between the rooms are acyclic: `.ci/imports` prints and checks them.

// It links only inside Asterisk, so it can't be part of a test program.
#![cfg(not(test))]

mod admin;
mod asterisk;
mod auth;
mod config;
mod database;
mod external;
mod ffi;
mod http;
mod module;
mod pin_files;
mod realtime;
mod state;
mod sync;
mod version;
mod work_queue;
