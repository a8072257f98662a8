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

use std::sync::{PoisonError, RwLock, RwLockReadGuard};

use anyhow::Result;
use harness::{Module, Pbx};

use crate::row::Place;

/// Where the stock module never ends it takes all processors there are, and
/// other calls would miss their keys.
static PROCESSORS: RwLock<()> = RwLock::new(());

/// Waits until no such call is on, and keeps them away.
fn undisturbed() -> RwLockReadGuard<'static, ()> {
    PROCESSORS.read().unwrap_or_else(PoisonError::into_inner)
}

fn start() -> Result<Pbx> {
    Pbx::builder()
        .module(Module::under_test()?)
        .modules("load = app_controlplayback.so")
        .dialplan(&table::dialplan())
        .start()
}

#[test]
#[ignore = "needs a container engine"]
fn the_table() -> Result<()> {
    let _processors = undisturbed();
    let pbx = start()?;
    table::prepare(&pbx)?;
    runner::run(&pbx, Place::Main, table::rows())
}

#[test]
#[ignore = "needs a container engine"]
fn the_table_without_sounds() -> Result<()> {
    let _processors = undisturbed();
    let pbx = start()?;
    let script = "cd /usr/share/asterisk/sounds/en && \
                  rm auth-incorrect.* auth-thankyou.* vm-goodbye.*";
    pbx.exec(&["bash", "-ec", script])?;
    runner::run(&pbx, Place::NoSounds, table::rows())
}

#[test]
#[ignore = "needs a container engine"]
fn calls_the_stock_module_never_ends() -> Result<()> {
    let _alone = PROCESSORS.write().unwrap_or_else(PoisonError::into_inner);
    runner::run(&start()?, Place::Doomed, table::rows())
}
