//! The logic of `Authenticate()`, independent of Asterisk: it has no `unsafe` code and
//! no access to a channel.
//!
//! # A call
//!
//! 1. [`Request::parse`] reads the arguments of the dialplan application. They name a
//!    [`Credential`]: a literal PIN, a PIN file, a family of AstDB, or a PIN set of
//!    [`Settings`].
//! 2. [`Request::plan`], or [`Request::plan_of`] for a PIN set, makes a [`Plan`]: prompts,
//!    attempts, timeouts and routes.
//! 3. [`run`] steps through the [`Conversation`], a pure state machine. Its steps are
//!    carried out by a [`Host`], which is the channel, and a [`PinSource`], which verifies
//!    an [`Entry`] and returns a [`Verdict`].
//! 4. The [`Host`] gets a [`Settlement`] with the [`Status`] for the dialplan. The result
//!    of [`run`] says where the call continues: [`Next`].
//!
//! `examples/dialog.rs` does this with a script of digits in place of a channel:
//! `cargo run -p pinset --example dialog -- 1234 4711# 1234#`.
//!
//! The [`PinSource`] of a PIN set is a [`Verifier`]: it asks its [`verify::BackEnd`] for
//! the rows, charges each attempt to the [`lockout`] counters before it compares anything,
//! and checks levels, dates, times and uses. For a PIN set whose source is a web service,
//! [`external::flow`] takes the place of [`run`].
//!
//! # Modules
//!
//! | module | contents |
//! |---|---|
//! | [`call`] | one call: arguments, dialog, DTMF digits |
//! | [`verify`] | verification of attempts at a PIN set |
//! | [`lockout`] | failure counters and locks of callers, accounts and PIN sets |
//! | [`credential`] | secrets, pepper keys, tables of credentials, secret files |
//! | [`list`] | PIN files: opening, formats, lookups |
//! | [`cache`] | PIN files in memory |
//! | [`config`] | options of `authenticate.conf` |
//! | [`database`] | PIN sets in PostgreSQL: schema, statements, rows |
//! | [`external`] | External Management: requests, responses, the flow of a call |
//! | [`audit`], [`admin`] | audit log, statistics, tables and metrics |
//! | [`dialplan`], [`escape`], [`hex`], [`phone_number`], [`pin`], [`prompt`], [`timestamp`], … | values without a state, which import no other module above them |
//!
//! Imports between these modules have no circles; `.ci/imports` prints them.
#![forbid(unsafe_code)]

pub mod admin;
pub mod asterisk_version;
pub mod audit;
pub mod bounded_queue;
pub mod cache;
pub mod call;
pub mod config;
pub mod credential;
pub mod database;
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
