//! The commands of `pinset`, a file or a folder each.

pub mod add;
pub mod check;
pub mod convert;
pub mod generate;
pub mod hash;
pub mod pepper;
pub mod remove;
pub mod report;
pub mod verify;
