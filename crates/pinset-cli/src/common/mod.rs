//! Code that commands share.

pub mod atomic_file;
pub mod colours;
pub mod config_file;
pub mod core_dumps;
pub mod csv;
pub mod csv_list;
pub mod error;
pub mod new_list;
pub mod new_row_args;
pub mod numbering_args;
pub mod pin_input;
pub mod reach;
pub mod sanitize;
pub mod secret_args;
pub mod weak_pins;
