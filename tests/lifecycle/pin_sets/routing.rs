//! Where a call continues, and with which variables.

use anyhow::{ensure, Context};
use harness::{Call, Outcome};

use super::{
    all_become, becomes, broken, call, impatient, is_logged, on, passed, refused, row, with, Want,
};

const CONF: &str = "
[general]
source = file:/pins/people.csv
attempts = 2

[hangup]

[continue]
on_success = continue
on_failure = continue

[number]
on_success = goto:internal,1091,1
on_failure = goto:internal,1092,1

[label]
on_success = goto:internal,1092,2nd
on_failure = goto: internal , 1092 , 2nd

[nowhere]
on_success = goto:internal,1099,1
on_failure = goto:no-such-context,1092,1

[no-label]
on_success = goto:internal,1091,night
on_failure = goto:internal,1091,night

[lost]
source = file:/pins/no-such-list
on_failure = continue

[lost-goto]
source = file:/pins/no-such-list
on_failure = goto:internal,1092,1

[unasked]
identify = caller
on_failure = goto:internal,1092,1
";

const PEOPLE: &str = "account,secret,level,valid_until,context\n\
    ada,plain:1234,5,,\n\
    bob,plain:2222,,,vip\n\
    carl,plain:3333,,,no-such-context\n\
    gone,plain:4444,,2000-12-31,\n";

const WRONG: &str = "1# 2#";
const ASKED: [&str; 2] = ["agent-pass", "auth-incorrect"];

fn builder() -> harness::Builder {
    with(CONF).pin_file("people.csv", PEOPLE)
}

/// Refused after two tries, with failure_prompt or without.
fn failed(status: &'static str, goodbye: bool) -> Want {
    let goodbye = goodbye.then_some("vm-goodbye");
    let sounds: Vec<&str> = ASKED.into_iter().chain(goodbye).collect();
    refused(status).sounds(&sounds)
}

fn went(set: &str) -> Option<&'static str> {
    match set {
        "number" => Some("internal,1092,1"),
        "label" => Some("internal,1092,3"),
        _ => None,
    }
}

#[test]
fn on_success_routes_admitted_calls() {
    let thanked = || passed().sounds(&["agent-pass", "auth-thankyou"]);
    on(builder(), |pbx| {
        all_become(
            pbx,
            &[
                row("unless told", call("hangup", "1234#"), thanked()),
                row("continue", call("continue", "1234#"), thanked()),
                row(
                    "goto",
                    call("number", "1234#"),
                    thanked().went("internal,1091,1"),
                ),
                row(
                    "a label",
                    call("label", "1234#"),
                    thanked().went("internal,1092,3"),
                ),
                row(
                    "q leaves the thanks out",
                    call("number,q", "1234#"),
                    passed().sounds(&["agent-pass"]).went("internal,1091,1"),
                ),
                row(
                    "the row's context",
                    call("number", "2222#"),
                    thanked().went("vip,1091,1").context("vip"),
                ),
                row(
                    "c and j are for failures",
                    call("number,cj", "1234#"),
                    thanked().went("internal,1091,1"),
                ),
            ],
        )?;
        // Let in, but nowhere to go.
        for (set, keys) in [
            ("nowhere", "1234#"),
            ("no-label", "1234#"),
            ("number", "3333#"),
        ] {
            let want = passed().outcome(Outcome::HungUp);
            becomes(pbx, &call(set, keys), &want).with_context(|| format!("{set} {keys}"))?;
        }
        for place in [
            "internal,1099,1",
            "internal,1091,night",
            "no-such-context,1091,1",
        ] {
            is_logged(pbx, &["] ERROR[", place])?;
        }
        Ok(())
    });
}

#[test]
fn on_failure_routes_refused_calls() {
    let late = "4444# 4444#";
    on(builder(), |pbx| {
        let mut rows = vec![
            row("hangup", call("hangup", WRONG), failed("FAILURE", true)),
            row(
                "hangup, q",
                call("hangup,q", WRONG),
                failed("FAILURE", false),
            ),
            row(
                "continue",
                call("continue", WRONG),
                failed("FAILURE", false).outcome(Outcome::Continued),
            ),
            row(
                "a list that is no good, continue",
                call("lost", "1234# 1234#"),
                broken().outcome(Outcome::Continued),
            ),
            row(
                "a list that is no good, goto",
                call("lost-goto", "1234# 1234#"),
                broken().went("internal,1092,1"),
            ),
            row(
                "nobody was asked",
                call("unasked", ""),
                refused("FAILURE")
                    .sounds(&["vm-goodbye"])
                    .went("internal,1092,1"),
            ),
        ];
        for set in ["number", "label"] {
            let there = went(set).unwrap_or_default();
            let want = |status, goodbye| failed(status, goodbye).went(there);
            rows.extend([
                row("goto", call(set, WRONG), want("FAILURE", true)),
                row(
                    "goto, q",
                    call(&format!("{set},q"), WRONG),
                    want("FAILURE", false),
                ),
                row("goto, silence", impatient(set, ""), want("TIMEOUT", true)),
                row("goto, expired", call(set, late), want("EXPIRED", true)),
            ]);
        }
        all_become(pbx, &rows)?;
        for set in ["nowhere", "no-label"] {
            becomes(pbx, &call(set, WRONG), &failed("FAILURE", true)).context(set)?;
        }
        is_logged(pbx, &["] ERROR[", "no-such-context,1092,1"])?;
        is_logged(pbx, &["] ERROR[", "internal,1091,night"])
    });
}

