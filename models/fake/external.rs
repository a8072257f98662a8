//! Web services.

use crate::config::InForce;

pub(crate) fn sync(_: &InForce) {}

pub(crate) fn hold_off_hangups() {}

pub(crate) fn shutdown() {}

pub(crate) fn clear() {}
