//! `call_hangup`: the report of a call that has ended, as Hipcall's webhooks have
//! it, with the outcome and the destination of the call besides.

use std::time::{Duration, SystemTime};

use jiff::Timestamp;
use serde::Serialize;
use zeroize::Zeroizing;

use super::json::{document, number, object, text};
use super::DocumentError;

/// The name of the event.
const EVENT: &str = "call_hangup";

/// A call that a service decided and that has ended. It holds nothing that the
/// caller has entered.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Hangup {
    /// Of the call: that of its posts.
    pub uuid: String,
    /// The caller number, as it was posted; empty if there is none.
    pub caller: String,
    /// The number that was dialled.
    pub callee: String,
    /// When the call was first posted, in seconds since 1970.
    pub began: u64,
    /// Which External Management this is, for the service.
    pub external_manager_id: u32,
    /// `AUTHENTICATESTATUS`.
    pub outcome: &'static str,
    /// The extension that the service sent the call to; `None` if it sent the call
    /// nowhere, or if the extension shows what the caller has entered.
    pub destination: Option<String>,
    /// How many entries were posted.
    pub attempts: u32,
}

#[derive(Serialize)]
struct HangupJson<'a> {
    event: &'static str,
    data: HangupFields<'a>,
}

#[derive(Serialize)]
struct HangupFields<'a> {
    uuid: &'a str,
    caller_number: &'a str,
    callee_number: &'a str,
    direction: &'static str,
    started_at: Option<String>,
    ended_at: Option<String>,
    call_duration: u64,
    external_manager_id: u32,
    outcome: &'static str,
    destination: Option<&'a str>,
    attempts: u32,
}

impl Hangup {
    /// Returns the body of the request for a call that ended at `ended`, in seconds
    /// since 1970.
    pub fn to_json(&self, ended: u64) -> Zeroizing<Vec<u8>> {
        let wire = HangupJson {
            event: EVENT,
            data: HangupFields {
                uuid: &self.uuid,
                caller_number: &self.caller,
                callee_number: &self.callee,
                direction: "inbound",
                started_at: utc(self.began),
                ended_at: utc(ended),
                call_duration: ended.saturating_sub(self.began),
                external_manager_id: self.external_manager_id,
                outcome: self.outcome,
                destination: self.destination.as_deref(),
                attempts: self.attempts,
            },
        };
        // Texts and numbers always have a form in JSON.
        Zeroizing::new(serde_json::to_vec(&wire).unwrap_or_default())
    }
}

/// Returns a time as `2026-11-28T06:44:02Z`.
fn utc(seconds: u64) -> Option<String> {
    let time = Duration::from_secs(seconds);
    let time = Timestamp::try_from(SystemTime::UNIX_EPOCH.checked_add(time)?).ok()?;
    Some(time.to_string())
}

/// A webhook that a PBX has posted to us.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum Webhook {
    /// A call has ended.
    Hangup(Ended),
    /// Another event.
    Other,
}

/// A PBX's report of a call that has ended, as far as we need it.
#[derive(Clone, PartialEq, Eq, Default, Debug)]
pub struct Ended {
    /// Of the call: that of its posts.
    pub uuid: String,
    /// The caller number, in whatever form.
    pub caller: Option<String>,
    /// In seconds.
    pub duration: Option<u64>,
    /// The outcome of the call.
    pub outcome: Option<String>,
    /// Where the call was sent.
    pub destination: Option<String>,
}

