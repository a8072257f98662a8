//! The logic of `Authenticate()`, apart from Asterisk: what the dialplan's
//! arguments mean, how the conversation with the caller goes, what stands in a
//! PIN list, what uses leave in the journal, what the configuration says.
//!
//! One way through: [`arguments`] turn the dialplan's text into a [`Plan`] and
//! a [`Credential`]; a [`Conversation`] says what to do next; [`run`] carries
//! it out on a [`Host`] (the channel) and a [`PinSource`] (the list).
#![forbid(unsafe_code)]

pub mod admission;
pub mod arguments;
pub mod audit;
pub mod conversation;
pub mod external;
mod hex;
pub mod host;
pub mod journal;
pub mod judging;
pub mod keys;
pub mod list;
pub mod lockout;
pub mod moment;
pub mod number;
pub mod operate;
pub mod pepper;
pub mod permission;
pub mod pin;
pub mod prompt;
pub mod queue;
pub mod rows;
pub mod secret;
pub mod settings;
pub mod shown;
pub mod sounds;
pub mod source;
pub mod stats;
pub mod suggestion;

pub use arguments::{Credential, Notice, Refusal, Request};
pub use conversation::{
    Conversation, Event, Heard, Next, Opening, Plan, Settlement, Status, Step, Wait,
};
pub use host::{run, Host, Started};
pub use judging::Judge;
pub use number::{Number, Numbering};
pub use pepper::Pepper;
pub use pin::Pin;
pub use rows::Rows;
pub use secret::Secret;
pub use settings::{PinSet, Settings};
pub use source::{Entry, Grant, PinSource, Verdict};
