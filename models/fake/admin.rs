//! Commands and actions.

pub(crate) fn hold_off() -> Option<()> {
    Some(())
}

pub(crate) fn register() -> bool {
    true
}

pub(crate) fn unregister() -> bool {
    true
}

pub(crate) fn start_metrics() {}

pub(crate) fn shutdown_metrics() {}
