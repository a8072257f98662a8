//! Asterisk's database, locked by a program that has no business there.

use std::io::{BufRead, BufReader};
use std::process::Stdio;

use anyhow::{ensure, Context, Result};
use harness::{Call, Module, Outcome, Pbx};

use super::{journal, try_pin, FAMILY, FOUR_DIGITS};
use crate::support::{eventually, on};

/// Holds the lock of a writer until its input ends.
const LOCKER: &str = "import sqlite3, sys\n\
    db = sqlite3.connect('/harness/db/astdb.sqlite3', timeout=20, isolation_level=None)\n\
    db.execute('BEGIN IMMEDIATE')\n\
    print('locked', flush=True)\n\
    sys.stdin.read()\n\
    db.execute('ROLLBACK')";

#[test]
fn a_locked_database_refuses_and_names_no_pin() {
    on(Pbx::builder().module(Module::Ours).debug(1), |pbx| {
        pbx.db_put(FAMILY, "7531", "1")?;
        // Committed: Asterisk itself lets go of the lock.
        pbx.stop()?;
        pbx.start_again()?;
        while_held(pbx, LOCKER, || {
            let keys = "7531 7531 7531";
            let call = Call::new(format!("{FOUR_DIGITS},agent-pass")).keys(keys);
            let report = pbx.call(&call)?;
            ensure!(report.outcome == Outcome::HungUp, "{report:#?}");
            ensure!(report.status() == "ERROR", "{report:#?}");
            Ok(())
        })?;
        ensure!(pbx.log()?.contains("Asterisk's database can't be written"));
        // Nobody was let in, so it is neither used up nor to be replayed.
        ensure!(journal(pbx)?.is_empty(), "{}", journal(pbx)?);
        let report = try_pin(pbx, "7531")?;
        ensure!(report.outcome == Outcome::Passed, "{report:#?}");
        eventually("an empty journal", || Ok(journal(pbx)?.is_empty()))?;
        let log = pbx.log()?;
        let told = log.lines().find(|line| line.contains("7531"));
        ensure!(told.is_none(), "{told:?}");
        Ok(())
    });
}

fn while_held(pbx: &Pbx, program: &str, work: impl FnOnce() -> Result<()>) -> Result<()> {
    let mut locker = pbx
        .exec_command(&["--interactive"], &["python3", "-c", program])
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .spawn()?;
    let output = locker.stdout.take().context("no output")?;
    let mut said = String::new();
    BufReader::new(output).read_line(&mut said)?;
    ensure!(said.trim() == "locked", "not locked: {said}");
    let done = work();
    drop(locker.stdin.take());
    let status = locker.wait()?;
    ensure!(status.success(), "the locker: {status}");
    done
}

/// Holds the lock of a reader until its input ends: Asterisk can still delete,
/// but every commit of it fails and is rolled back.
const READER: &str = "import sqlite3, sys\n\
    db = sqlite3.connect('/harness/db/astdb.sqlite3', timeout=20, isolation_level=None)\n\
    db.execute('BEGIN')\n\
    db.execute('SELECT count(*) FROM astdb').fetchall()\n\
    print('locked', flush=True)\n\
    sys.stdin.read()\n\
    db.execute('ROLLBACK')";

#[test]
fn a_commit_that_fails_brings_no_used_pin_back() {
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
        let log = pbx.log()?;
        let told = log.lines().find(|line| line.contains("7531"));
        ensure!(told.is_none(), "{told:?}");
        // Asterisk logs the key that is asked for here.
        ensure!(pbx.db_get(FAMILY, "7531")?.is_none(), "the PIN is back");
        ensure!(pbx.db_get(FAMILY, "8642")?.is_some(), "another is gone");
        Ok(())
    });
}
