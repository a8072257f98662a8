//! Placing a call and seeing it through.
//!
//! A call is a `Local` channel made by AMI's `Originate`: its second half
//! runs the dialplan with the application under test, its first half is the
//! caller, who keys with `PlayDTMF`. We choose the unique ids of both, and so
//! know the events of every call among those of all others.

use std::sync::Arc;
use std::time::{Duration, Instant};

use anyhow::{bail, Context, Result};
use base64::prelude::{Engine as _, BASE64_STANDARD};

use crate::ami::{Ami, Events};
use crate::frame::Frame;
use crate::keys::{Keys, Next, Player};
use crate::pbx::Pbx;
use crate::report::{key, sound, template, Reading, Report, EXPRESSIONS};

/// How long after the end of a call its CDR row may take.
const CDR_TIME: Duration = Duration::from_secs(5);

/// A call to place.
#[derive(Debug, Clone)]
pub struct Call {
    goto: String,
    args: Vec<u8>,
    keys: String,
    caller: String,
    steps: Vec<Vec<u8>>,
    expressions: Vec<String>,
    application: String,
    gap: Duration,
    deadline: Duration,
}

impl Call {
    /// A call of `Authenticate(args)`; `args` can hold any bytes but NUL.
    pub fn new(args: impl Into<Vec<u8>>) -> Self {
        let args = args.into();
        let exten = if args.is_empty() { "bare" } else { "plain" };
        Self {
            args,
            ..Self::to("harness-call", exten)
        }
    }

    /// A call of an extension of the test's own dialplan.
    pub fn to(context: &str, extension: &str) -> Self {
        Self {
            goto: format!("{context},{extension},1"),
            args: Vec::new(),
            keys: String::new(),
            caller: String::new(),
            steps: Vec::new(),
            expressions: EXPRESSIONS.iter().map(|name| (*name).to_owned()).collect(),
            application: "Authenticate".into(),
            gap: Duration::from_millis(100),
            deadline: Duration::from_secs(90),
        }
    }

    /// What the caller keys: a script as `Keys` reads it.
    pub fn keys(mut self, script: &str) -> Self {
        self.keys = script.to_owned();
        self
    }

    /// Gives the dialplan a priority n+101 for option `j` to go to.
    pub fn with_jump_target(mut self) -> Self {
        self.goto = "harness-call,jump,1".into();
        self
    }

    /// The caller's number; none unless told.
    pub fn caller(mut self, number: &str) -> Self {
        self.caller = number.to_owned();
        self
    }

    /// Sets a channel variable or a function, such as `CHANNEL(language)`,
    /// before the application; the value is taken as it is.
    pub fn variable(mut self, name: &str, value: impl AsRef<[u8]>) -> Self {
        let value = BASE64_STANDARD.encode(value);
        let step = if value.is_empty() {
            format!("Set({name}=)")
        } else {
            format!("Set({name}=${{BASE64_DECODE({value})}})")
        };
        self.steps.push(step.into_bytes());
        self
    }

    /// The channel's timeouts for the first digit and between digits.
    pub fn timeouts(self, response: Duration, digit: Duration) -> Self {
        self.variable("TIMEOUT(response)", response.as_secs_f64().to_string())
            .variable("TIMEOUT(digit)", digit.as_secs_f64().to_string())
    }

    /// Runs an application before the one under test, such as `Answer()`.
    pub fn before(mut self, application: &str) -> Self {
        self.steps.push(application.as_bytes().to_vec());
        self
    }

    /// Reports one more variable or function.
    pub fn report(mut self, expression: &str) -> Self {
        self.expressions.push(expression.to_owned());
        self
    }

    /// The application in the dialplan whose verdict counts, if it is not
    /// `Authenticate`.
    pub fn application(mut self, name: &str) -> Self {
        self.application = name.to_owned();
        self
    }

    /// The time between keys; 100 ms unless told.
    pub fn key_gap(mut self, gap: Duration) -> Self {
        self.gap = gap;
        self
    }

    /// When to give up; 90 s unless told.
    pub fn deadline(mut self, deadline: Duration) -> Self {
        self.deadline = deadline;
        self
    }
}

impl Pbx {
    /// Places a call and sees it through.
    pub fn call(&self, call: &Call) -> Result<Report> {
        self.place(call)?.finish()
    }

