//! Administration: CLI commands (`authenticate …`), AMI actions and Prometheus metrics.
//! [`queries`] collects what they show; no call waits for a terminal, a session or a
//! disk meanwhile. Only [`number`] and [`uses`] read a PIN file.

mod ami;
mod cli;
mod database;
mod number;
mod paging;
mod prometheus;
mod queries;
mod uses;

pub(crate) use prometheus::{hold_off, shutdown as shutdown_metrics, start as start_metrics};

use crate::asterisk::ami_logins;

/// Registers commands and actions. Returns false if that fails, which Asterisk logs.
pub(crate) fn register() -> bool {
    ami_logins::start();
    cli::register() && ami::register()
}

/// Takes back [`register`], in part or in whole. Returns false if a command runs or is
/// about to. A session that has found an action before may still run it.
pub(crate) fn unregister() -> bool {
    ami::unregister();
    ami_logins::shutdown();
    cli::unregister()
}
