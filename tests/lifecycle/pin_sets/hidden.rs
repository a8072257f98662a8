//! No PIN in anything that Asterisk shows or keeps of a call.

use std::sync::{Arc, Mutex, PoisonError};
use std::time::Instant;

use anyhow::{ensure, Context, Result};
use harness::{Builder, Call, Events, Frame, Outcome, Pbx};

use super::made::{argon2id, csv, hex, hmac, CHEAP};
use super::{call, on, passed, refused, with, Want, CONCURRENT_CALLS};
use crate::support::side_by_side;

/// Not to be met in a time, a number of a thread, or an address.
const PIN: &str = "7351937519";
const WRONG: &str = "8642086420";
/// The key of a family is there for everybody to see.
const KEY: &str = "9517395173";

const CONF: &str = "
[general]
pepper_file = /pins/pepper
source = file:/pins/people.csv
on_success = goto:hold,s,1

[people]
account_code = yes

[by-account]
identify = account
account_code = yes

[by-caller]
identify = caller

[signed]
source = file:/pins/signed.csv
account_code = yes

[doors]
source = file:/pins/doors

[once]
source = file:/pins/once.csv
one_time = yes

[family]
source = astdb:doors
one_time = yes

[shown]
source = file:/pins/doors
account_code = pin
";

const HOLD: &str = "
[hold]
exten => s,1,Wait(60)
include => harness-h
";

/// Everything there is.
pub(crate) const CEL: &str =
    "[general]\nenable = yes\napps = all\nevents = ALL\n[manager]\nenabled = yes\n";

const PEPPER: [u8; 32] = [0x5c; 32];

fn builder() -> Result<Builder> {
    let header = "account,secret,caller";
    let plain = format!("plain:{PIN}");
    let slow = argon2id(CHEAP, "a-salt-of-ours", PIN)?;
    let people = csv(
        header,
        &[
            &["7", &plain, "+905060508169"],
            &["8", &slow, "+905060508168"],
        ],
    );
    let signed = csv(header, &[&["9", &hmac("key", &PEPPER, PIN)?, ""]]);
    let once = csv(header, &[&["10", &plain, ""]]);
    Ok(with(CONF)
        .dialplan(HOLD)
        .file("cel.conf", CEL)
        .modules("load = cel_manager.so")
        .debug(1)
        .pin_file("people.csv", people)
        .pin_file("signed.csv", signed)
        .pin_file("once.csv", once)
        .pin_file("doors", format!("{PIN}\n"))
        .pin_file_of_mode("pepper", format!("key:{}\n", hex(&PEPPER)), 0o600))
}

/// All that can be seen of calls.
pub(crate) struct Eyes<'a> {
    pbx: &'a Pbx,
    events: Events,
    seen: Vec<Arc<Frame>>,
    /// The output of CLI and AMI while a caller is admitted.
    shown: Mutex<String>,
}

impl<'a> Eyes<'a> {
    pub(crate) fn open(pbx: &'a Pbx) -> Result<Self> {
        Ok(Self {
            pbx,
            events: pbx.manager()?.events(),
            seen: Vec::new(),
            shown: Mutex::default(),
        })
    }

    /// Where the digits are to be seen: files, events, the CLI.
    pub(crate) fn see(&mut self, digits: &str) -> Result<Vec<String>> {
        // With a mark after it, the log is complete.
        self.pbx.log()?;
        let database = self.pbx.manager()?.command("database show")?;
        let grep = format!("grep -rlaF -e {digits} /var/log/asterisk /var/spool/asterisk || true");
        let mut places: Vec<String> = super::shell(self.pbx, &grep)?
            .lines()
            .map(str::to_owned)
            .collect();
        while let Some(frame) = self.events.next_before(Instant::now())? {
            self.seen.push(frame);
        }
        for frame in &self.seen {
            let shows = |(_, value): &(String, String)| value.contains(digits);
            if frame.headers.iter().any(shows) {
                places.push(format!("event {}", frame.event().unwrap_or_default()));
            }
        }
        let shown = self.shown.get_mut();
        if shown
            .unwrap_or_else(PoisonError::into_inner)
            .contains(digits)
        {
            places.push("CLI".to_owned());
        }
        if database.contains(digits) {
            places.push("database".to_owned());
        }
        Ok(places)
    }
}

