//! The journal beside Asterisk's database: its content, its lifetime, and its replay at
//! the next start.

use std::fs;
use std::os::unix::fs::PermissionsExt;

use anyhow::{ensure, Context, Result};
use harness::{Call, Module, Outcome, Pbx, Report};

use super::{journal, try_pin, FAMILY, FOUR_DIGITS, JOURNAL};
use crate::module::OURS;
use crate::support::{eventually, has_no_pin, on};

/// What the journal holds for a PIN of our family.
fn record(pin: &str) -> String {
    let hex = |text: &str| -> String { text.bytes().map(|byte| format!("{byte:02x}")).collect() };
    format!("use {} {}\n", hex(FAMILY), hex(pin))
}

fn passes(report: &Report) -> Result<()> {
    ensure!(report.outcome == Outcome::Passed, "{report:#?}");
    ensure!(report.status() == "SUCCESS", "{report:#?}");
    Ok(())
}

fn is_wrong(report: &Report) -> Result<()> {
    ensure!(report.sounds == ["auth-incorrect"], "{report:#?}");
    ensure!(report.status() == "HANGUP", "{report:#?}");
    Ok(())
}

/// A caller whose right PIN can't be used up, three times.
fn is_refused_as_error(pbx: &Pbx, pin: &str) -> Result<()> {
    let call = Call::new(format!("{FOUR_DIGITS},agent-pass"));
    let report = pbx.call(&call.keys(&format!("{pin} {pin} {pin}")))?;
    ensure!(report.outcome == Outcome::HungUp, "{report:#?}");
    ensure!(report.status() == "ERROR", "{report:#?}");
    Ok(())
}

#[test]
fn journal_is_emptied_after_commit_and_a_restored_pin_works() {
    on(Pbx::builder().module(Module::Ours), |pbx| {
        let path = pbx.outside(JOURNAL).context("no journal")?;
        let mode = || Ok::<_, anyhow::Error>(fs::metadata(&path)?.permissions().mode() & 0o7777);
        ensure!(mode()? == 0o600 && journal(pbx)?.is_empty());
        // Added again at once, used again at once: two records.
        for _ in 0..2 {
            pbx.db_put(FAMILY, "1234", "1")?;
            passes(&try_pin(pbx, "1234")?)?;
            is_wrong(&try_pin(pbx, "1234")?)?;
        }
        ensure!(journal(pbx)?.ends_with(&record("1234")), "not recorded");
        ensure!(mode()? == 0o600);
        // And a third time, while the records are still there.
        pbx.db_put(FAMILY, "1234", "1")?;
        eventually("an empty journal", || Ok(journal(pbx)?.is_empty()))?;
        ensure!(mode()? == 0o600);
        ensure!(pbx.db_get(FAMILY, "1234")?.is_some(), "taken away again");
        let marks = pbx.manager()?.command("database show authenticate-rs")?;
        ensure!(marks.contains("0 results"), "{marks}");
        // Nothing is replayed now, however the module comes and goes.
        for command in ["module reload", "module unload", "module load"] {
            pbx.cli(&format!("{command} {OURS}"))?;
        }
        pbx.restart()?;
        passes(&try_pin(pbx, "1234")?)?;
        is_wrong(&try_pin(pbx, "1234")?)?;
        let log = pbx.log()?;
        ensure!(!log.contains("were restored by a crash"));
        has_no_pin(&log, "1234")?;
        Ok(())
    });
}

#[test]
fn journal_records_are_finished_by_the_next_load() {
    on(Pbx::builder().module(Module::Ours), |pbx| {
        for pin in ["1234", "5678"] {
            pbx.db_put(FAMILY, pin, "1")?;
        }
        passes(&try_pin(pbx, "1234")?)?;
        pbx.cli(&format!("module unload {OURS}"))?;
        ensure!(journal(pbx)? == record("1234"), "{}", journal(pbx)?);
        pbx.cli(&format!("module load {OURS}"))?;
        is_wrong(&try_pin(pbx, "1234")?)?;
        eventually("an empty journal", || Ok(journal(pbx)?.is_empty()))?;
        passes(&try_pin(pbx, "5678")?)?;
        // The same with an orderly stop.
        pbx.stop()?;
        pbx.start_again()?;
        is_wrong(&try_pin(pbx, "5678")?)?;
        eventually("an empty journal", || Ok(journal(pbx)?.is_empty()))
    });
}

#[test]
fn damaged_journal_is_reported_and_replayed_as_far_as_possible() {
    on(Pbx::builder().module(Module::Ours), |pbx| {
        for pin in ["1234", "5678", "2468"] {
            pbx.db_put(FAMILY, pin, "1")?;
        }
        pbx.stop()?;
        // The last record was cut off, so it admitted no call.
        let damaged = format!(
            "\u{fffd} garbage\n{}use 6f6e6 zz\n{}",
            record("1234"),
            record("2468").trim_end()
        );
        pbx.write_file(JOURNAL, damaged)?;
        pbx.start_again()?;
        let log = pbx.log()?;
        ensure!(log.contains(": 2 invalid lines"));
        ensure!(log.contains("1 used one-time PINs were restored"));
        is_wrong(&try_pin(pbx, "1234")?)?;
        passes(&try_pin(pbx, "5678")?)?;
        passes(&try_pin(pbx, "2468")?)?;
        let path = pbx.outside(JOURNAL).context("no journal")?;
        ensure!(fs::metadata(path)?.permissions().mode() & 0o7777 == 0o600);
        eventually("an empty journal", || Ok(journal(pbx)?.is_empty()))
    });
}

/// As root, Asterisk may write everywhere; but a folder is no journal.
#[test]
fn missing_journal_admits_nobody_and_is_logged() {
    on(Pbx::builder().module(Module::Ours), |pbx| {
        pbx.db_put(FAMILY, "7531", "1")?;
        pbx.db_put("doors", "2468", "1")?;
        pbx.stop()?;
        let path = pbx.outside(JOURNAL).context("no journal")?;
        fs::remove_file(&path)?;
        fs::create_dir(&path)?;
        pbx.start_again()?;
        let log = pbx.log()?;
        ensure!(log.contains(JOURNAL) && log.contains("One-time PINs (option r) are refused"));
        // A wrong PIN hears the same: nothing tells it from the right one.
        is_refused_as_error(pbx, "1111")?;
        is_refused_as_error(pbx, "7531")?;
        ensure!(pbx.log()?.contains("can't be used up, so it is refused"));
        ensure!(pbx.db_get(FAMILY, "7531")?.is_some(), "gone all the same");
        // What needs no journal goes on.
        let report = pbx.call(&Call::new("/doors,d,4,&").keys("<now>2468"))?;
        passes(&report)?;
        // Repaired, and loaded again.
        fs::remove_dir(&path)?;
        pbx.cli(&format!("module unload {OURS}"))?;
        pbx.cli(&format!("module load {OURS}"))?;
        passes(&try_pin(pbx, "7531")?)?;
        let log = pbx.log()?;
        ensure!(!log.contains(&record("7531")));
        has_no_pin(&log, "7531")
    });
}

#[test]
fn removed_journal_is_created_again() {
    on(Pbx::builder().module(Module::Ours), |pbx| {
        pbx.db_put(FAMILY, "1234", "1")?;
        let path = pbx.outside(JOURNAL).context("no journal")?;
        fs::remove_file(&path)?;
        passes(&try_pin(pbx, "1234")?)?;
        ensure!(journal(pbx)? == record("1234"), "not recorded");
        Ok(())
    });
}
