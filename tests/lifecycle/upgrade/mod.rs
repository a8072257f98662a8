//! The state of the previous release: lockouts, uses and the journal that its module wrote
//! keep their effect.
//!
//! `state-0.1.0` is Asterisk's database and the journal after a SIGKILL, written in Asterisk
//! 22.10 by a release build of 0.1.0 (commit 4b8d7ee7). For another release, this records
//! them: `RECORD_STATE=folder AUTHENTICATE_MODULE=old.so cargo test --test lifecycle upgrade::`.

use std::fs;
use std::path::{Path, PathBuf};

use anyhow::{ensure, Context, Result};
use harness::{workspace, Builder, Call, Pbx};

use crate::one_time::{journal, press};
use crate::support::{eventually, on};

/// The folder of Asterisk's database and of the journal.
const DATABASE_FOLDER: &str = "/harness/db";
const FILES: [&str; 2] = ["astdb.sqlite3", "app_authenticate_rs.journal"];

/// The lockout of an account after 100 wrong PINs lasts until it is unlocked, so the
/// recorded state never expires.
const WRONG_PINS: usize = 100;
const CONFIGURATION: &str = "\
[general]
country_code = 90
[people]
source = file:/pins/people.csv
format = csv
identify = caller
attempts = 1
lockout_caller = no
lockout_account = 100/1h/1h
lockout_pinset = no
[uses]
source = file:/pins/uses.csv
format = csv
";

fn machine() -> Builder {
    Pbx::builder()
        .file("authenticate.conf", CONFIGURATION)
        .pin_file(
            "people.csv",
            "account,secret,caller\ncarol,plain:1234,+905060508169\ndave,plain:1234,+905060508170\n",
        )
        .pin_file("uses.csv", "account,secret,max_uses\nalice,plain:5678,3\n")
}

fn inside(pbx: &Pbx, file: &str) -> Result<PathBuf> {
    let path = pbx.outside(&format!("{DATABASE_FOLDER}/{file}"));
    path.context("no way to the database")
}

/// Verifies a PIN of the caller; returns the status.
fn verify(pbx: &Pbx, caller: &str, secret: &str) -> Result<String> {
    let headers = [("PinSet", "people"), ("Secret", secret), ("Caller", caller)];
    let answer = pbx.manager()?.action("AuthenticateVerify", &headers)?;
    Ok(answer.get("Status").unwrap_or_default().to_owned())
}

/// A call with a PIN of four digits; returns its status.
fn call(pbx: &Pbx, argument: &str, pin: &str) -> Result<String> {
    let report = pbx.call(&Call::new(argument).keys(&format!("<now>{pin} <hangup>")))?;
    Ok(report.status().to_owned())
}

const CAROL: &str = "+905060508169";
const DAVE: &str = "+905060508170";
const USES: &str = "pinset:uses,q,4,&";
const ONE_TIME: &str = "/once,drq,4,&";

/// Makes the state with the module under test: a lockout and a use in the database, a use
/// and a one-time PIN only in the journal.
fn record(folder: &Path) {
    on(machine(), |pbx| {
        for _ in 0..WRONG_PINS {
            verify(pbx, CAROL, "9999")?;
        }
        ensure!(verify(pbx, CAROL, "1234")? == "LOCKED");
        pbx.db_put("once", "4711", "1")?;
        call(pbx, USES, "5678")?;
        // A stop writes the lockouts.
        pbx.stop()?;
        pbx.start_again()?;
        eventually("an empty journal", || Ok(journal(pbx)?.is_empty()))?;

        let mut calls = Vec::new();
        for argument in [USES, ONE_TIME] {
            let mut call = pbx.place(&Call::new(argument))?;
            call.until("a prompt", |frame| frame.has("Application", "Authenticate"))?;
            calls.push(call);
        }
        // Asterisk commits the first write at once, and the next ones a second later.
        pbx.db_put("other", "1", "1")?;
        for (call, pin) in calls.iter().zip(["5678", "4711"]) {
            for digit in pin.chars() {
                press(pbx, call, &digit.to_string())?;
            }
        }
        eventually("two records", || Ok(journal(pbx)?.lines().count() == 2))?;
        pbx.kill9()?;
        for file in FILES {
            fs::copy(inside(pbx, file)?, folder.join(file))?;
        }
        Ok(())
    });
}

#[test]
fn state_of_the_previous_release_keeps_its_effect() {
    if let Some(folder) = std::env::var_os("RECORD_STATE") {
        record(Path::new(&folder));
        return;
    }
    on(machine(), |pbx| {
        pbx.stop()?;
        for file in FILES {
            let recorded = workspace()
                .join("tests/lifecycle/upgrade/state-0.1.0")
                .join(file);
            fs::copy(recorded, inside(pbx, file)?)?;
        }
        let recorded = journal(pbx)?;
        ensure!(recorded.lines().count() == 2, "{recorded}");
        pbx.start_again()?;
        // The lockout.
        ensure!(verify(pbx, CAROL, "1234")? == "LOCKED");
        ensure!(verify(pbx, DAVE, "1234")? == "SUCCESS");
        pbx.cli("authenticate unlock account carol pinset people")?;
        ensure!(verify(pbx, CAROL, "1234")? == "SUCCESS");
        // Two of three uses, one in the database and one in the journal.
        ensure!(call(pbx, USES, "5678")? == "SUCCESS");
        ensure!(call(pbx, USES, "5678")? != "SUCCESS");
        // The one-time PIN, which the database still has.
        ensure!(call(pbx, ONE_TIME, "4711")? != "SUCCESS");
        eventually("an empty journal", || Ok(journal(pbx)?.is_empty()))
    });
}
