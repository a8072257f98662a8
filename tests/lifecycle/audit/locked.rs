//! Who is locked out is told so: by what, and for how long.

use anyhow::{ensure, Context, Result};
use harness::{Call, Pbx};

use super::{builder, lines, Ears, Told};
use crate::support::on;

const CONF: &str = "
[general]
country_code = 90
source = file:/pins/people.csv
attempts = 1
prompt =
account_prompt =
locked_prompt =
lockout_caller = no
lockout_account = no
lockout_pinset = no

[by-caller]
lockout_caller = 1/15m/30m

[by-budget]
lockout_pinset = 1/1h/15m

[by-account]
identify = account
lockout_account = 1/1h/1h

[hundred]
identify = caller
lockout_account = 1000/1h/1h
";

const PEOPLE: &str = "account,secret,caller\n777,plain:1234,+905060508169\n";

/// A hundred wrong entries for one account, and one more.
const DIALPLAN: &str = "
[hundred]
exten => s,1,Set(N=0)
 same => n(again),Set(TRY=0000)
 same => n,Set(VERDICT=${AUTHENTICATE_VERIFY(hundred,TRY,+905060508169)})
 same => n,Set(N=$[${N} + 1])
 same => n,GotoIf($[${N} < 101]?again)
 same => n,NoOp(${VERDICT})
 same => n,Hangup()
include => harness-h
";

/// A caller who is locked out by the entry, and one who is before it.
fn twice(pbx: &Pbx, set: &str, keys: &str) -> Result<()> {
    for keys in [keys, ""] {
        let call = Call::new(format!("pinset:{set},,4")).keys(keys);
        let report = pbx.call(&call.caller("+905060508160"))?;
        ensure!(report.status() == "LOCKED", "{report:#?}");
    }
    Ok(())
}

fn value<'a>(told: &'a Told, key: &str) -> &'a str {
    told.get(key).map_or("", String::as_str)
}

/// What is told of a PIN set, in turn.
fn of_set<'a>(told: &'a [Told], set: &str) -> Vec<&'a Told> {
    told.iter()
        .filter(|told| value(told, "PinSet") == set)
        .collect()
}

/// Both calls of [`twice`] were told; `attempts` of the second.
fn is_told(told: &[Told], set: &str, by: &str, longest: u64, identity: &str) -> Result<()> {
    let of = of_set(told, set);
    ensure!(of.len() == 2, "{of:#?}");
    for told in of {
        ensure!(value(told, "Outcome") == "LOCKED", "{told:#?}");
        ensure!(value(told, "LockedBy") == by, "{told:#?}");
        ensure!(value(told, "Identity") == identity, "{told:#?}");
        let seconds = value(told, "LockedSeconds").parse::<u64>();
        let seconds = seconds.with_context(|| format!("{told:#?}"))?;
        ensure!((1..=longest).contains(&seconds), "{told:#?}");
    }
    Ok(())
}

#[test]
fn a_lockout_is_told_with_what_is_locked_and_for_how_long() {
    let builder = builder(CONF)
        .pin_file("people.csv", PEOPLE)
        .dialplan(DIALPLAN);
    on(builder, |pbx| {
        let mut ears = Ears::open(pbx)?;
        twice(pbx, "by-caller", "<now>0000")?;
        twice(pbx, "by-budget", "<now>0000")?;
        // The account is asked for before it can be known to be locked.
        for _ in 0..2 {
            let call = Call::new("pinset:by-account,,4").keys("<now>777#0000");
            let report = pbx.call(&call)?;
            ensure!(report.status() == "LOCKED", "{report:#?}");
        }
        pbx.call(&Call::to("hundred", "s").application("NoOp"))?;

        let (lines, mut events) = (lines(pbx)?, ears.events()?);
        is_told(&lines, "by-caller", "caller", 1800, "")?;
        is_told(&lines, "by-budget", "pinset", 900, "")?;
        is_told(&lines, "by-account", "account", 3600, "777")?;
        let hundred = of_set(&lines, "hundred");
        ensure!(hundred.len() == 101, "{}", hundred.len());
        for (number, told) in hundred.iter().enumerate() {
            let (outcome, by, left) = match number {
                0..=98 => ("FAILURE", "", ""),
                _ => ("LOCKED", "account", "by hand"),
            };
            ensure!(value(told, "Outcome") == outcome, "{number}: {told:#?}");
            ensure!(value(told, "LockedBy") == by, "{number}: {told:#?}");
            ensure!(value(told, "LockedSeconds") == left, "{number}: {told:#?}");
            ensure!(value(told, "Identity") == "777", "{number}: {told:#?}");
        }
        let mut told = lines.clone();
        told.sort();
        events.sort();
        ensure!(told == events);
        Ok(())
    });
}
