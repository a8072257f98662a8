//! Tests of `pinset console` over its socket.
#![allow(clippy::unwrap_used)]

#[path = "../lab/mod.rs"]
mod lab;

mod configuration;
mod fixture;
mod init;
mod login;
mod pages;
mod pbx;
mod requests;
mod users;
