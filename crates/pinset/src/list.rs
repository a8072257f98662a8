//! PIN lists in files: plain (one PIN a line) and md5 (`account:md5` a line).
//!
//! The disk is the list: it is read anew for every entry, and only a regular
//! file is read (hazards B, X). What a line means is in `docs/pin-lists.md`.

mod file;
mod line;
mod lines;
mod md5;
mod plain;

pub use file::{open, FileSource, Report};
pub use line::{read, Fault, Format, Gives, Line};
