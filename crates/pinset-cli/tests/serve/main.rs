//! Tests of `pinset serve` over its socket.
#![allow(clippy::unwrap_used)]

#[path = "../lab/mod.rs"]
mod lab;

mod access;
mod client;
mod configuration;
mod decisions;
mod exposure;
mod guard;
mod hangups;
mod hipcall;
mod hung;
mod limits;
mod log;
mod operation;
mod restart;
mod server;
mod sounds;
mod tls;
