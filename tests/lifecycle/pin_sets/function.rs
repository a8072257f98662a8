//! `AUTHENTICATE_VERIFY(pinset,VARNAME[,caller[,account]])`, for dialplans that collect
//! the PIN themselves.

use anyhow::{ensure, Context, Result};
use harness::{Builder, Call, Outcome, Pbx};

use super::{all_become, becomes, is_logged, on, passed, refused, row, shell, with, Want};

const CONF: &str = "
[general]
country_code = 90
source = file:/pins/people.csv

[people]
account_code = yes
on_success = goto:internal,1091,1
on_failure = goto:internal,1092,1

[high]
required_level = 5

[long]
min_digits = 5

[by-caller]
identify = caller

[or-account]
identify = caller
no_caller = account

[by-account]
identify = account

[once]
source = file:/pins/once.csv

[family]
source = astdb:family
one_time = yes

[no-list]
source = file:/pins/no-such-list

[wrong]
source = file:/pins/people.csv
attempts = 0
";

const PEOPLE: &str = "account,secret,caller,level,valid_until,context\n\
    1001,plain:1234,+905060508169,5,,vip\n\
    1002,plain:2222,+905321112233,,,\n\
    1003,plain:3333,,,2000-12-31,\n";

const ONCE: &str = "account,secret,max_uses\nada,plain:1234,1\n";

const DIALPLAN: &str = "
[verify]
exten => s,1,Set(VERDICT=${AUTHENTICATE_VERIFY(${ASK})})
 same => n,NoOp(${VERDICT})
 same => n,Hangup()
exten => twice,1,Set(VERDICT=${AUTHENTICATE_VERIFY(people,TRY)})
 same => n,Set(TRY=0000)
 same => n,Set(VERDICT=${AUTHENTICATE_VERIFY(people,TRY)})
 same => n,NoOp(${VERDICT})
 same => n,Hangup()
exten => agi,1,AGI(/harness/verify.agi)
 same => n,NoOp(${VERDICT})
 same => n,Hangup()
exten => hold,1,Wait(60)
include => harness-h
";

fn builder() -> Builder {
    with(CONF)
        .dialplan(DIALPLAN)
        .pin_file("people.csv", PEOPLE)
        .pin_file("once.csv", ONCE)
}

/// A call that has `entry` in the variable TRY, and what the function made of
/// it.
fn ask(arguments: &str, entry: &str) -> Call {
    to("s").variable("TRY", entry).variable("ASK", arguments)
}

fn to(extension: &str) -> Call {
    Call::to("verify", extension)
        .variable("CHANNEL(accountcode)", "orig")
        .report("VERDICT")
        .report("TRY")
        .application("NoOp")
}

/// The verdict, once as the function's value and once as the status; no more
/// is done about it.
fn says(status: &'static str) -> Want {
    let want = match status {
        "SUCCESS" => passed(),
        _ => refused(status).outcome(Outcome::Continued),
    };
    want.variable("VERDICT", status)
        .variable("TRY", "")
        .account_code("orig")
        .sounds(&[])
}

fn nobody(status: &'static str) -> Want {
    says(status).account("").level("").context("")
}

#[test]
fn function_returns_each_verdict() {
    const ADA: &str = "+905060508169";
    on(builder(), |pbx| {
        let is = |account: &str| says("SUCCESS").account(account).attempts("1");
        let from = |number: &str, call: Call| call.caller(number);
        let failure = || nobody("FAILURE").attempts("1");
        all_become(
            pbx,
            &[
                row(
                    "right",
                    ask("people,TRY", "1234"),
                    is("1001").level("5").context("vip"),
                ),
                row(
                    "another",
                    ask("people,TRY", "2222"),
                    is("1002").level("0").context(""),
                ),
                row("the set in any case", ask("PEOPLE,TRY", "1234"), is("1001")),
                row(
                    "a variable that is inherited",
                    to("s")
                        .variable("__TRY", "1234")
                        .variable("ASK", "people,TRY"),
                    is("1001"),
                ),
                row("wrong", ask("people,TRY", "9999"), failure()),
                row("nothing", ask("people,TRY", ""), failure()),
                row("expired", ask("people,TRY", "3333"), nobody("EXPIRED")),
                row("no level", ask("high,TRY", "2222"), failure()),
                row("enough", ask("high,TRY", "1234"), is("1001")),
                row("too short", ask("long,TRY", "1234"), failure()),
                row(
                    "no key of a telephone",
                    ask("people,TRY", "12x4"),
                    failure(),
                ),
                row(
                    "caller",
                    from(ADA, ask("by-caller,TRY", "1234")),
                    is("1001"),
                ),
                row(
                    "another caller's",
                    from(ADA, ask("by-caller,TRY", "2222")),
                    failure(),
                ),
                row(
                    "in place of the caller",
                    from(ADA, ask("by-caller,TRY,05321112233", "2222")),
                    is("1002"),
                ),
                row(
                    "in place of the caller, wrong",
                    from(ADA, ask("by-caller,TRY,05321112233", "1234")),
                    failure(),
                ),
                row("no caller", ask("by-caller,TRY", "1234"), failure()),
                row(
                    "no caller, an account",
                    ask("or-account,TRY,,1002", "2222"),
                    is("1002"),
                ),
                row(
                    "by account",
                    ask("by-account,TRY,,1002", "2222"),
                    is("1002"),
                ),
                row(
                    "by another account",
                    ask("by-account,TRY,,1001", "2222"),
                    failure(),
                ),
                row(
                    "no such set",
                    ask("no-such-set,TRY", "1234"),
                    nobody("ERROR"),
                ),
                row("no list", ask("no-list,TRY", "1234"), nobody("ERROR")),
                row("a broken set", ask("wrong,TRY", "1234"), nobody("ERROR")),
                row(
                    "cleared by the next",
                    to("twice").variable("TRY", "1234"),
                    nobody("FAILURE"),
                ),
                // An error, and nothing that could be cleared.
                row(
                    "no variable",
                    ask("people", "1234"),
                    nobody("ERROR").variable("TRY", "1234"),
                ),
                row(
                    "an empty one",
                    ask("people,", "1234"),
                    nobody("ERROR").variable("TRY", "1234"),
                ),
                row(
                    "nothing at all",
                    ask("", "1234"),
                    nobody("ERROR").variable("TRY", "1234"),
                ),
                row(
                    "no set",
                    ask(",TRY", "1234"),
                    refused("ERROR")
                        .outcome(Outcome::Continued)
                        .variable("VERDICT", "ERROR"),
                ),
            ],
        )?;
        is_logged(pbx, &["AUTHENTICATE_VERIFY"])?;
        is_logged(pbx, &["no-such-set"])?;
        // No account: nobody can be asked for one.
        for arguments in ["by-account,TRY", "or-account,TRY"] {
            let report = pbx.call(&ask(arguments, "1234"))?;
            let status = report.status();
            ensure!(
                matches!(status, "FAILURE" | "ERROR"),
                "{arguments}: {status}"
            );
        }
        // Without a call there is no variable, and nobody to ask for.
        let pid = pbx.pid()?;
        let printed = pbx.cli("dialplan eval function AUTHENTICATE_VERIFY(people,TRY)")?;
        ensure!(
            !printed.contains("SUCCESS") && pbx.pid()? == pid,
            "{printed}"
        );
        let shown = pbx.cli("core show function AUTHENTICATE_VERIFY")?;
        ensure!(
            shown.contains("VARNAME") || shown.contains("pinset"),
            "{shown}"
        );
        Ok(())
    });
}

