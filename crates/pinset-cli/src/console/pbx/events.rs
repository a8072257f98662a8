//! The latest events of a PBX, for pages that show attempts live.
//!
//! A reader asks for what has come after the last event that it has, so that a slow one
//! costs no memory: it misses events, and learns how many.

use std::collections::VecDeque;
use std::fmt;
use std::num::ParseIntError;
use std::str::FromStr;
use std::sync::{Arc, OnceLock};

use ami::Message;
use jiff::Timestamp;
use parking_lot::Mutex;
use pinset::escape::MAX_AUDIT_VALUE_BYTES;
use pinset::lockout::Kind;
use pinset::Status;
use tokio::sync::watch;

use super::text::escaped;

/// The number of events that are kept.
pub(crate) const MAX_EVENTS: usize = 1000;

/// An outcome of `Authenticate()`, or another event of the module. Texts are escaped.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(crate) struct LiveEvent {
    pub id: EventId,
    /// When it came.
    pub received: Timestamp,
    /// Its name, such as `AuthenticateFailure`.
    pub name: String,
    pub outcome: Option<Status>,
    pub pin_set: String,
    pub identity: String,
    pub caller: String,
    pub channel: String,
    pub unique_id: String,
    pub linked_id: String,
    pub attempts: Option<u32>,
    pub locked_by: Option<Kind>,
    /// Seconds, or `by hand`.
    pub locked_seconds: String,
    pub remote_address: String,
    /// What an administrator has changed: `AuthenticateUnlocked` and
    /// `AuthenticateUsesReset`.
    pub change: Option<AdministratorChange>,
    /// What pages show of it, made once for all of them.
    pub rendered: OnceLock<String>,
}

/// A change by an administrator of the PBX. Texts are escaped.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(crate) struct AdministratorChange {
    pub kind: Option<Kind>,
    /// The caller, account or PIN set; empty if it may be a PIN.
    pub value: String,
    /// How many locks or rows.
    pub count: Option<u64>,
    /// `command line` or `AMI`.
    pub by: String,
    /// The AMI user, and its address.
    pub user: String,
    pub address: String,
}

/// The place of an event among all of a PBX, for `Last-Event-ID`.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug)]
pub(crate) struct EventId {
    /// When the console was started, in microseconds, so that ids of an earlier run are
    /// recognized.
    run: i64,
    number: u64,
}

impl fmt::Display for EventId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}-{}", self.run, self.number)
    }
}

/// Not the id of an event.
#[derive(Debug, thiserror::Error)]
#[error("not the id of an event")]
pub(crate) struct EventIdError;

impl From<ParseIntError> for EventIdError {
    fn from(_: ParseIntError) -> Self {
        Self
    }
}

impl FromStr for EventId {
    type Err = EventIdError;

    fn from_str(text: &str) -> Result<Self, EventIdError> {
        let (run, number) = text.split_once('-').ok_or(EventIdError)?;
        Ok(Self {
            run: run.parse()?,
            number: number.parse()?,
        })
    }
}

/// The latest events of one PBX.
#[derive(Debug)]
pub(crate) struct LiveEvents {
    run: i64,
    ring: Mutex<VecDeque<Arc<LiveEvent>>>,
    /// The number of the last event; 0 before the first.
    last: watch::Sender<u64>,
}

/// Events after one that a reader has.
#[derive(Debug)]
pub(crate) struct EventBatch {
    pub events: Vec<Arc<LiveEvent>>,
    /// How many are no longer kept.
    pub missed: u64,
}

impl LiveEvents {
    pub(super) fn new() -> Self {
        Self {
            run: Timestamp::now().as_microsecond(),
            ring: Mutex::default(),
            last: watch::Sender::new(0),
        }
    }

    /// Adds a message without an `ActionID` if it is an event of the module.
    pub(super) fn push(&self, message: &Message) {
        let name = message.event().unwrap_or_default();
        if !name.starts_with(b"Authenticate") {
            return;
        }
        let mut ring = self.ring.lock();
        let number = *self.last.borrow() + 1;
        if ring.len() >= MAX_EVENTS {
            ring.pop_front();
        }
        let id = EventId {
            run: self.run,
            number,
        };
        ring.push_back(Arc::new(event(id, name, message)));
        self.last.send_replace(number);
    }

    /// Returns the events after one that the reader has, the oldest first; all if it has
    /// none, or one of an earlier run.
    pub(crate) fn after(&self, seen: Option<EventId>) -> EventBatch {
        let ring = self.ring.lock();
        let seen = self.number(seen);
        let oldest = ring.front().map_or(1, |event| event.id.number);
        let first = ring.partition_point(|event| event.id.number <= seen.unwrap_or(0));
        EventBatch {
            events: ring.range(first..).cloned().collect(),
            missed: seen.map_or(0, |seen| oldest.saturating_sub(seen + 1)),
        }
    }

    /// Waits until there is an event after one that the reader has.
    pub(crate) async fn wait_after(&self, seen: Option<EventId>) {
        let seen = self.number(seen).unwrap_or(0);
        // Fails only if the sender, which is ours, is dropped.
        let _ = self.last.subscribe().wait_for(|last| *last > seen).await;
    }

    /// Returns the number of an event if it is one of this run.
    fn number(&self, id: Option<EventId>) -> Option<u64> {
        let last = *self.last.borrow();
        id.filter(|id| id.run == self.run && id.number <= last)
            .map(|id| id.number)
    }
}

fn event(id: EventId, name: &[u8], message: &Message) -> LiveEvent {
    let bytes = |name| message.get(name).unwrap_or_default();
    let text = |name| escaped(bytes(name), MAX_AUDIT_VALUE_BYTES);
    let is = |word: &str, name| word.as_bytes() == bytes(name);
    let kind = |name| Kind::ALL.into_iter().find(|kind| is(kind.word(), name));
    LiveEvent {
        id,
        received: Timestamp::now(),
        name: escaped(name, MAX_AUDIT_VALUE_BYTES),
        outcome: Status::ALL
            .into_iter()
            .find(|status| is(status.word(), "Outcome")),
        pin_set: text("PinSet"),
        identity: text("Identity"),
        caller: text("CallerIDNum"),
        channel: text("Channel"),
        unique_id: text("Uniqueid"),
        linked_id: text("Linkedid"),
        attempts: text("Attempts").parse().ok(),
        locked_by: kind("LockedBy"),
        locked_seconds: text("LockedSeconds"),
        remote_address: text("RemoteAddress"),
        change: message.get("By").map(|_| AdministratorChange {
            kind: kind("Type"),
            value: text("Value"),
            count: text("Count").parse().ok(),
            by: text("By"),
            user: text("User"),
            address: text("Address"),
        }),
        rendered: OnceLock::new(),
    }
}
