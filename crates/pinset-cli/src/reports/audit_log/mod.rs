//! Outcomes of calls in the audit log: admitted identities and their PIN sets.

use std::collections::{HashMap, HashSet};
use std::rc::Rc;

use pinset::escape::escape_invisible;
use pinset::timestamp::Moment;
use serde::Deserialize;

use super::cdr::Record;
use crate::common::colours::without_colours;

/// The log level of the audit log.
const LEVEL: &[u8] = b"AUTHENTICATE";

/// Maximum time between the start of a call and the start of its records, in seconds.
pub(super) const MAX_CALL_SECS: i64 = 24 * 60 * 60;

/// A line of a log.
#[derive(PartialEq, Eq, Debug)]
pub(super) enum LogLine {
    Outcome(LoggedOutcome),
    /// A line of the audit log without a complete outcome.
    Broken,
    /// A change by an administrator, or any other line of Asterisk.
    Other,
}

/// An outcome as logged.
#[derive(PartialEq, Eq, Debug, Default)]
pub(super) struct LoggedOutcome {
    pub outcome: Vec<u8>,
    pub pin_set: Vec<u8>,
    pub identity: Vec<u8>,
    pub caller: Vec<u8>,
    pub unique_id: Vec<u8>,
    pub linked_id: Vec<u8>,
}

/// A line in the format `[json]` of `logger.conf`.
#[derive(Deserialize)]
struct Json {
    logmsg: Message,
}

#[derive(Deserialize)]
struct Message {
    level: String,
    message: String,
}

/// Parses a line in any format of `logger.conf`. Text of callers or other modules can't
/// forge an outcome, because the level counts only at the beginning of a line.
pub(super) fn line(line: &[u8]) -> LogLine {
    let line = &*without_colours(line);
    if line.starts_with(b"{") {
        return match serde_json::from_slice::<Json>(line) {
            Ok(Json { logmsg }) if logmsg.level.as_bytes() == LEVEL => {
                audited(logmsg.message.as_bytes())
            }
            _ => LogLine::Other,
        };
    }
    let Some(message) = behind_date(line).and_then(|rest| rest.strip_prefix(LEVEL)) else {
        return LogLine::Other;
    };
    if !message.starts_with(b"[") {
        return LogLine::Other;
    }
    // After the thread, the call id and the source file. A value may contain the same.
    let begins = [&b": Outcome="[..], b": Action="]
        .into_iter()
        .filter_map(|begin| memchr::memmem::find(message, begin))
        .min();
    begins.map_or(LogLine::Broken, |at| {
        audited(message.get(at + 2..).unwrap_or_default())
    })
}

/// Parses the text of a line of the audit log.
fn audited(text: &[u8]) -> LogLine {
    if text.starts_with(b"Action=\"") {
        return LogLine::Other;
    }
    outcome(text)
}

/// Returns whether a line looks like one of Asterisk's log.
pub(super) fn is_of_a_log(line: &[u8]) -> bool {
    let line = &*without_colours(line);
    behind_date(line).is_some() || serde_json::from_slice::<Json>(line).is_ok()
}

/// Returns the text after `[date] `, or after `… asterisk[1234]: ` of syslog.
fn behind_date(line: &[u8]) -> Option<&[u8]> {
    if line.starts_with(b"[") {
        let at = memchr::memmem::find(line, b"] ")?;
        return line.get(at + 2..);
    }
    let at = memchr::memmem::find(line, b"]: ")?;
    let (front, rest) = line.split_at_checked(at)?;
    let digits = front.iter().rev().take_while(|byte| byte.is_ascii_digit());
    let program = front.get(..front.len() - digits.count())?;
    rest.get(3..).filter(|_| program.ends_with(b" asterisk["))
}

