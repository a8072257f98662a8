//! Authentication of one call: the application, the dialplan function, and the
//! sources that its PINs come from.

pub mod application;
pub mod astdb_rows;
pub mod backend;
pub mod slow_hash;
pub mod source_check;
pub mod url_prompt;
pub mod verify;