    /// Places a call and returns while it goes on.
    pub fn place(&self, call: &Call) -> Result<Ongoing<'_>> {
        let ami = self.manager()?;
        let events = ami.events();
        let number = self.next_number();
        let (caller, callee) = (format!("call-{number}-a"), format!("call-{number}-b"));
        let mut variables = vec![
            format!("H_GOTO={}", BASE64_STANDARD.encode(&call.goto)),
            format!("H_ARGS={}", BASE64_STANDARD.encode(&call.args)),
            format!("H_REPORT={}", template(&call.expressions)),
            format!("H_STEPS={}", call.steps.len()),
        ];
        for (index, step) in call.steps.iter().enumerate() {
            variables.push(format!("H_STEP_{index}={}", BASE64_STANDARD.encode(step)));
        }
        let timeout = call.deadline.as_millis().to_string();
        let mut headers = vec![
            ("Channel", "Local/start@harness/n"),
            ("ChannelId", &caller),
            ("OtherChannelId", &callee),
            ("Application", "Wait"),
            ("Data", "3600"),
            ("Async", "true"),
            ("Timeout", &timeout),
        ];
        if !call.caller.is_empty() {
            headers.push(("CallerID", &call.caller));
        }
        headers.extend(variables.iter().map(|text| ("Variable", text.as_str())));
        let keys: Keys = call.keys.parse()?;
        ami.action("Originate", &headers)?;
        Ok(Ongoing {
            pbx: self,
            player: Player::new(keys, call.gap),
            end: Instant::now() + call.deadline,
            deadline: call.deadline,
            ami,
            events,
            caller,
            callee,
            caller_name: None,
            callee_name: None,
            application: call.application.clone(),
            expressions: call.expressions.clone(),
            seen: Vec::new(),
            hung_up: None,
            has_cdr: false,
        })
    }
}

/// A call that goes on. Its caller keys only while one of the methods here
/// waits.
#[derive(Debug)]
pub struct Ongoing<'a> {
    pub(crate) pbx: &'a Pbx,
    pub(crate) ami: Arc<Ami>,
    pub(crate) events: Events,
    pub(crate) caller: String,
    pub(crate) callee: String,
    pub(crate) caller_name: Option<String>,
    pub(crate) callee_name: Option<String>,
    pub(crate) application: String,
    pub(crate) expressions: Vec<String>,
    pub(crate) player: Player,
    pub(crate) end: Instant,
    pub(crate) deadline: Duration,
    pub(crate) seen: Vec<Arc<Frame>>,
    pub(crate) hung_up: Option<Instant>,
    pub(crate) has_cdr: bool,
}

