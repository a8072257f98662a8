//! One call of `Authenticate()`: its arguments, the dialog with the caller, and the
//! digits that are entered.

pub mod arguments;
pub mod dialog;
pub mod driver;
pub mod dtmf_buffer;
