//! Each outcome is reported exactly once.

use std::collections::BTreeMap;
use std::time::Duration;

use anyhow::{ensure, Result};
use harness::{Call, Pbx};

use super::{builder, lines, of_channel, OutcomeFields, OutcomeReader};
use crate::support::{on, side_by_side};
use crate::variants::TEST_BUILD;

const CONF: &str = "
[general]
country_code = 90
source = file:/pins/people.csv
success_prompt =
failure_prompt =
prompt =
retry_prompt =
account_prompt =
lockout_caller = no
lockout_account = no
lockout_pinset = no

[people]

[high]
required_level = 5

[by-caller]
identify = caller

[by-account]
identify = account

[family]
source = astdb:values
astdb_value = account:secret

[broken]
source = file:/pins/no-such-list
";

/// Whose number has two rows is not known before the PIN is.
const PEOPLE: &str = "account,secret,caller,level,valid_until\n\
    ada,plain:1001,+905060508169,5,\n\
    bob,plain:1002,+905060508168,1,\n\
    eve,plain:1003,+905060508167,1,2000-12-31\n\
    sam,plain:1004,+905060508166,1,\n\
    pam,plain:1005,+905060508166,1,\n\
    777,plain:1006,,1,\n";

const DIALPLAN: &str = "
[verify]
exten => s,1,Set(VERDICT=${AUTHENTICATE_VERIFY(${ASK})})
 same => n,NoOp(${VERDICT})
 same => n,Hangup()
include => harness-h
";

/// A call, and its outcome, PIN set, identity and attempts.
struct Row {
    call: Call,
    caller: &'static str,
    outcome: &'static str,
    pin_set: &'static str,
    identity: &'static str,
    attempts: &'static str,
}

