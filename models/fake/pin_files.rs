//! PIN files.

pub(crate) fn clear() {}
