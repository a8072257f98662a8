//! The version of Asterisk.

pub(crate) fn built_for() -> Option<&'static str> {
    Some("22")
}