fn row(call: Call, fields: [&'static str; 4]) -> Row {
    let [outcome, pin_set, identity, attempts] = fields;
    Row {
        call,
        caller: "",
        outcome,
        pin_set,
        identity,
        attempts,
    }
}

impl Row {
    fn by(mut self, caller: &'static str) -> Self {
        self.call = self.call.caller(caller);
        self.caller = caller;
        self
    }
}

fn call(args: &str, keys: &str) -> Call {
    // Keys have time on a busy machine.
    let first = Duration::from_millis(if keys.is_empty() { 300 } else { 2000 });
    Call::new(args)
        .keys(keys)
        .timeouts(first, Duration::from_secs(2))
}

fn verify(ask: &str, entry: &str) -> Call {
    Call::to("verify", "s")
        .variable("TRY", entry)
        .variable("ASK", ask)
        .application("NoOp")
}

fn rows() -> Vec<Row> {
    let set = |name: &str, keys: &str| call(&format!("pinset:{name}"), keys);
    let literal = "literal@harness-call";
    vec![
        // Without a PIN set.
        row(
            call("1234,q,4,&", "<now>1234"),
            ["SUCCESS", literal, "", "1"],
        ),
        row(
            call("1234,aq,4,&", "<now>0000 1234"),
            ["SUCCESS", literal, "", "2"],
        ),
        row(
            call("1234,q,4,&", "<now>0000 1111 2222"),
            ["FAILURE", literal, "", "3"],
        ),
        row(
            call("1234,q,4,&", "<silence>"),
            ["TIMEOUT", literal, "", "3"],
        ),
        row(
            call("1234,q,4,&", "<now>12<hangup>"),
            ["HANGUP", literal, "", "0"],
        ),
        row(
            call("1234,q,4,&", "<now>0000 1<hangup>"),
            ["HANGUP", literal, "", "1"],
        ),
        row(
            call("/pins/plain,q,4,&", "<now>1234"),
            ["SUCCESS", "/pins/plain", "", "1"],
        ),
        row(
            call("/pins/md5,mq,4,&", "<now>1234"),
            ["SUCCESS", "/pins/md5", "ada", "1"],
        ),
        row(
            call("/doors,dq,4,&", "<now>1234"),
            ["SUCCESS", "astdb:/doors", "", "1"],
        ),
        row(
            call("/pins/none,q,1,&", "<now>1 2 3"),
            ["ERROR", "/pins/none", "", "3"],
        ),
        row(call(",q", ""), ["ERROR", "", "", "0"]),
        row(call("", ""), ["ERROR", "", "", "0"]),
        row(call("1234,d", ""), ["ERROR", "", "", "0"]),
        // PIN sets.
        row(
            set("People,,4", "<now>1001"),
            ["SUCCESS", "people", "ada", "1"],
        ),
        row(
            set("people,,4", "<now>100310031003"),
            ["EXPIRED", "people", "eve", "3"],
        ),
        // The wrong PIN that comes last is nobody's.
        row(
            set("people,,4", "<now>100310039999"),
            ["FAILURE", "people", "", "3"],
        ),
        row(
            set("high,,4", "<now>100210021002"),
            ["FAILURE", "high", "bob", "3"],
        ),
        row(set("none,,4", ""), ["ERROR", "none", "", "0"]),
        row(set("broken,,1", "<now>123"), ["ERROR", "broken", "", "3"]),
        row(
            set("family,,4", "<now>1234"),
            ["SUCCESS", "family", "zoe", "1"],
        ),
        row(set("by-caller,,4", ""), ["FAILURE", "by-caller", "", "0"]),
        row(
            set("by-caller,,4", "<now>999999999999"),
            ["FAILURE", "by-caller", "ada", "3"],
        )
        .by("+905060508169"),
        row(
            set("by-caller,,4", "<now>999999999999"),
            ["FAILURE", "by-caller", "", "3"],
        )
        .by("+905060508166"),
        row(
            set("by-caller,,4", "<now>1004"),
            ["SUCCESS", "by-caller", "sam", "1"],
        )
        .by("+905060508166"),
        // An account that exists is reported as entered; one that does not exist
        // could be a PIN.
        row(
            set("by-account,,4", "<now>777#999999999999"),
            ["FAILURE", "by-account", "777", "3"],
        ),
        row(
            set("by-account,,4", "<now>1006#999999999999"),
            ["FAILURE", "by-account", "", "3"],
        ),
        // The function.
        row(
            verify("people,TRY", "1001"),
            ["SUCCESS", "people", "ada", "1"],
        ),
        row(verify("People,TRY", "9999"), ["FAILURE", "people", "", "1"]),
        row(
            verify("people,TRY", "1003"),
            ["EXPIRED", "people", "eve", "1"],
        ),
        row(verify("none,TRY", "1001"), ["ERROR", "none", "", "1"]),
        row(verify("people", "1001"), ["ERROR", "", "", "1"]),
    ]
}

/// md5 of 1234.
const MD5: &str = "ada:81dc9bdb52d04dc20036dbd8313ed055\n";

fn check(fields: &OutcomeFields, row: &Row, channel: &str) -> Result<()> {
    let linked = channel.replace("-b", "-a");
    let wanted = [
        ("Outcome", row.outcome),
        ("PinSet", row.pin_set),
        ("Identity", row.identity),
        ("Caller", row.caller),
        ("UniqueID", channel),
        ("LinkedID", linked.as_str()),
        ("Attempts", row.attempts),
    ];
    for (key, value) in wanted {
        ensure!(
            fields.get(key).is_some_and(|fields| fields == value),
            "{key} = {value}: {fields:#?}"
        );
    }
    let name = fields.get("Channel").map_or("", String::as_str);
    ensure!(
        name.starts_with("Local/start@harness-") && name.ends_with(";2"),
        "{fields:#?}"
    );
    // No phone, no lockout.
    ensure!(fields.len() == wanted.len() + 1, "{fields:#?}");
    Ok(())
}

#[test]
fn outcomes_are_reported_once_by_line_and_event() {
    let builder = builder(CONF)
        .dialplan(DIALPLAN)
        .pin_file("people.csv", PEOPLE)
        .pin_file("plain", "1234\n")
        .pin_file("md5", MD5);
    on(builder, |pbx| {
        pbx.db_put("doors", "1234", "1")?;
        pbx.db_put("values", "1", "zoe:plain:1234")?;
        let mut reader = OutcomeReader::open(pbx)?;
        let rows = rows();
        let channels = std::sync::Mutex::new(BTreeMap::new());
        side_by_side(rows.len(), 6, |number| {
            let report = pbx.call(&rows[number].call)?;
            let mut channels = channels
                .lock()
                .unwrap_or_else(std::sync::PoisonError::into_inner);
            channels.insert(number, report.channel);
            Ok(())
        })?;
        let channels = channels.into_inner().unwrap_or_default();
        let (lines, events) = (lines(pbx)?, reader.events()?);
        for (number, channel) in &channels {
            let line = of_channel(&lines, channel)?;
            check(line, &rows[*number], channel)?;
            ensure!(of_channel(&events, channel)? == line, "{line:?}");
        }
        ensure!(lines.len() == rows.len() && events.len() == rows.len());
        no_pin(pbx)
    });
}

/// Checks that no report contains a PIN that was entered.
fn no_pin(pbx: &Pbx) -> Result<()> {
    for fields in lines(pbx)? {
        for pin in ["1001", "1002", "1003", "1004", "1006", "1234", "9999"] {
            let unique = ["UniqueID", "LinkedID", "Channel"];
            let mut shown = fields
                .iter()
                .filter(|(key, _)| !unique.contains(&key.as_str()));
            ensure!(shown.all(|(_, value)| !value.contains(pin)), "{fields:#?}");
        }
    }
    Ok(())
}

#[test]
fn panic_is_reported_once_as_error() {
    let built = match TEST_BUILD.get() {
        Ok(built) => built,
        Err(error) => panic!("{error:#}"),
    };
    on(builder("").module_file(built.module), |pbx| {
        let mut reader = OutcomeReader::open(pbx)?;
        let report = pbx.call(&Call::new("panic!"))?;
        ensure!(report.status() == "ERROR", "{report:#?}");
        let (lines, events) = (lines(pbx)?, reader.events()?);
        let line = of_channel(&lines, &report.channel)?;
        ensure!(
            line.get("Outcome")
                .is_some_and(|outcome| outcome == "ERROR"),
            "{line:?}"
        );
        ensure!(lines == events && lines.len() == 1, "{events:?}");
        Ok(())
    });
}
