//! Changes by administrators: who has unlocked what, in the log and as an event.

use std::time::Duration;

use anyhow::{ensure, Context, Result};
use harness::{Events, Pbx};

use super::phones::banned;
use super::{builder, JSON, LOG};
use crate::module::OURS;
use crate::support::{eventually, on};

const CONF: &str = "
[general]
lockout_caller = 1/15m/30m
lockout_account = 1/15m/30m
lockout_pinset = off

[customers]
source = file:/pins/customers.csv
identify = account
";

const LIST: &str = "account,secret\n17,plain:7351937519\n";

/// Locks a caller out, or the account.
fn lock(pbx: &Pbx, account: &str, caller: &str) -> Result<()> {
    let headers = [
        ("PinSet", "customers"),
        ("Account", account),
        ("Secret", "1"),
        ("Caller", caller),
    ];
    let answer = pbx.manager()?.action("AuthenticateVerify", &headers)?;
    ensure!(answer.has("Status", "LOCKED"), "{answer:?}");
    Ok(())
}

/// The lines of changes, without their dates.
fn changes(pbx: &Pbx) -> Result<Vec<String>> {
    pbx.log()?;
    let text = std::fs::read_to_string(pbx.outside(LOG).context("no log")?)?;
    let texts = text
        .lines()
        .filter_map(|line| line.split_once(" audit.rs: "));
    let changes = texts.filter(|(_, text)| text.starts_with("Action="));
    Ok(changes.map(|(_, text)| text.to_owned()).collect())
}

fn next(events: &Events) -> Result<Vec<(String, String)>> {
    let limit = Duration::from_secs(20);
    let frame = events.wait("AuthenticateUnlocked", limit, |frame| {
        frame.event() == Some("AuthenticateUnlocked")
    })?;
    ensure!(frame.has("Privilege", "security,all"), "{frame:?}");
    let own = [
        "Action", "PinSet", "Type", "Value", "Count", "By", "User", "Address",
    ];
    let fields = frame.headers.iter();
    let fields = fields.filter(|(name, _)| own.contains(&name.as_str()));
    Ok(fields.cloned().collect())
}

/// An event as the line that belongs to it.
fn as_line(event: &[(String, String)]) -> String {
    let fields = event
        .iter()
        .map(|(key, value)| format!("{key}=\"{value}\""));
    fields.collect::<Vec<_>>().join(",")
}

#[test]
fn unlocks_are_reported_with_the_administrator() {
    on(builder(CONF).pin_file("customers.csv", LIST), |pbx| {
        // The session of the harness is older than the module.
        let (ami, events) = (pbx.ami()?, pbx.manager()?.events());
        let hostile = "1\",RemoteAddress=\"IPV4/UDP/203.0.113.1/5060\",Outcome=\"FAILURE";
        let mut wanted = Vec::new();
        let mut expect = |begin: &str, by: &str| -> Result<()> {
            let event = as_line(&next(&events)?);
            ensure!(event.starts_with(begin) && event.contains(by), "{event}");
            wanted.push(event);
            Ok(())
        };

        lock(pbx, "17", "5550101")?;
        let caller = [("Type", "caller"), ("Value", "5550101")];
        ami.action("AuthenticateUnlock", &caller)?;
        expect(
            "Action=\"UNLOCK\",PinSet=\"\",Type=\"caller\",Value=\"5550101\",Count=\"1\",By=\"AMI\",",
            "User=\"harness\",Address=\"IPV4/TCP/127.0.0.1/",
        )?;
        // Nothing is reported where nothing was locked.
        ami.ask("AuthenticateUnlock", &caller)?;

        pbx.cli("authenticate unlock account 17 pinset customers")?;
        expect(
            "Action=\"UNLOCK\",PinSet=\"customers\",Type=\"account\",Value=\"17\",Count=\"1\",",
            "By=\"command line\"",
        )?;
        // A PIN that a caller has entered as the account.
        lock(pbx, "7351937519", "5550102")?;
        pbx.cli("authenticate unlock account 7351937519")?;
        expect(
            "Action=\"UNLOCK\",PinSet=\"\",Type=\"account\",Value=\"\",Count=\"1\",",
            "By=\"command line\"",
        )?;

        lock(pbx, "1", hostile)?;
        let caller = [("Type", "caller"), ("Value", hostile)];
        ami.action("AuthenticateUnlock", &caller)?;
        expect(
            "Action=\"UNLOCK\",PinSet=\"\",Type=\"caller\",Value=\"1\\x22,RemoteAddress=\\x22",
            "User=\"harness\"",
        )?;

        let lines = changes(pbx)?;
        ensure!(lines == wanted, "{lines:#?}");
        for log in [LOG, JSON] {
            let banned = banned(pbx, log)?;
            ensure!(banned.is_empty(), "{log}: {banned:?}");
        }
        ensure!(!lines.concat().contains("7351937519"), "{lines:#?}");
        Ok(())
    });
}

const CONNECT: &str = "exec 3<>/dev/tcp/127.0.0.1/5038; \
    printf 'Action: Login\\r\\nUsername: %s\\r\\nSecret: secret\\r\\nEvents: off\\r\\n\\r\\n' \"$1\" >&3; \
    printf 'Action: AuthenticateUnlock\\r\\nType: caller\\r\\nValue: 1\\r\\n\\r\\n' >&3; \
    printf 'Action: Logoff\\r\\n\\r\\n' >&3; cat <&3";

/// Sessions come and go at the same address in memory: each is named by its own login.
#[test]
fn sessions_are_not_confused() {
    on(builder(CONF).pin_file("customers.csv", LIST), |pbx| {
        let conf = "/etc/asterisk/manager.conf";
        let users: Vec<String> = (0..4).map(|number| format!("user{number}")).collect();
        let mut text = pbx.exec(&["cat", conf])?;
        for user in &users {
            text += &format!("[{user}]\nsecret = secret\nwrite = security\n");
        }
        pbx.write_file(conf, text)?;
        pbx.cli("manager reload")?;
        let events = pbx.manager()?.events();
        for user in users.iter().cycle().take(12) {
            lock(pbx, "2", "1")?;
            let printed = pbx.exec(&["timeout", "20", "bash", "-c", CONNECT, "-", user])?;
            ensure!(printed.contains("Unlocked: 1"), "{printed}");
            let event = as_line(&next(&events)?);
            ensure!(
                event.contains(&format!(",User=\"{user}\",")),
                "{user}: {event}"
            );
            pbx.cli("authenticate unlock account 2")?;
            next(&events)?;
        }
        // One that was there before the module has no name, and none of another.
        let ami = pbx.manager()?;
        pbx.cli(&format!("module unload {OURS}"))?;
        pbx.cli(&format!("module load {OURS}"))?;
        eventually("the module", || Ok(lock(pbx, "3", "5550103").is_ok()))?;
        let caller = [("Type", "caller"), ("Value", "5550103")];
        ami.action("AuthenticateUnlock", &caller)?;
        let event = as_line(&next(&events)?);
        ensure!(event.ends_with(",By=\"AMI\""), "{event}");
        Ok(())
    });
}