/// `j`, then `c`, then what the section says.
#[test]
fn dialplan_options_precede_on_failure() {
    let jumped = || failed("FAILURE", false).outcome(Outcome::Jumped);
    let continued = |status| failed(status, false).outcome(Outcome::Continued);
    on(builder(), |pbx| {
        let with_target = |args: &str, keys: &str| call(args, keys).with_jump_target();
        all_become(
            pbx,
            &[
                row("j", with_target("hangup,j", WRONG), jumped()),
                row("j over goto", with_target("number,j", WRONG), jumped()),
                row("j over c", with_target("continue,cj", WRONG), jumped()),
                row(
                    "j without a target",
                    call("number,j", WRONG),
                    failed("FAILURE", true).went("internal,1092,1"),
                ),
                row(
                    "j without a target, c",
                    call("number,jc", WRONG),
                    continued("FAILURE"),
                ),
                row(
                    "c over hangup",
                    call("hangup,c", WRONG),
                    continued("FAILURE"),
                ),
                row("c over goto", call("number,c", WRONG), continued("FAILURE")),
                row(
                    "c, a list that is no good",
                    call("lost-goto,c", "1234# 1234#"),
                    broken().outcome(Outcome::Continued),
                ),
                row(
                    "c, silence",
                    impatient("number,c", ""),
                    continued("TIMEOUT"),
                ),
                row(
                    "c, expired",
                    call("number,c", "4444# 4444#"),
                    continued("EXPIRED"),
                ),
                row(
                    "c, nobody was asked",
                    call("unasked,c", ""),
                    refused("FAILURE").sounds(&[]).outcome(Outcome::Continued),
                ),
                row(
                    "j, nobody was asked",
                    with_target("unasked,j", ""),
                    refused("FAILURE").sounds(&[]).outcome(Outcome::Jumped),
                ),
                row(
                    "j, a list that is no good",
                    with_target("lost-goto,j", "1234# 1234#"),
                    broken().outcome(Outcome::Jumped),
                ),
                row(
                    "c, no such set",
                    call("no-such-set,c", ""),
                    broken().outcome(Outcome::Continued),
                ),
            ],
        )
    });
}

/// None of what an earlier call of the application left is left.
#[test]
fn variables_are_set_and_cleared() {
    let stale = |call: Call| {
        [
            ("AUTHENTICATESTATUS", "SUCCESS"),
            ("AUTHENTICATEACCOUNT", "stale"),
            ("AUTHENTICATELEVEL", "9"),
            ("AUTHENTICATECONTEXT", "stale"),
            ("AUTHENTICATEATTEMPTS", "9"),
        ]
        .iter()
        .fold(call, |call, (name, value)| call.variable(name, value))
    };
    let nobody = |want: Want| want.account("").level("").context("");
    on(builder(), |pbx| {
        let mut rows = vec![
            row(
                "success",
                call("hangup", "9# 1234#"),
                passed().account("ada").level("5").context("").attempts("2"),
            ),
            row(
                "success, and a context",
                call("hangup", "2222#"),
                passed()
                    .account("bob")
                    .level("0")
                    .context("vip")
                    .attempts("1"),
            ),
            row(
                "failure",
                call("hangup", "4444# 9#"),
                nobody(refused("FAILURE")).attempts("2"),
            ),
            row(
                "timeout",
                impatient("hangup", ""),
                nobody(refused("TIMEOUT")).attempts("2"),
            ),
            row(
                "expired",
                call("hangup", "9# 4444#"),
                nobody(refused("EXPIRED")).attempts("2"),
            ),
            row(
                "no list",
                call("lost-goto", "1# 2#"),
                nobody(broken()).went("internal,1092,1"),
            ),
            row("no set", call("no-such-set", ""), nobody(broken())),
            row(
                "hung up while keying",
                call("number", "12<hangup>"),
                nobody(refused("HANGUP")),
            ),
            row(
                "hung up in the second try",
                call("continue,c", "9# 12<hangup>"),
                nobody(refused("HANGUP")),
            ),
            row(
                "hung up while thanked: let in, and gone",
                call("number", "1234# <hangup>"),
                passed().outcome(Outcome::HungUp).account("ada"),
            ),
        ];
        for row in &mut rows {
            row.call = stale(row.call.clone());
        }
        all_become(pbx, &rows)?;
        is_logged(pbx, &["no-such-set"])?;
        let in_use = crate::module::use_count(&*pbx.manager()?)?;
        ensure!(in_use == 0, "{in_use}");
        Ok(())
    });
}
