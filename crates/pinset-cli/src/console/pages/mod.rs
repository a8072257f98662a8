//! The pages, made on the server. They work without script and load nothing from
//! elsewhere; texts are escaped by type.

pub(super) mod account;
pub(super) mod callers;
pub(super) mod calls;
pub(super) mod changes;
pub(super) mod confirm;
mod edit_error;
pub(super) mod error;
pub(super) mod hand_out;
pub(super) mod job;
pub(super) mod layout;
pub(super) mod live;
pub(super) mod locked;
pub(super) mod login;
pub(super) mod make_pins;
pub(super) mod new_pin_set;
pub(super) mod paste;
mod pbx;
pub(super) mod pin_file;
pub(super) mod pin_files;
pub(super) mod pin_set;
mod pin_sets;
pub(super) mod reload;
mod secret_form;
pub(super) mod setup;
mod sorting;
