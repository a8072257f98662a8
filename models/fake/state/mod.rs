//! State that outlives a call.

pub(crate) mod lockouts;
pub(crate) mod use_ledger;

pub(crate) mod audit {
    use std::fmt::Display;
    use std::time::Duration;

    use crate::pinset::lockout::Kind;

    pub(crate) struct AuditContext;

    impl AuditContext {
        pub(crate) fn set_locked(&self, _: Kind, _: Option<Duration>) {}

        pub(crate) fn set_identity(&self, _: &[u8]) {}

        pub(crate) fn set_reason(&self, _: impl Display) {}
    }

    pub(crate) fn clear() {}
}

pub(crate) mod stats {
    pub(crate) fn clear() {}
}
