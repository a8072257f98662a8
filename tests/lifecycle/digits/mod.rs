//! Hidden digits: while the application listens, no event and no log line contains
//! them.

mod after;
mod ari;
mod phone;

use std::sync::Arc;
use std::time::{Duration, Instant};

use anyhow::{ensure, Result};
use harness::{Builder, Call, Events, Frame, Pbx};

use crate::pin_sets::hidden::CEL;
use crate::pin_sets::made::{argon2id, csv};
use crate::pin_sets::{becomes, broken, call, on, passed, reconfigure, refused, shell, with, Want};

const CONF: &str = "
[general]
source = file:/pins/doors

[doors]

[shown]
hide_digits = no

[ahead]
attempts = 2
first_digit_timeout = 1
retry_prompt = four-seconds

[slow]
source = file:/pins/slow.csv
identify = account
max_digits = 1
attempts = 2
retry_prompt = beep
";

/// The application after ours: `H` gets a digit.
const READ: &str = "
[read]
exten => s,1,Authenticate(pinset:doors)
 same => n,Read(H,,1,,1,60)
 same => n,Goto(wait,1)
exten => wait,1,Wait(60)
include => harness-h
";

fn builder() -> Builder {
    with(CONF)
        .dialplan(READ)
        .file("cel.conf", CEL)
        .modules("load = cel_manager.so")
        .pin_file("doors", "4711\n")
        .pin_file("slow.csv", "account,secret\n")
}

/// Sees what others see of keys.
struct Witness<'a> {
    pbx: &'a Pbx,
    events: Events,
    log: usize,
}

impl<'a> Witness<'a> {
    fn new(pbx: &'a Pbx) -> Result<Self> {
        Ok(Self {
            pbx,
            events: pbx.manager()?.events(),
            log: pbx.log()?.len(),
        })
    }

    /// Where there has been a sign of keys since the last time.
    fn signs(&mut self) -> Result<Vec<String>> {
        // With a mark after it, the log is complete.
        let log = self.pbx.log()?;
        let lines = log.get(self.log..).unwrap_or_default().lines();
        let mut signs: Vec<_> = lines
            .filter(|line| is_core_on_keys(line))
            .map(str::to_owned)
            .collect();
        self.log = log.len();
        while let Some(frame) = self.events.next_before(Instant::now())? {
            signs.extend(event_on_keys(&frame));
        }
        Ok(signs)
    }
}

/// What drivers say at debug levels, without asking us: `docs/security.md`.
const DRIVERS: [&str; 2] = [" res_rtp_asterisk.c:", " chan_pjsip.c:"];

fn is_core_on_keys(line: &str) -> bool {
    let is_about_keys = line.to_ascii_lowercase().contains("dtmf");
    is_about_keys && !DRIVERS.iter().any(|driver| line.contains(driver))
}

fn event_on_keys(frame: &Arc<Frame>) -> Option<String> {
    let event = frame.event()?;
    let of_keys = frame.get("Digit").is_some()
        || event.starts_with("DTMF")
        || frame
            .get("EventName")
            .is_some_and(|name| name.contains("DTMF"));
    of_keys.then(|| format!("{event} {}", frame.get("EventName").unwrap_or_default()))
}

/// Checks that digits are visible in every place that can show them. CEL of
/// Asterisk 16 has no digits.
fn is_seen(pbx: &Pbx, signs: &[String]) -> Result<()> {
    let in_cel = pbx.version()? >= (22, 0);
    for place in ["DTMFEnd ", "CEL DTMF", "] DTMF["] {
        if place == "CEL DTMF" && !in_cel {
            continue;
        }
        ensure!(
            signs.iter().any(|sign| sign.contains(place)),
            "{place}: {signs:#?}"
        );
    }
    Ok(())
}

/// Calls by every kind of list: one where digits are shown, or hidden.
fn stock_calls(hidden: bool) -> Vec<(Call, Want)> {
    let call = |args: &str| Call::new(args).keys("99# 4711#").hidden_digits(hidden);
    ["4711", "/pins/doors", "/doors,d"]
        .map(|args| (call(args), passed().attempts("2")))
        .into()
}

