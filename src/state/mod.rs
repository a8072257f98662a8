//! State that outlives a call: lockouts, uses of PINs, the audit log, counters.

pub mod audit;
pub mod lockouts;
pub mod stats;
pub mod use_ledger;