/// Makes a call and looks at its channel when it has come to its verdict.
fn follow(pbx: &Pbx, call: &Call, want: &Want, shown: &Mutex<String>) -> Result<()> {
    let mut ongoing = pbx.place(call)?;
    if want.status == "SUCCESS" {
        ongoing.until_sound("auth-thankyou")?;
        show(pbx, ongoing.channel(), shown)?;
        ongoing.until("the wait", |frame| {
            frame.event() == Some("Newexten")
                && frame.has("Application", "Wait")
                && frame.has("Context", "hold")
        })?;
        show(pbx, ongoing.channel(), shown)?;
        ongoing.hang_up()?;
    }
    want.check(&ongoing.finish()?)
}

fn show(pbx: &Pbx, channel: Option<&str>, shown: &Mutex<String>) -> Result<()> {
    let channel = channel.context("no channel")?;
    let manager = pbx.manager()?;
    let mut text = String::new();
    for command in [
        &format!("core show channel {channel}"),
        "core show channels verbose",
        "dialplan show globals",
    ] {
        text += &manager.command(command)?;
    }
    let variables = [("Channel", channel), ("AllVariables", "true")];
    text += &format!("{:?}", manager.list("Status", &variables)?);
    let mut shown = shown.lock().unwrap_or_else(PoisonError::into_inner);
    shown.push_str(&text);
    Ok(())
}

#[test]
fn pin_is_visible_only_where_configured() -> Result<()> {
    on(builder()?, |pbx| {
        pbx.db_put("doors", KEY, "1")?;
        let put = pbx.log()?.len();
        let mut eyes = Eyes::open(pbx)?;
        let let_in = |code: &str| {
            passed()
                .outcome(Outcome::Went("hold,s,1".into()))
                .account_code(code)
        };
        let right = format!("{WRONG}# {PIN}#");
        let wrong = format!("{WRONG}# {WRONG}# {WRONG}#");
        let by = |set: &str, keys: &str| call(set, keys);
        let ada = |call: Call| call.caller("+905060508169");
        let bob = |call: Call| call.caller("+905060508168");
        let calls = [
            (by("people", &right), let_in("7")),
            (by("people", &wrong), refused("FAILURE")),
            (by("by-account", &format!("7# {right}")), let_in("7")),
            (by("by-account", &format!("8# {right}")), let_in("8")),
            (by("by-account", &format!("1# {wrong}")), refused("FAILURE")),
            (ada(by("by-caller", &right)), let_in("")),
            (bob(by("by-caller", &right)), let_in("")),
            (by("signed", &right), let_in("9")),
            (by("doors", &right), let_in("")),
            (by("once", &right), let_in("")),
            (by("family", &format!("{WRONG}# {KEY}#")), let_in("")),
            (by("family", &wrong), refused("FAILURE")),
            (by("no-such-set", &wrong), super::broken()),
            (by("people", &format!("{PIN}<hangup>")), refused("HANGUP")),
        ];
        let shown = &eyes.shown;
        side_by_side(calls.len(), CONCURRENT_CALLS, |number| {
            let (call, want) = &calls[number];
            follow(pbx, call, want, shown)
        })?;
        for digits in [PIN, WRONG] {
            let places = eyes.see(digits)?;
            ensure!(places.is_empty(), "{digits}: {places:#?}");
        }
        // The test has put the key there, which the log shows.
        let log = pbx.log()?;
        let after = log.get(put..).unwrap_or_default();
        let lines: Vec<_> = after.lines().filter(|line| line.contains(KEY)).collect();
        ensure!(lines.is_empty(), "{lines:#?}");
        ensure!(log.contains("DEBUG"), "there is no debug level");
        let database = pbx.manager()?.command("database show")?;
        ensure!(!database.contains(KEY), "{database}");

        // With account_code = pin it is seen, so we have looked.
        let shown = call("shown", &format!("{WRONG}# {PIN}#"));
        follow(pbx, &shown, &let_in(PIN), &eyes.shown)?;
        let places = eyes.see(PIN)?;
        for place in [
            "/var/log/asterisk/cdr-csv/Master.csv",
            "event Cdr",
            "event NewAccountCode",
            "CLI",
        ] {
            ensure!(
                places.iter().any(|seen| seen == place),
                "{place}: {places:#?}"
            );
        }
        let places = eyes.see(WRONG)?;
        ensure!(places.is_empty(), "{places:#?}");
        // Logged at load.
        super::is_logged(pbx, &["[shown]", "account_code"])
    });
    Ok(())
}
