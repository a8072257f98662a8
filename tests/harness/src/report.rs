//! What became of a call, read from its AMI events.

use std::collections::BTreeMap;
use std::sync::Arc;

use base64::prelude::{Engine as _, BASE64_STANDARD};
use serde::{Deserialize, Serialize};

use crate::frame::Frame;

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
    /// Where the call went.
    pub outcome: Outcome,
    /// The sounds, in the order they started.
    pub sounds: Vec<String>,
    /// The keys pressed.
    pub keyed: String,
    /// The keys of the script for which there was no occasion.
    pub unkeyed: String,
    /// Variables and functions as the step after the application saw them;
    /// without a next step, as the `h` extension did.
    pub variables: BTreeMap<String, String>,
    /// Whether the call was answered.
    pub answered: bool,
    /// Whether the caller was told of progress (early media).
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

    /// The events of this name.
    pub fn events_named<'a>(&'a self, name: &'a str) -> impl Iterator<Item = &'a Frame> {
        let events = self.events.iter().map(Arc::as_ref);
        events.filter(move |frame| frame.event() == Some(name))
    }
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
            (Some(start), Some(end)) => end - start,
            _ => 0.0,
        };
        Report {
            outcome: self.outcome(&events, status),
            sounds: events
                .iter()
                .filter_map(|frame| sound(frame))
                .map(str::to_owned)
                .collect(),
            keyed: events.iter().filter_map(|frame| self.key(frame)).collect(),
            unkeyed: String::new(),
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

    /// The key that has arrived at the channel with this event.
    pub(crate) fn key(&self, frame: &Frame) -> Option<char> {
        (frame.event() == Some("DTMFEnd") && frame.has("Direction", "Received") && self.own(frame))
            .then(|| frame.get("Digit")?.chars().next())
            .flatten()
    }

    fn last_key_to_answer(&self, events: &[Arc<Frame>]) -> Option<f64> {
        let last = events.iter().rposition(|frame| self.key(frame).is_some())?;
        let answer = events[last..]
            .iter()
            .find(|frame| sound(frame).is_some() || self.step(frame).is_some())?;
        Some(answer.time()? - events[last].time()?)
    }
}

/// The sound that starts with this event.
pub(crate) fn sound(frame: &Frame) -> Option<&str> {
    frame
        .has("State", "PLAYBACK")
        .then(|| frame.get("Message"))
        .flatten()
}
