//! PIN sets: `Authenticate(pinset:NAME)` and `authenticate.conf`.

mod console;
mod conversation;
mod errors;
mod fields;
mod formats;
mod function;
mod guard;
pub(crate) mod hidden;
mod hipcall;
mod identify;
mod large;
mod lockouts;
pub(crate) mod made;
mod mistakes;
mod prompts;
mod routing;
mod secrets;
mod timing;
mod trusted;
mod uses;

use anyhow::{ensure, Context, Result};
use harness::{Builder, Call, Outcome, Pbx, Report};

use crate::module::OURS;
use crate::support::{self, side_by_side, UNLIMITED};

const CONF: &str = "/etc/asterisk/authenticate.conf";

/// Concurrent calls whose digits two processors can send in time.
const CONCURRENT_CALLS: usize = 8;

/// Where calls go on.
const PLACES: &str = "
[internal]
exten => 1091,1,NoOp(customer support)
 same => n,Hangup()
exten => 1092,1,NoOp(sales)
 same => n,Hangup()
 same => n(2nd),NoOp(sales at night)
 same => n,Hangup()
include => harness-h

[vip]
exten => 1091,1,NoOp(customer support for some)
 same => n,Hangup()
include => harness-h
";

/// An Asterisk with this `authenticate.conf`, and without lockouts.
pub(crate) fn with(conf: &str) -> Builder {
    with_lockouts(&format!("{conf}{UNLIMITED}"))
}

/// The same, with the lockouts it says.
pub(crate) fn with_lockouts(conf: &str) -> Builder {
    Pbx::builder()
        .file("authenticate.conf", conf)
        .dialplan(PLACES)
}

/// Runs a test on an Asterisk whose own sounds are over in a fifth of a
/// second: nobody has to hear them out, and many calls do.
pub(crate) fn on(builder: Builder, test: impl FnOnce(&Pbx) -> Result<()>) {
    const SHORTEN: &str = "cd /usr/share/asterisk/sounds/en; \
        for name in agent-pass agent-user auth-incorrect auth-thankyou vm-goodbye; do \
        head -c 330 $name.gsm >short; mv short $name.gsm; done";
    support::on(builder, |pbx| {
        shell(pbx, SHORTEN)?;
        test(pbx)
    });
}

/// A call of a PIN set; `args` is its name and what follows it.
pub(crate) fn call(args: &str, keys: &str) -> Call {
    Call::new(format!("pinset:{args}")).keys(keys)
}

/// The same by a caller who leaves something out: with short times for the
/// keys, but for those that are entered time on a busy machine.
pub(crate) fn impatient(args: &str, keys: &str) -> Call {
    let time = std::time::Duration::from_millis;
    let wait = if keys.is_empty() { 300 } else { 2000 };
    call(args, keys).timeouts(time(wait), time(2000))
}

/// What should become of a call.
#[derive(Clone, Debug)]
pub(crate) struct Want {
    status: &'static str,
    outcome: Outcome,
    sounds: Option<Vec<String>>,
    variables: Vec<(&'static str, String)>,
    all_keyed: bool,
}

/// Admitted, and on with the next priority.
pub(crate) fn passed() -> Want {
    Want {
        status: "SUCCESS",
        outcome: Outcome::Passed,
        sounds: None,
        variables: Vec::new(),
        all_keyed: true,
    }
}

/// Refused with this status, and hung up.
pub(crate) fn refused(status: &'static str) -> Want {
    Want {
        status,
        outcome: Outcome::HungUp,
        ..passed()
    }
}

/// Refused as the list, or the PIN set, is no good: whatever is asked.
pub(crate) fn broken() -> Want {
    refused("ERROR").whatever_keyed()
}

impl Want {
    /// Goes on there: `context,extension,priority`.
    pub(crate) fn went(mut self, place: &str) -> Self {
        self.outcome = Outcome::Went(place.to_owned());
        self
    }

    pub(crate) fn outcome(mut self, outcome: Outcome) -> Self {
        self.outcome = outcome;
        self
    }

    /// The sounds, and no others.
    pub(crate) fn sounds(mut self, sounds: &[&str]) -> Self {
        self.sounds = Some(sounds.iter().map(|sound| (*sound).to_owned()).collect());
        self
    }

    /// In place of what was wanted of it before.
    pub(crate) fn variable(mut self, name: &'static str, value: &str) -> Self {
        self.variables.retain(|(other, _)| *other != name);
        self.variables.push((name, value.to_owned()));
        self
    }

    pub(crate) fn account(self, account: &str) -> Self {
        self.variable("AUTHENTICATEACCOUNT", account)
    }

    fn level(self, level: &str) -> Self {
        self.variable("AUTHENTICATELEVEL", level)
    }

    fn context(self, context: &str) -> Self {
        self.variable("AUTHENTICATECONTEXT", context)
    }

    pub(crate) fn attempts(self, attempts: &str) -> Self {
        self.variable("AUTHENTICATEATTEMPTS", attempts)
    }

