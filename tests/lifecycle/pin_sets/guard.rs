//! Every wrong attempt counts, and every check is made at each attempt.

use std::fs;

use anyhow::{ensure, Context, Result};
use harness::{Builder, Call, Pbx};

use super::made::{csv, hex, hmac};
use super::{
    becomes, broken, call, is_logged, on, passed, refused, reload, shell, with, with_lockouts,
};
use crate::support::eventually;

const KEY: [u8; 32] = [0x11; 32];
const LOST: [u8; 32] = [0xa7; 32];

fn pepper() -> String {
    format!("k1:{}\n", hex(&KEY))
}

/// Three rows whose key is in the pepper file, and one whose key is not.
fn people() -> Result<String> {
    Ok(csv(
        "account,secret,caller",
        &[
            &["1", &hmac("k1", &KEY, "1001")?, "+905060508161"],
            &["2", &hmac("k1", &KEY, "1002")?, "+905060508162"],
            &["3", &hmac("k1", &KEY, "1003")?, "+905060508163"],
            &["4", &hmac("k0", &LOST, "1004")?, "+905060508164"],
        ],
    ))
}

fn with_a_missing_key() -> Result<Builder> {
    let only_lost = csv("account,secret", &[&["4", &hmac("k0", &LOST, "1004")?]]);
    let conf = "[general]\ncountry_code = 90\npepper_file = /pins/pepper\nattempts = 1\n\
        source = file:/pins/people.csv\nlockout_caller = 5/15m/30m\n\
        [by-pin]\n\
        [by-caller]\nidentify = caller\n\
        [by-account]\nidentify = account\n\
        [lost]\nsource = file:/pins/lost.csv\n\
        [lost-by-account]\nsource = file:/pins/lost.csv\nidentify = account\n";
    Ok(with_lockouts(conf)
        .pin_file("people.csv", people()?)
        .pin_file("lost.csv", only_lost)
        .pin_file_of_mode("pepper", pepper(), 0o600))
}

#[test]
fn missing_pepper_key_leaves_lockouts_in_force() -> Result<()> {
    on(with_a_missing_key()?, |pbx| {
        let owner = "+905060508161";
        for (name, wrong, right) in [
            ("by-pin", "9999#", "1001#"),
            ("by-caller", "9999#", "1001#"),
            ("by-account", "1# 9999#", "1# 1001#"),
        ] {
            let wrong = call(name, wrong).caller(owner);
            for _ in 0..4 {
                becomes(pbx, &wrong, &refused("FAILURE").attempts("1"))?;
            }
            becomes(pbx, &wrong, &refused("LOCKED").attempts("1"))?;
            let locked = refused("LOCKED").attempts("0").whatever_keyed();
            for _ in 0..7 {
                becomes(pbx, &wrong, &locked)?;
            }
            becomes(pbx, &call(name, right).caller(owner), &locked)?;
            is_logged(pbx, &[name, "the pepper file has no key k0"])?;
        }
        Ok(())
    });
    Ok(())
}

/// Neither status nor sounds tell a row without its key from a row there is not.
#[test]
fn missing_pepper_key_answers_as_an_unknown_caller() -> Result<()> {
    on(with_a_missing_key()?, |pbx| {
        let sounds: &[&str] = &["agent-pass", "vm-goodbye"];
        for caller in ["+905060508164", "+905060508169"] {
            let entry = call("by-caller", "1004#").caller(caller);
            becomes(pbx, &entry, &refused("FAILURE").sounds(sounds))?;
        }
        let sounds: &[&str] = &["agent-user", "agent-pass", "vm-goodbye"];
        for account in ["4", "7"] {
            let entry = call("by-account", &format!("{account}# 1004#"));
            becomes(pbx, &entry, &refused("FAILURE").sounds(sounds))?;
        }
        becomes(pbx, &call("by-pin", "1004#"), &refused("FAILURE"))?;
        becomes(pbx, &call("by-pin", "1003#"), &passed().account("3")).map(drop)
    });
    Ok(())
}

#[test]
fn list_without_a_checkable_row_is_an_error_that_does_not_count() -> Result<()> {
    on(with_a_missing_key()?, |pbx| {
        for _ in 0..6 {
            becomes(pbx, &call("lost", "1004#").caller("100"), &broken())?;
        }
        let known = call("lost-by-account", "4# 1004#").caller("100");
        becomes(pbx, &known, &broken())?;
        let unknown = call("lost-by-account", "7# 1004#").caller("100");
        becomes(pbx, &unknown, &broken())?;
        is_logged(pbx, &["lost", "the pepper file has no key k0"])
    });
    Ok(())
}

