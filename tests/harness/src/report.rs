//! The outcome of a call, read from its AMI events.

use std::collections::BTreeMap;
use std::sync::Arc;

use base64::prelude::{Engine as _, BASE64_STANDARD};
use serde::{Deserialize, Serialize};

use crate::ami_frame::Frame;

/// What stands between the values in our `UserEvent`.
pub(crate) const SEPARATOR: char = '\u{1f}';

/// The name of our `UserEvent`.
pub(crate) const USER_EVENT: &str = "Harness";

/// What every call reports; a call can ask for more.
pub(crate) const EXPRESSIONS: &[&str] = &[
    "AUTHENTICATESTATUS",
    "AUTHENTICATEACCOUNT",
    "AUTHENTICATELEVEL",
    "AUTHENTICATECONTEXT",
    "AUTHENTICATEATTEMPTS",
    "CHANNEL(accountcode)",
    "CDR(accountcode)",
    "ACCOUNTCODE",
];

/// The text the dialplan evaluates to report these expressions.
pub(crate) fn template(expressions: &[String]) -> String {
    let fields: Vec<String> = expressions
        .iter()
        .map(|name| format!("${{{name}}}"))
        .collect();
    BASE64_STANDARD.encode(fields.join(&SEPARATOR.to_string()))
}

/// Where the call went after the application.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Outcome {
    /// To the next priority, with status `SUCCESS` or, on the stock module,
    /// without a status.
    Passed,
    /// To the next priority although the status is not `SUCCESS` (option `c`).
    Continued,
    /// To priority n+101 (option `j`).
    Jumped,
    /// Nowhere: the application ended the call, or the caller did.
    HungUp,
    /// Somewhere else: `context,extension,priority`.
    Went(String),
    /// The application was never reached.
    NotReached,
}

/// A row of the call detail records.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Cdr {
    /// Account code.
    pub accountcode: String,
    /// Caller's number.
    pub src: String,
    /// Extension.
    pub dst: String,
    /// Context.
    pub dcontext: String,
    /// Caller, name and number.
    pub clid: String,
    /// Channel.
    pub channel: String,
    /// The other channel.
    pub dstchannel: String,
    /// Last application.
    pub lastapp: String,
    /// Its arguments.
    pub lastdata: String,
    /// Start of the call.
    pub start: String,
    /// When it was answered; empty if it was not.
    pub answer: String,
    /// End of the call.
    pub end: String,
    /// Seconds from start to end.
    pub duration: u64,
    /// Seconds from answer to end.
    pub billsec: u64,
    /// `ANSWERED`, `NO ANSWER`, …
    pub disposition: String,
    /// `DOCUMENTATION`, …
    pub amaflags: String,
    /// The channel's unique id.
    pub uniqueid: String,
}

/// What became of a call.
#[derive(Debug, Clone, Serialize)]
pub struct Report {
    /// The unique id of the channel that ran the application.
    pub channel: String,
    /// Where the call went.
    pub outcome: Outcome,
    /// The sounds, in the order they started.
    pub sounds: Vec<String>,
    /// The keys pressed.
    pub entered: String,
    /// The keys of the script for which there was no occasion.
    pub not_entered: String,
    /// Variables and functions as the step after the application saw them;
    /// without a next step, as the `h` extension did.
    pub variables: BTreeMap<String, String>,
    /// Whether the call was answered.
    pub answered: bool,
    /// Whether the caller got a progress indication (early media).
    pub progress: bool,
    /// The row of the call detail records.
    pub cdr: Option<Cdr>,
    /// Seconds from the channel's start to its end.
    pub elapsed: f64,
    /// Seconds from the last key to the sound or dialplan step that answered
    /// it, by Asterisk's own clock.
    pub last_key_to_answer: Option<f64>,
    /// All AMI events of the call.
    pub events: Vec<Arc<Frame>>,
}

impl Report {
    /// A variable reported by the call; empty if it was not set.
    pub fn variable(&self, name: &str) -> &str {
        self.variables.get(name).map_or("", String::as_str)
    }

    /// `AUTHENTICATESTATUS`.
    pub fn status(&self) -> &str {
        self.variable("AUTHENTICATESTATUS")
    }

    /// `CHANNEL(accountcode)`.
    pub fn account_code(&self) -> &str {
        self.variable("CHANNEL(accountcode)")
    }

