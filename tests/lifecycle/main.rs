//! Ours alone: load and unload, races, crashes.
//!
//! `cargo test --release -p harness --test lifecycle`

mod hangup;
mod module;
mod one_time;
mod rounds;
mod support;
mod thousand;
mod unload;
