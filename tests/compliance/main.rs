//! The same calls on the stock module and on ours.
//!
//! `AUTHENTICATE_UNDER_TEST=theirs|ours` says on which (ours without it).
//! Each row of the table is what ours does; where the stock module is known to
//! differ, the row is marked with the difference's name, and the run on the
//! stock module fails if that difference has gone. `AUTHENTICATE_ROWS=text`
//! runs only rows whose name holds that text.

mod expect;
mod row;
mod runner;
mod table;

use anyhow::Result;
use harness::{Module, Pbx};

use crate::row::Place;

fn start() -> Result<Pbx> {
    Pbx::builder()
        .module(Module::under_test()?)
        .dialplan(table::DIALPLAN)
        .start()
}

#[test]
#[ignore = "needs a container engine"]
fn the_table() -> Result<()> {
    runner::run(&start()?, Place::Main, table::rows())
}

#[test]
#[ignore = "needs a container engine"]
fn the_table_without_sounds() -> Result<()> {
    let pbx = start()?;
    let script = "cd /usr/share/asterisk/sounds/en && \
                  rm auth-incorrect.* auth-thankyou.* vm-goodbye.*";
    pbx.exec(&["bash", "-ec", script])?;
    runner::run(&pbx, Place::NoSounds, table::rows())
}

#[test]
#[ignore = "needs a container engine"]
fn the_table_where_the_stock_module_never_ends() -> Result<()> {
    runner::run(&start()?, Place::Doomed, table::rows())
}
