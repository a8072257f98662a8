//! Checks of an Asterisk with the module on this machine, for `pinset doctor` and the page
//! `/setup` of the console. Nothing here reads arguments or prints.

pub(crate) mod clock;
pub(crate) mod configuration;
pub(crate) mod module;
pub(crate) mod running;
