//! The same calls on the stock module and on ours.
//!
//! `AUTHENTICATE_UNDER_TEST=theirs|ours` says on which (ours without it).
//! Each row of the table is what ours does; where the stock module is known to
//! differ, the row is marked with the difference's name, and the run on the
//! stock module fails if that difference has gone. `AUTHENTICATE_ROWS=text`
//! runs only rows whose name holds that text.

mod bare;
mod documents;
mod expect;
mod log;
mod phone;
mod row;
mod runner;
mod table;

use anyhow::Result;
use harness::{Builder, Module, Pbx};

use crate::row::Place;

/// Runs a test in an Asterisk of its own. An error is a panic before that is
/// gone: only then its log is printed.
fn in_pbx(builder: Builder, test: impl FnOnce(&Pbx) -> Result<()>) -> Result<()> {
    let pbx = builder.module(Module::under_test()?).start()?;
    if let Err(error) = test(&pbx) {
        panic!("{error:#}");
    }
    Ok(())
}

fn with_table() -> Builder {
    Pbx::builder()
        .modules("load = app_controlplayback.so\nload = app_cdr.so")
        .dialplan(&table::dialplan())
}

#[test]
#[ignore = "needs a container engine"]
fn table_of_calls_has_expected_outcomes() -> Result<()> {
    in_pbx(with_table(), |pbx| {
        table::prepare(pbx)?;
        runner::run(pbx, Place::Main, table::rows())
    })
}

#[test]
#[ignore = "needs a container engine"]
fn table_without_sounds_has_expected_outcomes() -> Result<()> {
    in_pbx(with_table(), |pbx| {
        let script = "cd /usr/share/asterisk/sounds/en && \
                      rm auth-incorrect.* auth-thankyou.* vm-goodbye.*";
        pbx.exec(&["bash", "-ec", script])?;
        runner::run(pbx, Place::NoSounds, table::rows())
    })
}

#[test]
#[ignore = "needs a container engine"]
fn endless_calls_of_the_stock_module_end_here() -> Result<()> {
    in_pbx(with_table(), |pbx| {
        runner::run(pbx, Place::Doomed, table::rows())
    })
}
