//! The pages, made on the server. They work without script and load nothing from
//! elsewhere; texts are escaped by type.

pub(super) mod account;
pub(super) mod changes;
pub(super) mod confirm;
pub(super) mod error;
pub(super) mod layout;
pub(super) mod live;
pub(super) mod locked;
pub(super) mod login;
mod pbx;
pub(super) mod pin_files;
pub(super) mod pin_set;
mod pin_sets;
pub(super) mod reload;
pub(super) mod setup;
