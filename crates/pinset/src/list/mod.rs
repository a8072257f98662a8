//! PIN lists in files: plain (one PIN a line), md5 (`account:md5` a line) and
//! csv.
//!
//! The disk is the list: every entry looks at the file, and only a regular one
//! is read (docs/compatibility.md, rows B and X). What a line means is in `docs/pin-lists.md`.
//!
//! From a file to a verdict: [`PathWalk`] and `file` open it without hanging anybody;
//! [`Blocks`] read it; `lines`, [`Gives`], `plain` and `md5` say what a line
//! gives. [`Building`] makes an [`Index`] of it, a `table`; [`pass`] looks for one
//! entry without an index. [`crate::cache`] knows which of the two may answer. [`format::csv`]
//! reads lists with columns; [`sniff`] finds out what a list is.

pub mod format;
pub(crate) mod index;
pub mod open;

pub use format::blocks::{Block, Blocks};
pub use format::detect::{sniff, FileKind};
pub use format::line::{read, Format, Gives, Line};
pub use format::line_error::LineError;
pub use index::linear_scan::{pass, MatchingLine, Passed};
pub use index::{memory, Building, Index, IndexError};
pub use open::file::{open, Stamp};
pub use open::mount_table::MountTable;
pub use open::path_walk::{Device, Mounts, PathWalk};