impl Webhook {
    /// Reads a request's body. Unknown fields are skipped.
    ///
    /// # Errors
    ///
    /// The body is no JSON object, has no event, or is a `call_hangup` without a
    /// `uuid` or with a field of the wrong kind.
    pub fn parse(body: &[u8]) -> Result<Self, DocumentError> {
        let fields = document(body, &["event", "data"])?;
        match text(&fields, "event")?.as_deref() {
            Some(EVENT) => {}
            Some(_) => return Ok(Self::Other),
            None => return Err(DocumentError::MissingField("event")),
        }
        let missing = || DocumentError::MissingField("data.uuid");
        let data = object(&fields, "data")?.ok_or_else(missing)?;
        let said = |name| text(data, name).map(|text| text.filter(|text| !text.is_empty()));
        let duration = number(data, "call_duration")?;
        Ok(Self::Hangup(Ended {
            uuid: said("uuid")?.ok_or_else(missing)?,
            caller: said("caller_number")?,
            duration: duration.and_then(|seconds| u64::try_from(seconds).ok()),
            outcome: said("outcome")?,
            destination: said("destination")?,
        }))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    fn hangup() -> Hangup {
        Hangup {
            uuid: "7c0e".to_owned(),
            caller: "+905060508169".to_owned(),
            callee: "908508851980".to_owned(),
            began: 1_731_840_060,
            external_manager_id: 7,
            outcome: "SUCCESS",
            destination: Some("1091".to_owned()),
            attempts: 1,
        }
    }

    #[test]
    fn hangup_has_the_form_of_hipcalls_webhook() {
        let body = hangup().to_json(1_731_840_102);
        let body: serde_json::Value = serde_json::from_slice(&body).expect("JSON");
        let wanted = json!({
            "event": "call_hangup",
            "data": {
                "uuid": "7c0e",
                "caller_number": "+905060508169",
                "callee_number": "908508851980",
                "direction": "inbound",
                "started_at": "2024-11-17T10:41:00Z",
                "ended_at": "2024-11-17T10:41:42Z",
                "call_duration": 42,
                "external_manager_id": 7,
                "outcome": "SUCCESS",
                "destination": "1091",
                "attempts": 1,
            },
        });
        assert_eq!(body, wanted);
    }

    #[test]
    fn clock_set_back_gives_no_negative_duration() {
        let body = hangup().to_json(0);
        let body: serde_json::Value = serde_json::from_slice(&body).expect("JSON");
        assert_eq!(body["data"]["call_duration"], 0);
    }

    #[test]
    fn hangup_is_read_as_it_was_written() {
        let read = Webhook::parse(&hangup().to_json(1_731_840_102));
        let wanted = Ended {
            uuid: "7c0e".to_owned(),
            caller: Some("+905060508169".to_owned()),
            duration: Some(42),
            outcome: Some("SUCCESS".to_owned()),
            destination: Some("1091".to_owned()),
        };
        assert_eq!(read, Ok(Webhook::Hangup(wanted)));
    }

    #[test]
    fn hipcalls_own_hangup_is_read() {
        let body = json!({
            "event": "call_hangup",
            "data": {
                "uuid": "2483a75a", "hangup_by": "user", "call_flow": [], "caller_id": 1121,
                "answered_at": null, "call_duration": 0, "caller_number": "+902582440032",
            },
        });
        let wanted = Ended {
            uuid: "2483a75a".to_owned(),
            caller: Some("+902582440032".to_owned()),
            duration: Some(0),
            ..Ended::default()
        };
        let read = Webhook::parse(body.to_string().as_bytes());
        assert_eq!(read, Ok(Webhook::Hangup(wanted)));
    }

    #[test]
    fn other_events_differ_from_invalid_ones() {
        let read = Webhook::parse(br#"{"event": "call_init", "data": {}}"#);
        assert_eq!(read, Ok(Webhook::Other));
        for body in [
            "",
            "[]",
            "{}",
            r#"{"data": {"uuid": "1"}}"#,
            r#"{"event": "call_hangup"}"#,
            r#"{"event": "call_hangup", "data": {}}"#,
            r#"{"event": "call_hangup", "data": {"uuid": ""}}"#,
            r#"{"event": "call_hangup", "data": {"uuid": ["1"]}}"#,
            r#"{"event": "call_hangup", "data": {"uuid": "1", "call_duration": -1}}"#,
            r#"{"event": "call_hangup", "data": {"uuid": "1", "destination": {}}}"#,
        ] {
            assert!(Webhook::parse(body.as_bytes()).is_err(), "{body}");
        }
    }
}
