//! Lockouts are reported with their type and their remaining time.

use anyhow::{ensure, Context, Result};
use harness::{Call, Pbx};

use super::{builder, lines, OutcomeFields, OutcomeReader};
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

/// Two calls: the first is locked out by its attempt, the second before it.
fn twice(pbx: &Pbx, set: &str, keys: &str) -> Result<()> {
    for keys in [keys, ""] {
        let call = Call::new(format!("pinset:{set},,4")).keys(keys);
        let report = pbx.call(&call.caller("+905060508160"))?;
        ensure!(report.status() == "LOCKED", "{report:#?}");
    }
    Ok(())
}

fn value<'a>(fields: &'a OutcomeFields, key: &str) -> &'a str {
    fields.get(key).map_or("", String::as_str)
}

/// The reported outcomes of a PIN set, in order.
fn of_set<'a>(fields: &'a [OutcomeFields], set: &str) -> Vec<&'a OutcomeFields> {
    fields
        .iter()
        .filter(|fields| value(fields, "PinSet") == set)
        .collect()
}

/// Checks that both calls of [`twice`] were reported.
fn is_reported(
    fields: &[OutcomeFields],
    set: &str,
    by: &str,
    longest: u64,
    identity: &str,
) -> Result<()> {
    let of = of_set(fields, set);
    ensure!(of.len() == 2, "{of:#?}");
    for fields in of {
        ensure!(value(fields, "Outcome") == "LOCKED", "{fields:#?}");
        ensure!(value(fields, "LockedBy") == by, "{fields:#?}");
        ensure!(value(fields, "Identity") == identity, "{fields:#?}");
        let seconds = value(fields, "LockedSeconds").parse::<u64>();
        let seconds = seconds.with_context(|| format!("{fields:#?}"))?;
        ensure!((1..=longest).contains(&seconds), "{fields:#?}");
    }
    Ok(())
}

#[test]
fn lockout_is_reported_with_type_and_remaining_time() {
    let builder = builder(CONF)
        .pin_file("people.csv", PEOPLE)
        .dialplan(DIALPLAN);
    on(builder, |pbx| {
        let mut reader = OutcomeReader::open(pbx)?;
        twice(pbx, "by-caller", "<now>0000")?;
        twice(pbx, "by-budget", "<now>0000")?;
        // The account is asked for before it can be known to be locked.
        for _ in 0..2 {
            let call = Call::new("pinset:by-account,,4").keys("<now>777#0000");
            let report = pbx.call(&call)?;
            ensure!(report.status() == "LOCKED", "{report:#?}");
        }
        pbx.call(&Call::to("hundred", "s").application("NoOp"))?;

        let (lines, mut events) = (lines(pbx)?, reader.events()?);
        is_reported(&lines, "by-caller", "caller", 1800, "")?;
        is_reported(&lines, "by-budget", "pinset", 900, "")?;
        is_reported(&lines, "by-account", "account", 3600, "777")?;
        let hundred = of_set(&lines, "hundred");
        ensure!(hundred.len() == 101, "{}", hundred.len());
        for (number, fields) in hundred.iter().enumerate() {
            let (outcome, by, left) = match number {
                0..=98 => ("FAILURE", "", ""),
                _ => ("LOCKED", "account", "by hand"),
            };
            ensure!(value(fields, "Outcome") == outcome, "{number}: {fields:#?}");
            ensure!(value(fields, "LockedBy") == by, "{number}: {fields:#?}");
            ensure!(
                value(fields, "LockedSeconds") == left,
                "{number}: {fields:#?}"
            );
            ensure!(value(fields, "Identity") == "777", "{number}: {fields:#?}");
        }
        let mut fields = lines.clone();
        fields.sort();
        events.sort();
        ensure!(fields == events);
        Ok(())
    });
}
