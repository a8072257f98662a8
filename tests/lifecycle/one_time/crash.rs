//! `kill -9` at the moment when a one-time PIN has admitted a caller.

use std::sync::atomic::{AtomicUsize, Ordering};

use anyhow::{ensure, Result};
use harness::{Call, Module, Pbx, Report};

use super::press;
use crate::support::{on, side_by_side};

/// The number of Asterisks, each of which is killed repeatedly.
const KILLS: usize = 16;
const ASTERISKS: usize = 2;
/// The number of tries in which the stock module must restore a used PIN.
const STOCK_TRIES: usize = 20;

/// Every PIN is this digit, each in its own family, so that it is used up the
/// moment it is entered.
const PIN: &str = "7";

fn family(number: usize) -> String {
    format!("once/{number}")
}

/// Puts all PINs in and has them on disk, so that a key that is gone was
/// deleted, and not lost.
fn prepare(pbx: &Pbx, count: usize) -> Result<()> {
    for number in 0..count {
        pbx.db_put(&family(number), PIN, "1")?;
    }
    pbx.stop()?;
    pbx.start_again()
}

/// Lets a caller in and kills Asterisk at the first sign of it; starts it
/// again. Asterisk commits the first write after a quiet time at once and then
/// rests for a second: the caller's delete falls into that second.
fn use_and_kill(pbx: &Pbx, family: &str) -> Result<()> {
    let mut call = pbx.place(&Call::new(format!("/{family},dr,1")))?;
    call.until_sound("agent-pass")?;
    pbx.db_put("other", family, "1")?;
    press(pbx, &call, PIN)?;
    call.until("success", |frame| {
        frame.has("Message", "auth-thankyou")
            || frame.has("Variable", "AUTHENTICATESTATUS") && frame.has("Value", "SUCCESS")
    })?;
    pbx.kill9()?;
    pbx.start_again()
}

/// Another caller with that PIN, who hangs up at what is played in answer.
fn try_again(pbx: &Pbx, family: &str) -> Result<Report> {
    let call = Call::new(format!("/{family},dr,1,&"));
    pbx.call(&call.keys(&format!("<now>{PIN} <hangup>")))
}

#[test]
fn crash_restores_no_used_pin() {
    let brought_back = AtomicUsize::new(0);
    let one_asterisk = |_| {
        on(Pbx::builder().module(Module::Ours), |pbx| {
            prepare(pbx, KILLS + 1)?;
            for number in 0..KILLS {
                let family = family(number);
                use_and_kill(pbx, &family)?;
                ensure!(pbx.db_get(&family, PIN)?.is_none(), "{family} is back");
                let report = try_again(pbx, &family)?;
                ensure!(
                    report.sounds == ["auth-incorrect", "vm-goodbye"],
                    "{report:#?}"
                );
                ensure!(report.status() == "HANGUP", "{report:#?}");
            }
            // Nobody's PIN went but the ones that were used.
            ensure!(pbx.db_get(&family(KILLS), PIN)?.is_some());
            let log = pbx.log()?;
            let removed = log.matches("were restored by a crash").count();
            brought_back.fetch_add(removed, Ordering::Relaxed);
            Ok(())
        });
        Ok(())
    };
    if let Err(error) = side_by_side(ASTERISKS, ASTERISKS, one_asterisk) {
        panic!("{error:#}");
    }
    // Else the kills came too late to show anything.
    assert_ne!(brought_back.into_inner(), 0);
}

/// For contrast, and to show that the kill is early enough.
#[test]
fn crash_of_the_stock_module_restores_a_used_pin() {
    on(Pbx::builder().module(Module::Theirs), |pbx| {
        prepare(pbx, STOCK_TRIES)?;
        for number in 0..STOCK_TRIES {
            let family = family(number);
            use_and_kill(pbx, &family)?;
            if pbx.db_get(&family, PIN)?.is_some() {
                let report = try_again(pbx, &family)?;
                ensure!(report.sounds == ["auth-thankyou"], "{report:#?}");
                return Ok(());
            }
        }
        anyhow::bail!("in {STOCK_TRIES} kills no used PIN came back");
    });
}