#[test]
fn hidden_digits_appear_nowhere() {
    on(builder(), |pbx| {
        pbx.db_put("doors", "4711", "1")?;
        let mut witness = Witness::new(pbx)?;
        let hidden = |keys: &str, want: Want| (call("doors", keys), want);
        let calls = [
            hidden("4711#", passed()),
            hidden("1*A# <silence> 4711#", passed().attempts("3")),
            hidden("99# 99# 99#", refused("FAILURE")),
            hidden("99# 47<hangup>", refused("HANGUP")),
            // Nothing is known of it, so nothing is shown.
            (call("none", "4711#"), broken()),
        ];
        let is_hidden = |witness: &mut Witness<'_>, calls: &[(Call, Want)]| {
            for (call, want) in calls {
                let report = becomes(pbx, call, want)?;
                let signs = witness.signs()?;
                ensure!(signs.is_empty(), "{report:#?}: {signs:#?}");
            }
            Ok(())
        };
        let shown = call("shown", "99# 4711#").hidden_digits(false);
        let is_shown = |witness: &mut Witness<'_>, call: &Call| {
            becomes(pbx, call, &passed().attempts("2"))?;
            is_seen(pbx, &witness.signs()?)
        };
        is_hidden(&mut witness, &calls)?;
        // Else we have not looked.
        is_shown(&mut witness, &shown)?;
        for (call, _) in stock_calls(false) {
            is_shown(&mut witness, &call)?;
        }
        let conf = CONF.replace("[general]\n", "[general]\nstock_hide_digits = yes\n");
        reconfigure(pbx, &conf, true)?;
        witness.signs()?;
        is_hidden(&mut witness, &stock_calls(true))?;
        // PIN sets have their own.
        is_shown(&mut witness, &shown)
    });
}

/// So many seconds of silence under this name.
fn record(pbx: &Pbx, name: &str, seconds: usize) -> Result<()> {
    let to = format!("/usr/share/asterisk/sounds/en/{name}.sln");
    let script = format!("head -c {} /dev/zero >{to}", seconds * 16_000);
    shell(pbx, &script).map(drop)
}

/// A prompt stops at the first key.
#[test]
fn digit_stops_the_prompt() {
    on(builder(), |pbx| {
        record(pbx, "one-minute", 60)?;
        let calls = [
            ("doors,,,one-minute", "4711#"),
            // The next one, at once: the keys are there before it is.
            ("doors,q,,one-minute&one-minute", "4711#"),
        ];
        for (args, keys) in calls {
            let report = becomes(pbx, &call(args, keys), &passed().attempts("1"))?;
            ensure!(report.elapsed < 30.0, "{args}: {} s", report.elapsed);
        }
        Ok(())
    });
}

/// Digits that arrive while an entry is verified belong to the next entry, in
/// order, also if they arrive all at once.
#[test]
fn digits_typed_ahead_count() -> Result<()> {
    let slow = argon2id((65536, 4, 1), "a-salt-of-ours", "7")?;
    let list = csv("account,secret", &[&["1", &slow]]);
    on(builder().pin_file("slow.csv", list), |pbx| {
        let mut witness = Witness::new(pbx)?;
        let at_once = Duration::ZERO;
        for (set, keys) in [("slow", "1#97"), ("doors", "99#12#4711#")] {
            let call = call(set, keys).key_gap(at_once);
            let attempts = if set == "slow" { "2" } else { "3" };
            becomes(pbx, &call, &passed().attempts(attempts))?;
        }
        let signs = witness.signs()?;
        ensure!(signs.is_empty(), "{signs:#?}");
        Ok(())
    });
    Ok(())
}

/// Somebody stops the prompt from outside: it ends, and no key is made of it.
#[test]
fn prompt_stopped_from_outside_yields_no_digit() {
    let builder = builder().modules("load = app_controlplayback.so");
    on(builder, |pbx| {
        record(pbx, "one-minute", 60)?;
        let ami = pbx.manager()?;
        let mut ongoing = pbx.place(&call("doors,,,one-minute&beep", ""))?;
        ongoing.until_sound("one-minute")?;
        let channel = ongoing.channel().unwrap_or_default().to_owned();
        let stop = [("Channel", channel.as_str()), ("Control", "stop")];
        ami.action("ControlPlayback", &stop)?;
        ongoing.until_sound("beep")?;
        for key in "4711#".chars() {
            ongoing.press(key)?;
        }
        let report = ongoing.finish()?;
        passed().attempts("1").check(&report)?;
        ensure!(report.elapsed < 30.0, "{} s", report.elapsed);
        Ok(())
    });
}
