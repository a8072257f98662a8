//! State that outlives a call: lockouts, uses of PINs, the audit log, counters.

pub(crate) mod audit;
pub(crate) mod lockouts;
pub(crate) mod stats;
pub(crate) mod use_ledger;
