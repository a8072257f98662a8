//! Asterisk's database while a foreign program has locked it.

use anyhow::ensure;
use harness::{Call, Module, Outcome, Pbx};

use super::{journal, try_pin, FAMILY, FOUR_DIGITS};
use crate::astdb_lock::{while_held, READER, WRITER};
use crate::support::{eventually, has_no_pin, on};

#[test]
fn locked_database_refuses_without_naming_a_pin() {
    on(Pbx::builder().module(Module::Ours).debug(1), |pbx| {
        pbx.db_put(FAMILY, "7531", "1")?;
        // Committed: Asterisk itself lets go of the lock.
        pbx.stop()?;
        pbx.start_again()?;
        while_held(pbx, WRITER, || {
            // The right PIN can't be distinguished from a wrong one.
            for keys in ["7531 7531 7531", "1111 1111 1111"] {
                let call = Call::new(format!("{FOUR_DIGITS},agent-pass")).keys(keys);
                let report = pbx.call(&call)?;
                ensure!(report.outcome == Outcome::HungUp, "{report:#?}");
                ensure!(report.status() == "FAILURE", "{report:#?}");
                let sounds = ["agent-pass", "auth-incorrect", "auth-incorrect"];
                ensure!(report.sounds == sounds, "{report:#?}");
            }
            Ok(())
        })?;
        ensure!(pbx.log()?.contains("Asterisk's database can't be written"));
        // No call was admitted, so the PIN is neither used up nor to be replayed.
        ensure!(journal(pbx)?.is_empty(), "{}", journal(pbx)?);
        let report = try_pin(pbx, "7531")?;
        ensure!(report.outcome == Outcome::Passed, "{report:#?}");
        eventually("an empty journal", || Ok(journal(pbx)?.is_empty()))?;
        has_no_pin(&pbx.log()?, "7531")
    });
}

/// What can't be used up is charged as a wrong entry is.
#[test]
fn one_time_pin_that_cant_be_used_up_counts_for_lockouts() {
    let conf = "[general]\nstock_lockout_caller = 2/10m/10m\n";
    let builder = Pbx::builder()
        .module(Module::Ours)
        .file("authenticate.conf", conf);
    on(builder, |pbx| {
        pbx.db_put(FAMILY, "7531", "1")?;
        pbx.stop()?;
        pbx.start_again()?;
        let call = |keys: &str, caller: &str| {
            let call = Call::new(format!("{FOUR_DIGITS},agent-pass")).caller(caller);
            pbx.call(&call.keys(keys))
        };
        while_held(pbx, WRITER, || {
            for (pin, caller) in [("7531", "5550101"), ("1111", "5550102")] {
                let report = call(&format!("{pin} {pin} <hangup>"), caller)?;
                ensure!(report.status() == "LOCKED", "{report:#?}");
                let judged = report.variable("AUTHENTICATEATTEMPTS");
                ensure!(judged == "2", "{report:#?}");
            }
            Ok(())
        })?;
        let report = call("7531", "5550101")?;
        ensure!(report.status() == "LOCKED", "{report:#?}");
        let report = call("7531", "5550103")?;
        ensure!(report.status() == "SUCCESS", "{report:#?}");
        Ok(())
    });
}

#[test]
fn failed_commit_restores_no_used_pin() {
    on(Pbx::builder().module(Module::Ours).debug(1), |pbx| {
        for pin in ["7531", "8642"] {
            pbx.db_put(FAMILY, pin, "1")?;
        }
        pbx.stop()?;
        pbx.start_again()?;
        while_held(pbx, READER, || {
            let report = try_pin(pbx, "7531")?;
            ensure!(report.outcome == Outcome::Passed, "{report:#?}");
            // Rolled back, and so there again for Asterisk.
            for _ in 0..3 {
                eventually("a failed commit", || Ok(pbx.log()?.contains("(COMMIT)")))?;
                let report = try_pin(pbx, "7531")?;
                ensure!(report.sounds == ["auth-incorrect"], "{report:#?}");
            }
            eventually("notice of it", || {
                Ok(pbx.log()?.contains("Asterisk could not write its database"))
            })
        })?;
        eventually("an empty journal", || Ok(journal(pbx)?.is_empty()))?;
        has_no_pin(&pbx.log()?, "7531")?;
        // Asterisk logs the key that is asked for here.
        ensure!(pbx.db_get(FAMILY, "7531")?.is_none(), "the PIN is back");
        ensure!(pbx.db_get(FAMILY, "8642")?.is_some(), "another is gone");
        Ok(())
    });
}