    fn account_code(self, code: &str) -> Self {
        self.variable("CHANNEL(accountcode)", code)
    }

    /// There may be no occasion for some of the keys.
    pub(crate) fn whatever_keyed(mut self) -> Self {
        self.all_keyed = false;
        self
    }

    pub(crate) fn check(&self, report: &Report) -> Result<()> {
        let story = || format!("{self:#?}, but:\n{}", story(report));
        ensure!(report.status() == self.status, "status: {}", story());
        ensure!(report.outcome == self.outcome, "outcome: {}", story());
        if let Some(sounds) = &self.sounds {
            ensure!(report.sounds == *sounds, "sounds: {}", story());
        }
        for (name, value) in &self.variables {
            ensure!(report.variable(name) == value, "{name}: {}", story());
        }
        let left = self.all_keyed && !report.not_entered.is_empty();
        ensure!(!left, "not entered: {}", story());
        Ok(())
    }
}

/// A call in short: all its events would be pages.
pub(crate) fn story(report: &Report) -> String {
    format!(
        "{:?}, {:.1} s, {:#?}\n{:#?}, not entered: {:?}",
        report.outcome,
        report.elapsed,
        report.variables,
        report.timeline(),
        report.not_entered
    )
}

/// A call and what should become of it.
pub(crate) struct Row {
    name: String,
    call: Call,
    want: Want,
}

pub(crate) fn row(name: &str, call: Call, want: Want) -> Row {
    Row {
        name: name.to_owned(),
        call,
        want,
    }
}

/// Makes one call and checks it.
pub(crate) fn becomes(pbx: &Pbx, call: &Call, want: &Want) -> Result<Report> {
    let report = pbx.call(call)?;
    want.check(&report)?;
    Ok(report)
}

/// Makes the calls, some concurrently, and reports all that fail.
pub(crate) fn all_become(pbx: &Pbx, rows: &[Row]) -> Result<()> {
    let failed = std::sync::Mutex::new(Vec::new());
    side_by_side(rows.len(), CONCURRENT_CALLS, |number| {
        let row = &rows[number];
        if let Err(error) = becomes(pbx, &row.call, &row.want) {
            let text = format!("{}: {error:#}", row.name);
            failed
                .lock()
                .unwrap_or_else(std::sync::PoisonError::into_inner)
                .push(text);
        }
        Ok(())
    })?;
    let failed = failed.into_inner().unwrap_or_default();
    let count = failed.len();
    ensure!(
        failed.is_empty(),
        "{count} of {} calls:\n{}",
        rows.len(),
        failed.join("\n")
    );
    Ok(())
}

/// Replaces `authenticate.conf` and has the module read it.
pub(crate) fn reconfigure(pbx: &Pbx, conf: &str, succeeds: bool) -> Result<()> {
    pbx.write_file(CONF, format!("{conf}{UNLIMITED}"))?;
    reload(pbx, succeeds)
}

pub(crate) fn reload(pbx: &Pbx, succeeds: bool) -> Result<()> {
    let logged = pbx.cli(&format!("module reload {OURS}"))?;
    ensure!(
        logged.contains("reloaded successfully") == succeeds,
        "{logged}"
    );
    Ok(())
}

/// A fifth of a second of silence in Asterisk's own folder of sounds, under
/// each of these names: short, so that it takes no time, and distinguishable
/// from the others.
fn record(pbx: &Pbx, language: &str, names: &[&str]) -> Result<()> {
    let script = "cd /usr/share/asterisk/sounds; mkdir -p $0; cd $0; \
        for name; do mkdir -p $(dirname $name); head -c 3200 /dev/zero >$name.sln; done";
    let mut command = vec!["bash", "-ec", script, language];
    command.extend(names);
    pbx.exec(&command).map(drop)
}

/// The log's lines of errors, warnings and notices in which all of `parts`
/// stand.
pub(crate) fn log_lines(pbx: &Pbx, parts: &[&str]) -> Result<Vec<String>> {
    let level = |line: &str| {
        ["] ERROR[", "] WARNING[", "] NOTICE["]
            .iter()
            .any(|level| line.contains(level))
    };
    let log = pbx.log()?;
    let lines = log.lines().filter(|line| level(line));
    let lines = lines.filter(|line| parts.iter().all(|part| line.contains(part)));
    Ok(lines.map(str::to_owned).collect())
}

/// Checks that there is such a line.
pub(crate) fn is_logged(pbx: &Pbx, parts: &[&str]) -> Result<()> {
    let logged = log_lines(pbx, parts)?;
    ensure!(!logged.is_empty(), "the log does not say {parts:?}");
    Ok(())
}

/// What a command of the container's shell printed.
pub(crate) fn shell(pbx: &Pbx, script: &str) -> Result<String> {
    pbx.exec(&["bash", "-ec", script])
        .with_context(|| script.to_owned())
}