/// Parses `Key="value",Key="value"`, with `Outcome` first.
fn outcome(message: &[u8]) -> LogLine {
    let mut outcome = LoggedOutcome::default();
    let mut rest = message.trim_ascii_end();
    if !rest.starts_with(b"Outcome=") {
        return LogLine::Broken;
    }
    loop {
        let Some((key, value, behind)) = pair(rest) else {
            return LogLine::Broken;
        };
        let place = match key {
            b"Outcome" => &mut outcome.outcome,
            b"PinSet" => &mut outcome.pin_set,
            b"Identity" => &mut outcome.identity,
            b"Caller" => &mut outcome.caller,
            b"UniqueID" => &mut outcome.unique_id,
            b"LinkedID" => &mut outcome.linked_id,
            _ => &mut Vec::new(),
        };
        *place = unescaped(value);
        match behind {
            [] => break,
            [b',', behind @ ..] => rest = behind,
            _ => return LogLine::Broken,
        }
    }
    if outcome.outcome.is_empty() {
        return LogLine::Broken;
    }
    LogLine::Outcome(outcome)
}

/// Returns the first key of `text`, its value, and the rest.
fn pair(text: &[u8]) -> Option<(&[u8], &[u8], &[u8])> {
    let (key, rest) = text.split_at_checked(memchr::memmem::find(text, b"=\"")?)?;
    let rest = rest.get(2..)?;
    let (value, rest) = rest.split_at_checked(memchr::memchr(b'"', rest)?)?;
    let named = !key.is_empty() && key.iter().all(u8::is_ascii_alphanumeric);
    Some((key, value, rest.get(1..)?)).filter(|_| named)
}

/// Decodes `\xNN` in a value.
fn unescaped(mut text: &[u8]) -> Vec<u8> {
    let mut value = Vec::with_capacity(text.len());
    while let Some((first, behind)) = text.split_first() {
        let byte = match text {
            [b'\\', b'x', high, low, ..] => digit(*high).zip(digit(*low)),
            _ => None,
        };
        value.push(byte.map_or(*first, |(high, low)| high << 4 | low));
        text = match byte {
            Some(_) => text.get(4..).unwrap_or_default(),
            None => behind,
        };
    }
    value
}

fn digit(byte: u8) -> Option<u8> {
    let value = char::from(byte).to_digit(16)?;
    u8::try_from(value).ok()
}

/// The outcome of a call.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(super) struct CallOutcome {
    /// The unique id of the channel that authenticated.
    pub channel: Rc<[u8]>,
    pub admitted: bool,
    pub identity: Rc<str>,
    pub pin_set: Rc<str>,
}

impl CallOutcome {
    /// Returns the outcome of a line. `name` returns a text without invisible characters.
    pub(super) fn of(logged: &LoggedOutcome, mut name: impl FnMut(&[u8]) -> Rc<str>) -> Self {
        let admitted = logged.outcome == b"SUCCESS";
        // A refused caller has not proved to be the identity.
        let identity: &[u8] = if admitted { &logged.identity } else { b"" };
        Self {
            channel: logged.unique_id.as_slice().into(),
            admitted,
            identity: name(identity),
            pin_set: name(&logged.pin_set),
        }
    }

    /// Returns whether it counts in place of an earlier one of its call: the last that
    /// admits counts, else the last.
    pub(super) fn replaces(&self, before_admitted: bool) -> bool {
        self.admitted || !before_admitted
    }
}

/// What an outcome is looked up by.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) enum OutcomeKey<'a> {
    /// The unique id of the channel that authenticated.
    Channel(&'a [u8]),
    /// The id that linked channels share, if it differs from that of the channel.
    Link(&'a [u8]),
}

impl<'a> OutcomeKey<'a> {
    /// Returns the keys under which an outcome is kept.
    pub(super) fn of_outcome(logged: &'a LoggedOutcome) -> impl Iterator<Item = Self> {
        let (channel, link) = (logged.unique_id.as_slice(), logged.linked_id.as_slice());
        let link = (link != channel).then_some(Self::Link(link));
        let keys = [link, Some(Self::Channel(channel))].into_iter().flatten();
        keys.filter(|key| !key.id().is_empty())
    }

    /// Returns the keys under which the outcome of the call of a channel may be. The first
    /// one that has an outcome counts.
    pub(super) fn of_channel(
        unique_id: Option<&'a [u8]>,
        linked_id: Option<&'a [u8]>,
    ) -> impl Iterator<Item = Self> {
        let links = [linked_id.map(Self::Channel), linked_id.map(Self::Link)];
        let keys = [unique_id.map(Self::Channel)].into_iter().chain(links);
        keys.flatten()
    }

    pub(super) fn id(self) -> &'a [u8] {
        match self {
            Self::Channel(id) | Self::Link(id) => id,
        }
    }
}

