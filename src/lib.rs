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

mod application;
mod asterisk;
mod audit;
mod configuration;
mod crew;
mod external;
mod families;
mod ffi;
mod hashing;
mod lists;
mod lockouts;
mod module;
mod operate;
mod patience;
mod pepper;
mod pin_sets;
mod stats;
mod uses;
mod verify;
mod web;