    /// What caller and PBX did, in turn, with the seconds since the start.
    pub fn timeline(&self) -> Vec<(f64, Happening)> {
        let start = self.events.first().and_then(|frame| frame.time());
        let mut timeline: Vec<(f64, Happening)> = Vec::new();
        for frame in &self.events {
            let key = key(frame, &self.channel);
            let happening = match (sound(frame), key, timeline.last_mut()) {
                (Some(sound), _, _) => Happening::Plays(sound.to_owned()),
                (_, Some(key), Some((_, Happening::Keys(keys)))) => {
                    keys.push(key);
                    continue;
                }
                (_, Some(key), _) => Happening::Keys(key.to_string()),
                _ => continue,
            };
            let since = frame
                .time()
                .zip(start)
                .map_or(0.0, |(now, start)| now - start);
            timeline.push((since, happening));
        }
        timeline
    }

    /// The events of this name.
    pub fn events_named<'a>(&'a self, name: &'a str) -> impl Iterator<Item = &'a Frame> {
        let events = self.events.iter().map(Arc::as_ref);
        events.filter(move |frame| frame.event() == Some(name))
    }
}

/// What one side of a call does.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Happening {
    /// The PBX starts to play a sound.
    Plays(String),
    /// The caller keys.
    Keys(String),
}

/// How the events of a call are to be read.
#[derive(Debug)]
pub(crate) struct Reading<'a> {
    /// The unique id of the channel that ran the application.
    pub channel: &'a str,
    pub application: &'a str,
    pub expressions: &'a [String],
}

impl Reading<'_> {
    /// Reads everything but the CDR row and, for calls whose keys we did not
    /// press ourselves, what was left unkeyed.
    pub(crate) fn report(&self, events: Vec<Arc<Frame>>) -> Report {
        let variables = self.variables(&events);
        let status = variables
            .get("AUTHENTICATESTATUS")
            .map_or("", String::as_str);
        let time_of = |name| {
            let mut frames = events.iter().filter(|frame| self.own(frame));
            frames.find(|frame| frame.event() == Some(name))?.time()
        };
        let elapsed = match (time_of("Newchannel"), time_of("Hangup")) {
            (Some(start), Some(end)) => between(start, end),
            _ => 0.0,
        };
        Report {
            channel: self.channel.to_owned(),
            outcome: self.outcome(&events, status),
            sounds: events
                .iter()
                .filter_map(|frame| sound(frame))
                .map(str::to_owned)
                .collect(),
            entered: events
                .iter()
                .filter_map(|frame| key(frame, self.channel))
                .collect(),
            not_entered: String::new(),
            answered: events.iter().any(|frame| {
                self.own(frame)
                    && frame.event() == Some("Newstate")
                    && frame.has("ChannelStateDesc", "Up")
            }),
            progress: events
                .iter()
                .any(|frame| frame.has("DialStatus", "PROGRESS")),
            cdr: None,
            elapsed,
            last_key_to_answer: self.last_key_to_answer(&events),
            variables,
            events,
        }
    }

    fn own(&self, frame: &Frame) -> bool {
        frame.has("Uniqueid", self.channel)
    }

    fn step<'a>(&self, frame: &'a Frame) -> Option<(&'a str, &'a str, u32)> {
        if frame.event() != Some("Newexten") || !self.own(frame) {
            return None;
        }
        let priority = frame.get("Priority")?.parse().ok()?;
        Some((frame.get("Context")?, frame.get("Extension")?, priority))
    }

    fn outcome(&self, events: &[Arc<Frame>], status: &str) -> Outcome {
        let mut steps = events
            .iter()
            .filter_map(|frame| Some((self.step(frame)?, frame)));
        let begin = steps.find(|(_, frame)| frame.has("Application", self.application));
        let Some((from, _)) = begin else {
            return Outcome::NotReached;
        };
        let Some((to, _)) = steps.next() else {
            return Outcome::HungUp;
        };
        let (context, extension, priority) = to;
        if extension == "h" {
            return Outcome::HungUp;
        }
        if (context, extension) == (from.0, from.1) && priority == from.2 + 1 {
            return match status {
                "" | "SUCCESS" => Outcome::Passed,
                _ => Outcome::Continued,
            };
        }
        if (context, extension) == (from.0, from.1) && priority == from.2 + 101 {
            return Outcome::Jumped;
        }
        Outcome::Went(format!("{context},{extension},{priority}"))
    }

    fn variables(&self, events: &[Arc<Frame>]) -> BTreeMap<String, String> {
        let Some(values) = events
            .iter()
            .filter(|frame| self.own(frame) && frame.has("UserEvent", USER_EVENT))
            .find_map(|frame| BASE64_STANDARD.decode(frame.get("Values")?).ok())
        else {
            return BTreeMap::new();
        };
        // The dot in front is the dialplan's: it can't encode nothing.
        let values = String::from_utf8_lossy(&values);
        let values = values.strip_prefix('.').unwrap_or(&values);
        let names = self.expressions.iter().cloned();
        names
            .zip(values.split(SEPARATOR).map(str::to_owned))
            .collect()
    }

    fn last_key_to_answer(&self, events: &[Arc<Frame>]) -> Option<f64> {
        let last = events
            .iter()
            .rposition(|frame| key(frame, self.channel).is_some())?;
        let answer = events[last..]
            .iter()
            .find(|frame| sound(frame).is_some() || self.step(frame).is_some())?;
        Some(between(events[last].time()?, answer.time()?))
    }
}

