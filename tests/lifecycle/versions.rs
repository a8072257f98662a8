//! An upgrade of Asterisk within a major version, and back, on the same files: `make
//! test-versions` runs it.

use std::process::Command;

use anyhow::{ensure, Result};
use harness::{workspace, Call, Outcome, Pbx};

/// Debian's suites of the older and the newer Asterisk.
const OLDER: &str = "sid";
const NEWER: &str = "experimental";

const CONF: &str = "
[general]
lockout_caller = 3/1h/1h
attempts = 1

[people]
source = file:/pins/people.csv

[once]
source = astdb:once
one_time = yes
";

const PEOPLE: &str = "account,secret,max_uses\n\
    ada,plain:1111,3\n\
    bob,plain:2222,\n";

const CALLER: &str = "+905060508169";
/// Enters used PINs, fewer times than lock out.
const OTHER: &str = "+905060508171";
const ATTACKER: &str = "+905060508170";

fn status(pbx: &Pbx, set: &str, pin: &str, caller: &str) -> Result<String> {
    let call = Call::new(format!("pinset:{set},q"))
        .caller(caller)
        .keys(&format!("<now>{pin}#"));
    let report = pbx.call(&call)?;
    let status = report.status().to_owned();
    ensure!(
        (report.outcome == Outcome::Passed) == (status == "SUCCESS"),
        "{report:#?}"
    );
    Ok(status)
}

/// Calls and the status of each.
fn check(pbx: &Pbx, expected: &[(&str, &str, &str, &str)]) -> Result<()> {
    let version = pbx.cli("core show version")?;
    for (set, pin, caller, wanted) in expected {
        let status = status(pbx, set, pin, caller)?;
        ensure!(
            status == *wanted,
            "{set} {pin} {caller}: {status}, not {wanted}, on {version}"
        );
    }
    Ok(())
}

/// Lockouts, uses and one-time PINs are kept, and the module's file is the same.
fn upgrade_and_return(pbx: &mut Pbx) -> Result<()> {
    pbx.db_put("once", "7351", "1")?;
    pbx.db_put("once", "7352", "1")?;
    let older = pbx.cli("core show version")?;
    check(
        pbx,
        &[
            ("people", "1111", CALLER, "SUCCESS"),
            ("once", "7351", CALLER, "SUCCESS"),
            ("people", "9999", ATTACKER, "FAILURE"),
            ("people", "9998", ATTACKER, "FAILURE"),
            ("people", "9997", ATTACKER, "LOCKED"),
        ],
    )?;

    pbx.change_suite(NEWER)?;
    let newer = pbx.cli("core show version")?;
    ensure!(
        newer != older,
        "{NEWER} has no other Asterisk than {OLDER}: {newer}"
    );
    check(
        pbx,
        &[
            ("people", "2222", ATTACKER, "LOCKED"),
            ("once", "7351", OTHER, "FAILURE"),
            ("once", "7352", CALLER, "SUCCESS"),
            ("people", "1111", CALLER, "SUCCESS"),
        ],
    )?;
    let unlocked = pbx.cli("authenticate unlock caller +905060508170")?;
    check(pbx, &[("people", "2222", ATTACKER, "SUCCESS")])
        .map_err(|error| error.context(unlocked))?;

    pbx.change_suite(OLDER)?;
    check(
        pbx,
        &[
            ("people", "2222", ATTACKER, "SUCCESS"),
            ("once", "7352", OTHER, "FAILURE"),
            ("people", "1111", CALLER, "SUCCESS"),
            ("people", "1111", CALLER, "EXPIRED"),
        ],
    )
}

/// The names that `make selected` runs, none of which may vanish silently.
#[test]
fn selected_tests_exist() -> Result<()> {
    let listed = Command::new(std::env::current_exe()?)
        .args(["--list", "--format", "terse"])
        .output()?;
    let listed = String::from_utf8(listed.stdout)?;
    let selected = std::fs::read_to_string(workspace().join("tests/selected"))?;
    for name in selected.lines().filter(|line| !line.starts_with('#')) {
        let listed = listed.lines().any(|line| line == format!("{name}: test"));
        ensure!(listed, "tests/selected: there is no test {name}");
    }
    Ok(())
}

#[test]
fn module_file_serves_an_upgrade_of_asterisk_and_the_way_back() {
    let builder = Pbx::builder()
        .file("authenticate.conf", CONF)
        .pin_file("people.csv", PEOPLE);
    let mut pbx = match builder.start() {
        Ok(pbx) => pbx,
        Err(error) => panic!("{error:#}"),
    };
    if let Err(error) = upgrade_and_return(&mut pbx) {
        panic!("{error:#}");
    }
}
