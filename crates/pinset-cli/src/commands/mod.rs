//! The commands of `pinset`, one file or folder each.

pub mod add;
pub mod check;
pub mod convert;
pub mod generate;
pub mod hash;
pub mod pepper;
pub mod remove;
pub mod report;
pub mod verify;
