//! External Management: a PBX posts a call to a web service, which answers with
//! what to do with it. [`Post`] and [`Answer`] are what goes over the wire, and
//! [`Hangup`] once the call has ended;
//! [`flow`] carries answers out; a [`Breaker`] knows which service is down.
//!
//! We are strict in what we send and liberal in what we take, on both sides.

pub mod answer;
pub mod breaker;
pub mod credential;
mod data;
pub mod flow;
pub mod hangup;
pub mod post;
mod speech;
mod value;

use std::fmt;

pub use answer::{Action, Answer, Gather};
pub use breaker::Breaker;
pub use data::{Data, Keyed};
pub use hangup::{Hangup, Webhook};
pub use post::{Post, Received};

/// What is wrong with a JSON document of the other side, and where. It never
/// holds what a caller has keyed.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Broken(String);

impl fmt::Display for Broken {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}
