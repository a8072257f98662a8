//! Common mistakes in the dialplan have a helpful log line.

use anyhow::{ensure, Result};
use harness::{Call, Pbx};

use super::{on, with};

const CONF: &str = "
[general]
attempts = 1

[customers]
source = file:/pins/people.csv
lockout_caller = 1/15m/30m
";

const PEOPLE: &str = "account,secret\nada,plain:7351937519\n";

const DIALPLAN: &str = "
[mistakes]
exten => value,1,Set(VERDICT=${AUTHENTICATE_VERIFY(customers,${TRY})})
 same => n,NoOp(${VERDICT})
 same => n,Hangup()
exten => name,1,Set(VERDICT=${AUTHENTICATE_VERIFY(customers,TRY)})
 same => n,NoOp(${VERDICT})
 same => n,Hangup()
exten => auth,1,Authenticate(${ASK},cq)
 same => n,NoOp(${AUTHENTICATESTATUS})
 same => n,Hangup()
include => harness-h
";

/// The lines that our module has logged of mistakes.
fn mistakes(pbx: &Pbx) -> Result<Vec<String>> {
    let log = pbx.log()?;
    let is_one = |line: &&str| {
        (line.contains("] ERROR[") || line.contains("] WARNING[")) && line.contains(" at mistakes,")
    };
    Ok(log.lines().filter(is_one).map(str::to_owned).collect())
}

#[test]
fn verify_with_value_in_place_of_name_is_an_error_that_locks_nobody_out() {
    let builder = with(CONF).dialplan(DIALPLAN).pin_file("people.csv", PEOPLE);
    on(builder, |pbx| {
        let call = |exten: &str| {
            Call::to("mistakes", exten)
                .variable("TRY", "7351937519")
                .caller("+905060508169")
                .report("VERDICT")
                .application("NoOp")
        };
        for _ in 0..3 {
            let report = pbx.call(&call("value"))?;
            ensure!(report.status() == "ERROR", "{report:#?}");
        }
        let lines = mistakes(pbx)?;
        ensure!(
            lines.len() == 1
                && lines[0].contains(" at mistakes,value,1: ")
                && lines[0].contains("the name of a variable, VARNAME, not its value ${VARNAME}"),
            "{lines:#?}"
        );
        let log = pbx.log()?;
        let ours = log
            .lines()
            .filter(|line| line.contains("AUTHENTICATE_VERIFY by"));
        for line in ours {
            ensure!(!line.contains("7351937519"), "{line}");
        }
        let report = pbx.call(&call("name"))?;
        ensure!(report.status() == "SUCCESS", "{report:#?}");
        Ok(())
    });
}

#[test]
fn password_that_names_a_pin_set_is_warned_of_once_for_each_place() {
    let builder = with(CONF).dialplan(DIALPLAN).pin_file("people.csv", PEOPLE);
    on(builder, |pbx| {
        let ask = |password: &str| -> Result<Vec<String>> {
            pbx.cli("module reload app_authenticate_rs.so")?;
            let before = mistakes(pbx)?.len();
            for _ in 0..2 {
                let call = Call::to("mistakes", "auth")
                    .variable("ASK", password)
                    .keys("1# 1# 1#")
                    .application("NoOp");
                pbx.call(&call)?;
            }
            Ok(mistakes(pbx)?.split_off(before))
        };
        for (password, meant) in [
            ("customers", "did you mean pinset:customers?"),
            ("PINSET:customers", "did you mean pinset:customers?"),
            ("Pinset:custmers", "did you mean pinset:customers?"),
            ("s3cret", "no telephone can enter this password"),
        ] {
            let lines = ask(password)?;
            ensure!(
                lines.len() == 1 && lines[0].contains(meant),
                "{password}: {lines:#?}"
            );
            ensure!(lines[0].contains(" at mistakes,auth,1: "), "{lines:#?}");
            ensure!(!lines[0].contains("s3cret"), "{lines:#?}");
        }
        ensure!(ask("4711")?.is_empty());
        // A name that is none, in a PIN set's place.
        let call = Call::to("mistakes", "auth")
            .variable("ASK", "pinset:custmers")
            .application("NoOp");
        pbx.call(&call)?;
        let log = pbx.log()?;
        ensure!(log.contains("as it was read at 20"), "{log}");
        ensure!(log.contains(": did you mean 'customers'?"), "{log}");
        Ok(())
    });
}
