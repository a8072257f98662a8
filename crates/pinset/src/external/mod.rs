//! External Management: a PBX posts a call to a web service, which answers with
//! what to do with it. [`Post`] and [`ServiceAnswer`] are what goes over the wire, and
//! [`Hangup`] once the call has ended;
//! [`flow`] carries answers out; a [`Breaker`] knows which service is down.
//!
//! We are strict in what we send and liberal in what we take, on both sides.

pub mod circuit_breaker;
pub mod credential;
mod error;
pub mod flow;
mod gathered;
pub mod hangup;
mod json;
pub mod request;
pub mod response;
mod say;
pub mod sound_cache;

pub use circuit_breaker::Breaker;
pub use error::DocumentError;
pub use gathered::{Data, EnteredDigits};
pub use hangup::{Hangup, Webhook};
pub use request::{Post, Received};
pub use response::{Action, Gather, ServiceAnswer};
