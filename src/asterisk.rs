//! Asterisk, made safe: one file for each of its concepts.
//!
//! What we rely on, throughout: Asterisk runs the application on a channel that
//! stays valid until it returns; strings passed in are NUL-terminated
//! and copied by Asterisk unless a comment says otherwise.

pub mod boundary;
pub mod channel;
pub mod cli;
pub mod config;
pub mod database;
pub mod dialplan;
pub mod digits;
pub mod event;
pub mod function;
pub mod glance;
pub mod hangup;
pub mod host;
pub mod level;
pub mod log;
pub mod manager;
pub mod modules;
pub mod mounts;
pub mod phone;
pub mod process;
pub mod prometheus;
pub mod schedule;
pub mod sound;
pub mod text;
pub mod worker;