/// Seconds between two times, to the microsecond they were given with.
fn between(start: f64, end: f64) -> f64 {
    ((end - start) * 1e6).round() / 1e6
}

/// The sound that starts with this event.
pub(crate) fn sound(frame: &Frame) -> Option<&str> {
    frame
        .has("State", "PLAYBACK")
        .then(|| frame.get("Message"))
        .flatten()
}

/// The key that has arrived at the channel with this event.
pub(crate) fn key(frame: &Frame, channel: &str) -> Option<char> {
    let arrived = frame.event() == Some("DTMFEnd")
        && frame.has("Direction", "Received")
        && frame.has("Uniqueid", channel);
    arrived
        .then(|| frame.get("Digit")?.chars().next())
        .flatten()
}

#[cfg(test)]
mod tests {
    use super::*;

    const CHANNEL: &str = "call-1-b";

    fn events(lines: &[&str]) -> Vec<Arc<Frame>> {
        let frame = |(number, line): (usize, &&str)| {
            let mut headers = vec![
                ("Uniqueid".to_owned(), CHANNEL.to_owned()),
                ("Timestamp".to_owned(), format!("{number}.5")),
            ];
            headers.extend(line.split(", ").filter_map(|header| {
                let (name, value) = header.split_once('=')?;
                Some((name.to_owned(), value.to_owned()))
            }));
            Arc::new(Frame { headers })
        };
        lines.iter().enumerate().map(frame).collect()
    }

    fn report(lines: &[&str]) -> Report {
        let expressions = ["AUTHENTICATESTATUS".to_owned(), "X".to_owned()];
        let reading = Reading {
            channel: CHANNEL,
            application: "Authenticate",
            expressions: &expressions,
        };
        reading.report(events(lines))
    }

    const BEGIN: &str =
        "Event=Newexten, Context=c, Extension=e, Priority=1, Application=Authenticate";

    fn step(context: &str, extension: &str, priority: u32) -> String {
        format!("Event=Newexten, Context={context}, Extension={extension}, Priority={priority}")
    }

    #[test]
    fn step_after_the_application_is_the_route() {
        let outcome = |next: &str| report(&[BEGIN, next]).outcome;
        assert_eq!(outcome(&step("c", "e", 2)), Outcome::Passed);
        assert_eq!(outcome(&step("c", "e", 102)), Outcome::Jumped);
        assert_eq!(outcome(&step("c", "h", 1)), Outcome::HungUp);
        assert_eq!(outcome(&step("d", "e", 2)), Outcome::Went("d,e,2".into()));
        assert_eq!(outcome("Event=Hangup"), Outcome::HungUp);
        assert_eq!(report(&["Event=Hangup"]).outcome, Outcome::NotReached);
    }

    #[test]
    fn status_distinguishes_passed_from_continued() {
        let values = BASE64_STANDARD.encode(format!(".FAILURE{SEPARATOR}a,b"));
        let event = format!("Event=UserEvent, UserEvent=Harness, Values={values}");
        let report = report(&[BEGIN, &step("c", "e", 2), &event]);
        assert_eq!(report.outcome, Outcome::Continued);
        assert_eq!(report.status(), "FAILURE");
        assert_eq!(report.variable("X"), "a,b");
    }

    #[test]
    fn sounds_and_keys_are_reported_in_order() {
        let report = report(&[
            BEGIN,
            "Event=TestEvent, State=PLAYBACK, Message=agent-pass",
            "Event=DTMFEnd, Direction=Received, Digit=1",
            "Event=TestEvent, State=PLAYBACK, Control=Break",
            "Event=DTMFEnd, Direction=Received, Digit=#",
            "Event=DTMFEnd, Direction=Sent, Digit=9",
            "Event=TestEvent, State=PLAYBACK, Message=auth-thankyou",
        ]);
        assert_eq!(report.sounds, ["agent-pass", "auth-thankyou"]);
        assert_eq!(report.entered, "1#");
        assert_eq!(report.last_key_to_answer, Some(2.0));
        let timeline = report.timeline();
        assert_eq!(timeline.len(), 3);
        assert_eq!(timeline[1], (2.0, Happening::Keys("1#".into())));
    }
}
