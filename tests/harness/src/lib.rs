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
mod builder;
mod call;
mod config;
mod container;
mod engine;
mod frame;
mod image;
mod keys;
mod leftovers;
mod module;
mod ongoing;
mod pbx;
mod report;
mod sip;

pub use ami::{Ami, Events};
pub use builder::{random_word, Builder};
pub use call::Call;
pub use engine::Engine;
pub use frame::Frame;
pub use image::Image;
pub use keys::{Group, Keys, Step};
pub use leftovers::{remove_dead, remove_own};
pub use module::{our_module, pinset, workspace, Module};
pub use ongoing::Ongoing;
pub use pbx::Pbx;
pub use report::{Cdr, Happening, Outcome, Report};
pub use sip::{Phone, Signal, SipOutcome};
