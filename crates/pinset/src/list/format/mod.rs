//! The formats of PIN files.

pub mod blocks;
pub mod csv;
pub mod detect;
pub mod line;
pub mod line_error;
pub(crate) mod lines;
pub(crate) mod md5;
pub mod plain;