/// The outcomes of a period, by call.
#[derive(Default)]
pub(super) struct Outcomes {
    /// By the unique id of the channel that authenticated.
    channels: HashMap<Box<[u8]>, CallOutcome>,
    /// By the id that linked channels share, if it differs.
    links: HashMap<Box<[u8]>, CallOutcome>,
    names: HashSet<Rc<str>>,
    from: Option<Moment>,
    to: Option<Moment>,
}

impl Outcomes {
    /// Keeps the outcomes of calls that can have a record between `from` and `to`.
    pub(super) fn new(from: Option<Moment>, to: Option<Moment>) -> Self {
        Self {
            from,
            to,
            ..Self::default()
        }
    }

    /// Adds an outcome.
    pub(super) fn add(&mut self, outcome: &LoggedOutcome) {
        let began = began(&outcome.unique_id);
        let early = |began: i64| {
            self.from
                .is_some_and(|from| began < from.seconds() - MAX_CALL_SECS)
        };
        let late = |began: i64| {
            self.to
                .is_some_and(|to| began >= to.seconds() + MAX_CALL_SECS)
        };
        if began.is_some_and(|began| early(began) || late(began)) {
            return;
        }
        let call = CallOutcome::of(outcome, |bytes| name(&mut self.names, bytes));
        for key in OutcomeKey::of_outcome(outcome) {
            match key {
                OutcomeKey::Channel(id) => settle(&mut self.channels, id, &call),
                OutcomeKey::Link(id) => settle(&mut self.links, id, &call),
            }
        }
    }

    /// Returns the outcome of the call of a record.
    pub(super) fn of(&self, record: &Record<'_>) -> Option<&CallOutcome> {
        let mut keys = OutcomeKey::of_channel(record.unique_id, record.linked_id);
        keys.find_map(|key| match key {
            OutcomeKey::Channel(id) => self.channels.get(id),
            OutcomeKey::Link(id) => self.links.get(id),
        })
    }

    /// Returns the outcome of the call of this channel.
    pub(super) fn of_channel(&self, unique_id: &[u8]) -> Option<&CallOutcome> {
        self.channels.get(unique_id)
    }
}

/// Returns a name that is stored only once.
fn name(names: &mut HashSet<Rc<str>>, bytes: &[u8]) -> Rc<str> {
    let text = escape_invisible(bytes);
    if let Some(name) = names.get(text.as_str()) {
        return Rc::clone(name);
    }
    let name: Rc<str> = text.into();
    names.insert(Rc::clone(&name));
    name
}

fn settle(calls: &mut HashMap<Box<[u8]>, CallOutcome>, id: &[u8], outcome: &CallOutcome) {
    match calls.get_mut(id) {
        Some(before) if !outcome.replaces(before.admitted) => {}
        Some(before) => *before = outcome.clone(),
        None => {
            calls.insert(id.into(), outcome.clone());
        }
    }
}

/// Returns the creation time of a channel in seconds since 1970, from its unique id:
/// `1790000000.12`, `system-1790000000.12`.
pub(super) fn began(unique_id: &[u8]) -> Option<i64> {
    let text = std::str::from_utf8(unique_id).ok()?;
    let (seconds, _) = text.rsplit('-').next()?.split_once('.')?;
    seconds.parse().ok()
}

#[cfg(test)]
mod tests;
