//! The logic of `Authenticate()`, apart from Asterisk.
//!
//! The way through: [`call::arguments`] turn the dialplan's text into a [`Plan`] and a
//! [`Credential`]; a [`Conversation`] says what to do next; [`run`] carries it out on a
//! [`Host`] (the channel) and a [`PinSource`] (a PIN file, a family of Asterisk's
//! database, a PIN set, a web service).
//!
//! Rooms: [`call`] is one call; [`verify`] verifies entries of PIN sets, with
//! [`lockout`] against guessing; [`credential`] has secrets and tables of them,
//! [`list`] and [`cache`] PIN files; [`config`] the options of `authenticate.conf`;
//! [`external`] web services; [`audit`] and [`admin`] what is reported.
#![forbid(unsafe_code)]

pub mod admin;
pub mod audit;
pub mod bounded_queue;
pub mod cache;
pub mod call;
pub mod config;
pub mod credential;
pub mod dialplan;
pub mod escape;
pub mod external;
pub mod hex;
pub mod list;
pub mod lockout;
pub mod permission;
pub mod phone_number;
pub mod pin;
pub mod prompt;
pub mod suggestion;
pub mod timestamp;
pub mod use_journal;
pub mod verdict;
pub mod verify;

pub use call::arguments::{ArgumentError, ArgumentWarning, Credential, Request};
pub use call::dialog::{
    Conversation, Event, Input, Next, Opening, Plan, Settlement, Status, Step, Wait,
};
pub use call::driver::{run, Host, Started};
pub use config::{PinSet, Settings};
pub use credential::pepper::Pepper;
pub use credential::secret::Secret;
pub use credential::table::Rows;
pub use phone_number::{Number, Numbering};
pub use pin::Pin;
pub use verdict::{Entry, Grant, PinSource, Verdict};
pub use verify::Verifier;
