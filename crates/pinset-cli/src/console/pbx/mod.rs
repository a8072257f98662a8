//! AMI clients of the console: one for each PBX.
//!
//! A [`PbxClient`] connects by itself and again after a failure, so that a page only asks
//! and gets an answer or the reason why there is none. Nothing a PBX sends is believed
//! beyond its meaning for the page: texts stay escaped, lists and events are bounded.

mod answers;
mod client;
mod connect;
mod error;
mod events;
mod options;
mod pending;
mod requests;
mod session;
mod state;
mod stop;
mod text;
pub(super) mod tls;

pub(super) use answers::{
    AmiPage, Lockout, ModuleVersion, OutcomeCounts, PinSetDetail, PinSetSummary, ReloadError,
    ReloadResult, RowUses,
};
pub(super) use client::PbxClient;
pub(super) use error::RequestError;
pub(super) use events::{EventId, LiveEvent};
pub(super) use options::{AmiSecurity, PbxOptions, Timing};
pub(super) use requests::{ListPart, LOCKOUTS_AT_ONCE};
pub(super) use state::PbxState;

#[cfg(test)]
mod tests;
