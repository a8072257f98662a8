//! Sounds that are missing.

pub(crate) fn clear() {}
