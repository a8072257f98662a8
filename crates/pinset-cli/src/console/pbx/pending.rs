//! Requests that wait for their answers.

use std::collections::BTreeMap;

use ami::Message;
use tokio::sync::oneshot;
use tokio::time::Instant;

use super::error::RequestError;
use super::text::escaped;

/// Requests that a PBX is asked at a time; further ones wait.
pub(super) const MAX_IN_FLIGHT: usize = 16;
/// The largest list.
const MAX_LIST_ROWS: usize = 10_000;
/// Maximum number of bytes of all lists that are not complete.
const MAX_LIST_BYTES: usize = 16 * 1024 * 1024;
/// What a header needs besides its text.
const HEADER_BYTES: usize = 64;
/// The longest text of a PBX that is repeated, in bytes before escaping.
const MAX_REASON_BYTES: usize = 1024;

/// What ends an answer.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) enum AnswerKind {
    /// The response.
    Response,
    /// The event that completes the list.
    List,
}

/// A request, and where its answer goes.
pub(super) struct Request {
    pub action: &'static str,
    pub headers: Vec<(&'static str, Vec<u8>)>,
    pub kind: AnswerKind,
    pub end: Instant,
    pub reply: oneshot::Sender<Result<Answer, RequestError>>,
}

/// What a PBX has answered.
#[derive(Debug)]
pub(super) struct Answer {
    /// The events of a list.
    pub rows: Vec<Message>,
    /// The response, or the event that completes the list.
    pub last: Message,
}

/// Requests in flight, by their `ActionID`.
pub(super) struct PendingRequests {
    next: u64,
    pending: BTreeMap<u64, PendingRequest>,
}

struct PendingRequest {
    request: Request,
    /// Whether the response has begun the list.
    has_begun: bool,
    rows: Vec<Message>,
    bytes: usize,
}

impl PendingRequests {
    pub(super) fn new() -> Self {
        Self {
            next: 1,
            pending: BTreeMap::new(),
        }
    }

    pub(super) fn is_full(&self) -> bool {
        self.pending.len() >= MAX_IN_FLIGHT
    }

    /// Adds a request and returns its encoded action. Returns `None` if it can't be
    /// encoded, which is reported, or nobody waits for it any more.
    pub(super) fn add(&mut self, request: Request) -> Option<Vec<u8>> {
        if request.reply.is_closed() {
            return None;
        }
        let id = self.next;
        self.next += 1;
        let action_id = id.to_string();
        let headers = request.headers.iter();
        let headers = headers.map(|(name, value)| (*name, value.as_slice()));
        let headers: Vec<_> = std::iter::once(("ActionID", action_id.as_bytes()))
            .chain(headers)
            .collect();
        match ami::encode(request.action, &headers) {
            Ok(encoded) => {
                let pending = PendingRequest {
                    request,
                    has_begun: false,
                    rows: Vec::new(),
                    bytes: 0,
                };
                self.pending.insert(id, pending);
                Some(encoded)
            }
            Err(error) => {
                // The requester may have given up.
                let _ = request.reply.send(Err(error.into()));
                None
            }
        }
    }

    /// Adds a message to the answer with its `ActionID`. Others are dropped, such as
    /// those that come too late.
    pub(super) fn receive(&mut self, action_id: &[u8], message: Message) {
        let id = std::str::from_utf8(action_id).ok();
        let Some(id) = id.and_then(|id| id.parse().ok()) else {
            return;
        };
        let held = self.pending.values().map(|pending| pending.bytes).sum();
        let Some(pending) = self.pending.get_mut(&id) else {
            return;
        };
        if let Some(outcome) = pending.receive(message, held) {
            self.settle(id, outcome);
        }
    }

    fn settle(&mut self, id: u64, outcome: Result<Message, RequestError>) {
        if let Some(PendingRequest { request, rows, .. }) = self.pending.remove(&id) {
            // The requester may have given up.
            let _ = request
                .reply
                .send(outcome.map(|last| Answer { rows, last }));
        }
    }

    /// Returns when the first request is to be dropped.
    pub(super) fn next_end(&self) -> Option<Instant> {
        self.pending
            .values()
            .map(|pending| pending.request.end)
            .min()
    }

    /// Drops requests whose time is over: their requesters have given up.
    pub(super) fn drop_expired(&mut self, now: Instant) {
        self.pending.retain(|_, pending| pending.request.end > now);
    }
}

impl PendingRequest {
    /// Returns the message that has ended the answer, or `None` if more is to come. `held`
    /// is the number of bytes of all lists.
    fn receive(&mut self, message: Message, held: usize) -> Option<Result<Message, RequestError>> {
        let is_list = self.request.kind == AnswerKind::List;
        match message.event() {
            None => self.receive_response(message, is_list),
            // Of an action that is answered without a list.
            Some(_) if !is_list => None,
            Some(_) if has_word(&message, "EventList", b"Complete") => Some(self.complete(message)),
            Some(_) => self.add_row(message, held).err().map(Err),
        }
    }

    fn receive_response(
        &mut self,
        message: Message,
        is_list: bool,
    ) -> Option<Result<Message, RequestError>> {
        let action = self.request.action;
        if !message.has("Response", b"Success") {
            return Some(Err(refusal(action, &message)));
        }
        self.has_begun = has_word(&message, "EventList", b"start");
        match (is_list, self.has_begun) {
            (true, true) => None,
            (false, false) => Some(Ok(message)),
            _ => Some(Err(RequestError::NoList(action))),
        }
    }

    fn add_row(&mut self, row: Message, held: usize) -> Result<(), RequestError> {
        let headers = row.headers();
        let bytes: usize = headers
            .map(|(name, value)| name.len() + value.len() + HEADER_BYTES)
            .sum();
        if self.rows.len() >= MAX_LIST_ROWS {
            return Err(RequestError::TooManyRows(MAX_LIST_ROWS));
        }
        if held + bytes > MAX_LIST_BYTES {
            return Err(RequestError::TooLarge(MAX_LIST_BYTES));
        }
        self.bytes += bytes;
        self.rows.push(row);
        Ok(())
    }

    /// Returns the last event if the list has begun, and has as many rows as the PBX has
    /// sent.
    fn complete(&self, last: Message) -> Result<Message, RequestError> {
        let announced = last.get("ListItems").unwrap_or_default();
        let received = self.rows.len();
        if !self.has_begun {
            return Err(RequestError::NoList(self.request.action));
        }
        if announced != received.to_string().as_bytes() {
            return Err(RequestError::Incomplete {
                announced: escaped(announced, MAX_REASON_BYTES),
                received,
            });
        }
        Ok(last)
    }
}

fn has_word(message: &Message, name: &str, word: &[u8]) -> bool {
    let value = message.get(name).unwrap_or_default();
    value.eq_ignore_ascii_case(word)
}

/// Returns why Asterisk or the module refuses an action.
fn refusal(action: &'static str, response: &Message) -> RequestError {
    match response.get("Message").unwrap_or_default() {
        b"Permission denied" => RequestError::NoRight(action),
        text if text.starts_with(b"Invalid/unknown command") => RequestError::UnknownAction(action),
        text => RequestError::Refused(escaped(text, MAX_REASON_BYTES)),
    }
}