impl Ongoing<'_> {
    /// The name of the channel that runs the application, once it is there.
    pub fn channel(&self) -> Option<&str> {
        self.callee_name.as_deref()
    }

    /// Sees the call through to its end.
    pub fn finish(mut self) -> Result<Report> {
        self.drive(|_| false)?;
        let reading = Reading {
            channel: &self.callee,
            application: &self.application,
            expressions: &self.expressions,
        };
        let mut report = reading.report(std::mem::take(&mut self.seen));
        if !self.player.keyed().is_empty() || !self.player.unkeyed().is_empty() {
            // Asterisk reports a key it holds back more than once.
            report.keyed = self.player.keyed().to_owned();
            report.unkeyed = self.player.unkeyed();
        }
        if self.has_cdr {
            let rows = self.pbx.cdr_csv()?;
            report.cdr = rows.into_iter().find(|row| row.uniqueid == self.callee);
        }
        Ok(report)
    }

    /// Sees the call through to the start of a sound; an error if it ends
    /// before.
    pub fn until_sound(&mut self, name: &str) -> Result<()> {
        self.until(name, |frame| sound(frame) == Some(name))
    }

    /// Sees the call through to the first event of the call that is wanted;
    /// an error if it ends before. `what` names it in the error.
    pub fn until(&mut self, what: &str, wanted: impl Fn(&Frame) -> bool) -> Result<()> {
        if self.seen.iter().any(|frame| wanted(frame)) || self.drive(wanted)? {
            return Ok(());
        }
        bail!("the call ended without {what}:\n{}", self.story());
    }

    /// Hangs the call up, as the PBX, not as the caller.
    pub fn hang_up(&self) -> Result<()> {
        self.hang_up_channel(self.callee_name.as_deref())
    }

    fn hang_up_channel(&self, name: Option<&str>) -> Result<()> {
        let name = name.context("the call has no channel yet")?;
        self.ami.send("Hangup", &[("Channel", name)])
    }

    /// Keys and listens until a wanted event (true) or the end of the call
    /// (false).
    fn drive(&mut self, wanted: impl Fn(&Frame) -> bool) -> Result<bool> {
        loop {
            let mut wake = self.end;
            if let Some(hung_up) = self.hung_up {
                wake = wake.min(hung_up + CDR_TIME);
                if self.has_cdr || Instant::now() >= wake {
                    return Ok(false);
                }
            } else if Instant::now() >= self.end {
                // Best effort: we report the deadline, not the tidying up.
                let _ = self.hang_up();
                bail!(
                    "the call did not end in {:?}:\n{}",
                    self.deadline,
                    self.story()
                );
            } else {
                match self.player.next(Instant::now()) {
                    Next::Press(key) => {
                        self.press(key)?;
                        continue;
                    }
                    Next::HangUp => {
                        self.hang_up_channel(self.caller_name.as_deref())?;
                        continue;
                    }
                    Next::At(time) => wake = wake.min(time),
                    Next::Idle => {}
                }
            }
            let next = self.events.next_before(wake);
            let next = next.with_context(|| format!("during a call:\n{}", self.story()))?;
            if let Some(frame) = next.filter(|frame| self.belongs(frame)) {
                self.take(&frame)?;
                self.seen.push(Arc::clone(&frame));
                if wanted(&frame) {
                    return Ok(true);
                }
            }
        }
    }

    fn press(&self, key: char) -> Result<()> {
        let channel = self.channel().context("the call has no channel yet")?;
        let key = key.to_string();
        let headers = [
            ("Channel", channel),
            ("Digit", &key),
            ("Receive", "true"),
            ("Duration", "80"),
        ];
        self.ami.send("PlayDTMF", &headers)
    }

    fn belongs(&self, frame: &Frame) -> bool {
        let ids = ["Uniqueid", "Linkedid", "DestLinkedid", "LocalOneLinkedid"];
        ids.iter()
            .filter_map(|name| frame.get(name))
            .any(|id| id == self.callee || id == self.caller)
            || self
                .channel()
                .is_some_and(|name| frame.has("Channel", name))
    }

    fn take(&mut self, frame: &Frame) -> Result<()> {
        let own = frame.has("Uniqueid", &self.callee);
        match frame.event() {
            Some("Newchannel") if own => {
                self.callee_name = frame.get("Channel").map(str::to_owned);
            }
            Some("Newchannel") => self.caller_name = frame.get("Channel").map(str::to_owned),
            Some("Newexten") if own && frame.has("Application", &self.application) => {
                self.player.begun();
            }
            Some("Hangup") if own => self.hung_up = Some(Instant::now()),
            Some("Cdr") if own => self.has_cdr = true,
            _ => {}
        }
        if let Some(sound) = sound(frame) {
            let mut end = Instant::now();
            if self.player.minds_sound_ends() {
                end += self.pbx.sound_length(sound)?;
            }
            self.player.sound(end);
        }
        if let Some(key) = key(frame, &self.callee) {
            self.player.arrived(key, Instant::now());
        }
        Ok(())
    }

    /// What has happened so far, for an error.
    fn story(&self) -> String {
        let sounds: Vec<&str> = self.seen.iter().filter_map(|frame| sound(frame)).collect();
        let last = self
            .seen
            .iter()
            .rfind(|frame| frame.event() == Some("Newexten"));
        let step = last.map_or("no step of the dialplan".to_owned(), |frame| {
            let get = |name| frame.get(name).unwrap_or_default();
            let (context, extension) = (get("Context"), get("Extension"));
            format!(
                "{context},{extension},{}: {}",
                get("Priority"),
                get("Application")
            )
        });
        format!(
            "  played {sounds:?}, keyed {:?}, not keyed {:?}, last step {step}",
            self.player.keyed(),
            self.player.unkeyed()
        )
    }
}

impl Pbx {
    /// How long a sound plays, by its file.
    fn sound_length(&self, name: &str) -> Result<Duration> {
        let dir = if name.starts_with('/') {
            ""
        } else {
            "/usr/share/asterisk/sounds/en/"
        };
        let script =
            format!("stat -L -c '%s %n' {dir}{name}.gsm {dir}{name}.wav 2>/dev/null; true");
        let listed = self.exec(&["bash", "-c", &script])?;
        let line = listed.lines().next();
        let (size, file) = line
            .and_then(|line| line.split_once(' '))
            .with_context(|| format!("no gsm or wav file for the sound {name}"))?;
        let size: u64 = size.parse()?;
        let millis = if file.ends_with(".gsm") {
            size / 33 * 20
        } else {
            // 8000 samples of two bytes a second, after a header.
            size.saturating_sub(44) / 16
        };
        Ok(Duration::from_millis(millis))
    }
}
