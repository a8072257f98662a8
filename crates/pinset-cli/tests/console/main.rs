//! Tests of `pinset console` over its socket.
#![allow(clippy::unwrap_used)]

#[path = "../lab/mod.rs"]
mod lab;

mod calls;
mod configuration;
mod fixture;
mod init;
mod login;
mod long_saves;
mod make_pins;
mod numbering;
mod pages;
mod paste;
mod pbx;
mod pin_file;
mod requests;
mod setup;
mod users;