/// Rows without a key are named when the list is read, and where it is shown.
#[test]
fn missing_pepper_key_is_named_at_load_reload_and_on_the_command_line() -> Result<()> {
    on(with_a_missing_key()?, |pbx| {
        let named = "1 row can't be checked, line 5: the pepper file has no key k0";
        is_logged(pbx, &["] WARNING[", "people.csv", named])?;
        let shown = || pbx.cli("authenticate show pinset by-caller");
        ensure!(shown()?.contains(named), "{}", shown()?);
        let state = pbx.cli("authenticate show pinset lost")?;
        ensure!(state.contains("the pepper file has no key k0"), "{state}");

        let path = pbx.outside("/pins/pepper").context("no way in")?;
        fs::write(&path, format!("{}k0:{}\n", pepper(), hex(&LOST)))?;
        reload(pbx, true)?;
        ensure!(!shown()?.contains("no key"), "{}", shown()?);
        becomes(pbx, &call("by-pin", "1004#"), &passed().account("4"))?;
        becomes(pbx, &call("lost", "1004#"), &passed().account("4"))?;

        // A reload that leaves a list without a row that can be checked is not taken.
        fs::write(&path, pepper())?;
        reload(pbx, false)?;
        becomes(pbx, &call("lost", "1004#"), &passed().account("4"))?;
        becomes(pbx, &call("by-pin", "1004#"), &passed().account("4")).map(drop)
    });
    Ok(())
}

const CONFLICTS: &str = "[general]\nattempts = 1\n\
    [open]\nsource = file:/pins/doors\n\
    [level]\nsource = file:/pins/doors\nrequired_level = 5\n\
    [people]\nsource = file:/pins/people\n\
    [pin-of-people]\nsource = file:/pins/people\naccount_code = pin\n\
    [staff]\nsource = file:/pins/staff.csv\n\
    [pin-of-staff]\nsource = file:/pins/staff.csv\naccount_code = pin\n";

/// The pairs of PIN sets of a list: which conflicts with it, and which does not.
const PAIRS: [(&str, &str, &str); 3] = [
    ("level", "open", "required_level above 0 needs a csv list"),
    (
        "pin-of-people",
        "people",
        "account_code = pin is for lists without accounts",
    ),
    (
        "pin-of-staff",
        "staff",
        "account_code = pin is for lists without accounts",
    ),
];

fn with_conflicts() -> Builder {
    with(CONFLICTS)
        .pin_file("doors", "1234\n")
        .pin_file("people", "ada:81dc9bdb52d04dc20036dbd8313ed055\n")
        .pin_file("staff.csv", "account,secret\nada,plain:1234\n")
}

#[test]
fn conflicting_pin_set_is_refused_before_and_after_another_loads_its_list() {
    on(with_conflicts(), |pbx| {
        until_memory_answers(pbx)?;
        for (refused, admits, why) in PAIRS {
            let conflicting = call(refused, "1234#");
            becomes(pbx, &conflicting, &broken()).context("not in memory")?;
            for _ in 0..2 {
                becomes(pbx, &call(admits, "1234#"), &passed())?;
                becomes(pbx, &conflicting, &broken()).context("in memory")?;
            }
            is_logged(pbx, &[&format!("'{refused}'"), why])?;
        }
        // By a list that is no PIN set's.
        let plain = Call::new("/pins/doors").keys("1234#");
        becomes(pbx, &plain, &passed())?;
        becomes(pbx, &call("level", "1234#"), &broken()).map(drop)
    });
}

/// What was in memory first is asked of a PIN set that a reload brings.
#[test]
fn conflicting_pin_set_is_refused_where_its_list_was_in_memory_first() {
    let conf = CONFLICTS
        .replace("required_level = 5\n", "")
        .replace("account_code = pin\n", "");
    on(
        with(&conf)
            .pin_file("doors", "1234\n")
            .pin_file("people", "ada:81dc9bdb52d04dc20036dbd8313ed055\n")
            .pin_file("staff.csv", "account,secret\nada,plain:1234\n"),
        |pbx| {
            until_memory_answers(pbx)?;
            for (conflicting, admits, _) in PAIRS {
                becomes(pbx, &call(admits, "1234#"), &passed())?;
                becomes(pbx, &call(conflicting, "1234#"), &passed())?;
            }
            // Loaded with the conflicts, which the log names, and lists in memory.
            pbx.write_file(super::CONF, CONFLICTS)?;
            pbx.restart()?;
            for (conflicting, admits, _) in PAIRS {
                becomes(pbx, &call(admits, "1234#"), &passed())?;
                becomes(pbx, &call(conflicting, "1234#"), &broken())?;
                let verified = verify(pbx, conflicting)?;
                ensure!(verified == "ERROR", "{conflicting}: {verified}");
            }
            Ok(())
        },
    );
}

fn verify(pbx: &Pbx, pin_set: &str) -> Result<String> {
    let headers = [("PinSet", pin_set), ("Secret", "1234"), ("Caller", "1")];
    let answer = pbx.manager()?.action("AuthenticateVerify", &headers)?;
    Ok(answer.get("Status").unwrap_or_default().to_owned())
}

/// Waits until the lists have not changed for so long that memory answers for them.
fn until_memory_answers(pbx: &Pbx) -> Result<()> {
    const AGE: &str = "cd /pins; for list in *; do \
        echo $(($(date +%s) - $(stat -c %Z $list))); done | sort -n | head -n 1";
    eventually("lists that have not changed for some seconds", || {
        Ok(shell(pbx, AGE)?.trim().parse::<i64>()? >= 3)
    })
}
