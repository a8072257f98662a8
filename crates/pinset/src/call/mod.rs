//! One call of `Authenticate()`: its arguments, what is asked and played, and the
//! digits that are entered.

pub mod arguments;
pub mod dialog;
pub mod driver;
pub mod dtmf_buffer;
