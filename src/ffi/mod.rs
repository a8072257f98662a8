//! Bindings that `build.rs` generates from Asterisk's headers and from our C shim, name
//! by name. They are unsafe; `crate::asterisk` wraps them. `curl` wraps libcurl.

#![allow(
    missing_docs,
    unreachable_pub,
    non_camel_case_types,
    non_snake_case,
    non_upper_case_globals,
    dead_code,
    unsafe_op_in_unsafe_fn,
    clippy::all,
    clippy::pedantic,
    rustdoc::all
)]

pub(crate) mod curl;

include!(concat!(env!("OUT_DIR"), "/bindings.rs"));
