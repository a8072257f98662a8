//! PIN lists in files: plain (one PIN a line), md5 (`account:md5` a line) and
//! csv.
//!
//! The disk is the list: every entry looks at the file, and only a regular one
//! is read (hazards B, X). What a line means is in `docs/pin-lists.md`.
//!
//! From a file to a verdict: [`Way`] and `file` open it without hanging anybody;
//! [`Blocks`] read it; `lines`, [`Gives`], `plain` and `md5` say what a line
//! gives. [`Building`] makes an [`Index`] of it, a `table`; [`pass`] looks for one
//! entry without an index. [`Cache`] knows which of the two may answer. [`csv`]
//! reads lists with columns; [`sniff`] finds out what a list is.

mod blocks;
mod cache;
pub mod csv;
mod file;
pub(crate) mod index;
mod kind;
mod line;
pub(crate) mod lines;
pub(crate) mod md5;
mod pass;
mod plain;
mod report;
mod table;
mod way;

pub use blocks::{Block, Blocks};
pub use cache::{
    Cache, Contents, Judged, List, Progress, Rebuild, Recalled, RowAnswer, RowList, RowProgress,
    RowReading, Rules,
};
pub use file::{open, Stamp};
pub use index::{memory, Building, Index, Refused};
pub use kind::{sniff, Kind};
pub use line::{read, Fault, Format, Gives, Line};
pub use pass::{pass, Found, Passed};
pub use report::Report;
pub use way::{Device, Mounts, Way};
