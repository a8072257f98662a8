//! The commands of `pinset`, one file or folder each.

pub(crate) mod add;
pub(crate) mod asterisk;
pub(crate) mod change;
pub(crate) mod check;
pub(crate) mod convert;
pub(crate) mod database;
pub(crate) mod doctor;
pub(crate) mod documents;
pub(crate) mod generate;
pub(crate) mod hash;
pub(crate) mod pepper;
pub(crate) mod remove;
pub(crate) mod report;
pub(crate) mod verify;
