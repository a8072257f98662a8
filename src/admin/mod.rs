//! Operating it: the command line (`authenticate …`), AMI's actions, and what
//! Prometheus is told. [`queries`] says what there is to be seen; nobody waits for
//! a terminal, a session or a disk while it looks. Only [`number`] asks a list.

mod ami;
mod cli;
mod number;
mod prometheus;
mod queries;

pub use prometheus::{hold_off, shutdown as shutdown_metrics, start as start_metrics};

/// Registers commands and actions; false if Asterisk has said in its log why
/// not.
pub fn register() -> bool {
    cli::register() && ami::register()
}

/// Takes back [`register`], in part or in whole. False: a command is being run,
/// or is about to be. Who has found an action before may still come.
pub fn unregister() -> bool {
    ami::unregister();
    cli::unregister()
}
