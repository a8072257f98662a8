//! Code that commands share.

pub(crate) mod asterisk;
pub(crate) mod atomic_file;
pub(crate) mod colours;
pub(crate) mod config_file;
pub(crate) mod core_dumps;
pub(crate) mod csv;
pub(crate) mod csv_list;
pub(crate) mod database;
pub(crate) mod error;
pub(crate) mod finding;
pub(crate) mod new_list;
pub(crate) mod new_row_args;
pub(crate) mod numbering_args;
pub(crate) mod pin_input;
pub(crate) mod reach;
pub(crate) mod row_args;
pub(crate) mod sanitize;
pub(crate) mod secret_args;
pub(crate) mod secret_file;
pub(crate) mod secret_maker;
pub(crate) mod terminal;
pub(crate) mod toml_file;
pub(crate) mod weak_pins;
pub(crate) mod workers;
