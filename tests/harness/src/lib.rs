//! Asterisk in a container, and calls placed in it.
//!
//! ```no_run
//! use harness::{Call, Module, Outcome, Pbx};
//!
//! # fn main() -> anyhow::Result<()> {
//! let pbx = Pbx::builder().module(Module::under_test()?).start()?;
//! pbx.pin_file("doors", "1234\n5678\n")?;
//! let report = pbx.call(&Call::new("/pins/doors").keys("9999# 1234#"))?;
//! assert_eq!(report.outcome, Outcome::Passed);
//! assert_eq!(report.sounds, ["agent-pass", "auth-incorrect", "auth-thankyou"]);
//! # Ok(())
//! # }
//! ```

#![forbid(unsafe_code)]

mod ami;
mod ami_frame;
mod builder;
mod call;
mod cleanup;
mod config;
mod console;
mod container;
mod container_engine;
mod examples;
mod image;
mod keys;
mod live_call;
mod module;
mod pbx;
mod plot;
mod postgres;
mod relay;
mod report;
mod sip;
mod valgrind;

pub use ami::{Ami, Events};
pub use ami_frame::Frame;
pub use builder::{random_word, Builder};
pub use call::Call;
pub use cleanup::{remove_dead, remove_own};
pub use console::{free_port, Console};
pub use container::MODULES;
pub use container_engine::Engine;
pub use examples::{documents, examples, Example};
pub use image::Image;
pub use keys::{Group, Keys, Step};
pub use live_call::Ongoing;
pub use module::{our_module, pinset, workspace, Module};
pub use pbx::Pbx;
pub use plot::{Chart, Series};
pub use postgres::{OpenTransaction, Postgres};
pub use relay::Relay;
pub use report::{Cdr, Happening, Outcome, Report};
pub use sip::{Phone, Signal, SipOutcome};
pub use valgrind::seconds;
