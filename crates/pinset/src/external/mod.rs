//! External Management: a PBX posts a call to a web service, which answers with
//! what to do with it. [`Post`] and [`Answer`] are what goes over the wire, and
//! [`Hangup`] once the call has ended;
//! [`flow`] carries answers out; a [`Breaker`] knows which service is down.
//!
//! We are strict in what we send and liberal in what we take, on both sides.

pub mod circuit_breaker;
pub mod credential;
pub mod flow;
mod gathered;
pub mod hangup;
mod json;
pub mod request;
pub mod response;
mod say;
pub mod sound_cache;

use std::fmt;

pub use circuit_breaker::Breaker;
pub use gathered::{Data, Keyed};
pub use hangup::{Hangup, Webhook};
pub use request::{Post, Received};
pub use response::{Action, Answer, Gather};

/// What is wrong with a JSON document of the other side, and where. It never
/// holds what a caller has keyed.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Broken(String);

impl fmt::Display for Broken {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}
