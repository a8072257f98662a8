//! A call in progress.

use std::sync::Arc;
use std::time::{Duration, Instant};

use anyhow::{bail, Context, Result};

use crate::ami::{Ami, Events};
use crate::ami_frame::Frame;
use crate::call::Call;
use crate::keys::{Next, Player};
use crate::pbx::Pbx;
use crate::report::{key, sound, Reading, Report};
use crate::valgrind;

/// How long after the end of a call its CDR row may take.
const CDR_TIME: Duration = Duration::from_secs(5);

/// Sometimes Asterisk does not wake an AMI session for the last events
/// before a silence. An action wakes it.
const QUIET: Duration = Duration::from_secs(2);

/// A call that goes on. Its caller keys only while one of the methods here
/// waits; dropped before its end, it is hung up.
#[derive(Debug)]
pub struct Ongoing<'a> {
    pbx: &'a Pbx,
    ami: Arc<Ami>,
    events: Events,
    caller: String,
    callee: String,
    caller_name: Option<String>,
    callee_name: Option<String>,
    application: String,
    expressions: Vec<String>,
    player: Player,
    end: Instant,
    deadline: Duration,
    seen: Vec<Arc<Frame>>,
    hung_up: Option<Instant>,
    has_cdr: bool,
}

impl<'a> Ongoing<'a> {
    /// Follows the call whose halves, caller and callee, have these unique
    /// ids. `events` has to be older than the call.
    pub(crate) fn new(
        pbx: &'a Pbx,
        ami: Arc<Ami>,
        events: Events,
        (caller, callee): (String, String),
        call: &Call,
    ) -> Result<Self> {
        Ok(Self {
            pbx,
            ami,
            events,
            caller,
            callee,
            caller_name: None,
            callee_name: None,
            application: call.application.clone(),
            expressions: call.expressions.clone(),
            player: Player::new(call.keys.parse()?, call.gap, call.hidden),
            end: Instant::now() + call.deadline,
            deadline: call.deadline,
            seen: Vec::new(),
            hung_up: None,
            has_cdr: false,
        })
    }

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
        if !self.player.entered().is_empty() || !self.player.not_entered().is_empty() {
            // Asterisk reports a key it holds back more than once.
            report.entered = self.player.entered().to_owned();
            report.not_entered = self.player.not_entered();
        }
        if self.has_cdr {
            report.cdr = self.pbx.cdr_of(&self.callee)?;
        }
        Ok(report)
    }

    /// Sees the call through to the start of a sound; an error if it ends
    /// before.
    pub fn until_sound(&mut self, name: &str) -> Result<()> {
        self.until(name, |frame| sound(frame) == Some(name))
    }

    /// Sees the call through to the next start of a sound, however often it was
    /// heard before; an error if it ends before.
    pub fn until_sound_again(&mut self, name: &str) -> Result<()> {
        if self.drive(|frame| sound(frame) == Some(name))? {
            return Ok(());
        }
        bail!("the call ended without {name} again:\n{}", self.story());
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
                wake = wake.min(hung_up + valgrind::limit(CDR_TIME));
                if self.has_cdr || Instant::now() >= wake {
                    return Ok(false);
                }
            } else if Instant::now() >= self.end {
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
            let quiet = Instant::now() + QUIET;
            let next = self.events.next_before(wake.min(quiet));
            let next = next.with_context(|| format!("during a call:\n{}", self.story()))?;
            if next.is_none() && Instant::now() >= quiet {
                self.ami.send("Ping", &[])?;
            }
            if let Some(frame) = next.filter(|frame| self.belongs(frame)) {
                self.take(&frame)?;
                if wanted(&frame) {
                    return Ok(true);
                }
            }
        }
    }

    /// Presses a key now, whether or not the call is seen through meanwhile.
    pub fn press(&self, key: char) -> Result<()> {
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
        let mut calls = frame.calls();
        calls.any(|id| id == self.callee || id == self.caller)
            || self
                .channel()
                .is_some_and(|name| frame.has("Channel", name))
    }

    /// Takes note of an event of the call.
    pub(crate) fn take(&mut self, frame: &Arc<Frame>) -> Result<()> {
        self.seen.push(Arc::clone(frame));
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
            "  played {sounds:?}, entered {:?}, not entered {:?}, last step {step}",
            self.player.entered(),
            self.player.not_entered()
        )
    }
}

impl Drop for Ongoing<'_> {
    fn drop(&mut self) {
        if self.hung_up.is_none() {
            // It may never have begun, or Asterisk be gone.
            let _ = self.hang_up();
        }
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