#[test]
fn function_consumes_uses() {
    on(builder(), |pbx| {
        pbx.db_put("family", "4711", "1")?;
        becomes(
            pbx,
            &ask("once,TRY", "1234"),
            &says("SUCCESS").account("ada"),
        )?;
        becomes(pbx, &ask("once,TRY", "1234"), &nobody("EXPIRED"))?;
        // The application counts on.
        let call = super::call("once", "1234# 1234# 1234#");
        becomes(pbx, &call, &refused("EXPIRED"))?;
        becomes(pbx, &ask("family,TRY", "4711"), &says("SUCCESS"))?;
        ensure!(pbx.db_get("family", "4711")?.is_none(), "still there");
        becomes(pbx, &ask("family,TRY", "4711"), &nobody("FAILURE")).map(drop)
    });
}

/// Asks as a program of the administrator's would.
const SCRIPT: &str = r#"#!/usr/bin/python3
import sys
while sys.stdin.readline().strip():
    pass
def do(command):
    print(command, flush=True)
    return sys.stdin.readline().strip()
do('SET VARIABLE TRY 1234')
answer = do('GET FULL VARIABLE ${AUTHENTICATE_VERIFY(people,TRY)}')
do('SET VARIABLE ANSWER "%s"' % answer)
do('SET VARIABLE VERDICT "%s"' % answer[answer.find('(') + 1:answer.rfind(')')])
"#;

#[test]
fn function_works_from_agi() {
    on(
        builder().modules("load = res_speech.so\nload = res_agi.so"),
        |pbx| {
            pbx.write_file("/harness/verify.agi", SCRIPT)?;
            shell(pbx, "chmod 755 /harness/verify.agi")?;
            let want = says("SUCCESS")
                .account("1001")
                .variable("ANSWER", "200 result=1 (SUCCESS)");
            becomes(pbx, &to("agi").report("ANSWER"), &want).map(drop)
        },
    );
}

/// What AMI says of an expression, on the channel of a call.
fn getvar(pbx: &Pbx, channel: &str, name: &str) -> Result<String> {
    let headers = [("Channel", channel), ("Variable", name)];
    let answer = pbx.manager()?.ask("Getvar", &headers)?;
    Ok(answer.get("Value").unwrap_or_default().to_owned())
}

/// Manager users with the right to read variables could try PINs with it, and use
/// them up.
fn asked_by_ami(builder: Builder, verdict: &str, left: &str) {
    on(builder, |pbx| {
        let mut ongoing = pbx.place(&to("hold").variable("TRY", "1234"))?;
        ongoing.until("the wait", |frame| {
            frame.event() == Some("Newexten") && frame.has("Application", "Wait")
        })?;
        let channel = ongoing.channel().context("no channel")?.to_owned();
        let printed = getvar(pbx, &channel, "AUTHENTICATE_VERIFY(once,TRY)")?;
        ensure!(printed == verdict, "{printed:?} instead of {verdict:?}");
        let try_now = getvar(pbx, &channel, "TRY")?;
        ensure!(try_now == left, "TRY is {try_now:?}");
        ongoing.hang_up()?;
        ongoing.finish()?;
        let then = match verdict {
            "SUCCESS" => nobody("EXPIRED"),
            _ => says("SUCCESS"),
        };
        becomes(pbx, &ask("once,TRY", "1234"), &then).map(drop)
    });
}

#[test]
fn function_is_refused_from_ami() {
    asked_by_ami(builder(), "", "1234");
}

#[test]
fn function_works_from_ami_with_live_dangerously() {
    let conf = "[directories]\n\
        astdbdir => /harness/db\n\
        [options]\n\
        nocolor = yes\n\
        live_dangerously = yes\n";
    asked_by_ami(builder().file("asterisk.conf", conf), "SUCCESS", "");
}
