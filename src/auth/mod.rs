//! Authentication of one call: the application, the dialplan function, and the
//! sources that its PINs come from.

pub(crate) mod application;
pub(crate) mod astdb_rows;
pub(crate) mod backend;
pub(crate) mod slow_hash;
pub(crate) mod source_check;
pub(crate) mod url_prompt;
pub(crate) mod verify;
