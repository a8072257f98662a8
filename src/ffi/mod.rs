//! The bindings `build.rs` generates from Asterisk's headers, name by name,
//! and the C shim beside them. Nothing here is safe; `crate::asterisk` is. What is
//! used of libcurl is in `curl`.

#![allow(
    missing_docs,
    non_camel_case_types,
    non_snake_case,
    non_upper_case_globals,
    dead_code,
    unsafe_op_in_unsafe_fn,
    clippy::all,
    rustdoc::all
)]

pub mod curl;

include!(concat!(env!("OUT_DIR"), "/bindings.rs"));
