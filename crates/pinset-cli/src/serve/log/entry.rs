//! Entries of the request log.

use bytes::Bytes;

/// The outcome of requests without valid credentials. Anybody can send them, so they
/// have a share of their own in the queue and in the file, and never displace others.
pub(crate) const UNAUTHORIZED: &str = "unauthorized";
/// The outcome of requests that report the end of a call.
pub(crate) const HANGUP: &str = "hangup";

/// Maximum number of bytes of a field.
const MAX_METHOD_BYTES: usize = 16;
const MAX_FIELD_BYTES: usize = 256;
const MAX_BODY_BYTES: usize = 16 << 10;

/// A request and its response, without the PIN.
pub(crate) struct Entry {
    /// The time of arrival, in milliseconds since the Unix epoch.
    pub time: i64,
    pub method: String,
    pub path: String,
    /// The address of the client.
    pub client: String,
    pub caller: String,
    /// The outcome, in one word.
    pub outcome: &'static str,
    /// The account of the PIN.
    pub account: String,
    pub status: u16,
    /// In microseconds.
    pub duration: u64,
    pub request: String,
    pub response: Bytes,
    /// The name of the service; empty for other paths.
    pub service: String,
    /// The `uuid` of the call; empty if it is unknown or reveals entered digits.
    pub uuid: String,
    /// The end of the call, if the request reports it.
    pub call: CallEnd,
}

/// The end of a call, as `call_hangup` reports it.
#[derive(Default)]
pub(crate) struct CallEnd {
    /// Empty if it is not reported, like the destination.
    pub outcome: String,
    pub destination: String,
    /// The duration, in seconds.
    pub duration: Option<u64>,
}

impl Entry {
    pub(crate) fn is_unauthorized(&self) -> bool {
        self.outcome == UNAUTHORIZED
    }

    /// Truncates the fields that clients determine.
    pub(crate) fn bounded(mut self) -> Self {
        cut(&mut self.method, MAX_METHOD_BYTES);
        for field in [
            &mut self.path,
            &mut self.client,
            &mut self.caller,
            &mut self.account,
            &mut self.uuid,
            &mut self.call.outcome,
            &mut self.call.destination,
        ] {
            cut(field, MAX_FIELD_BYTES);
        }
        cut(&mut self.request, MAX_BODY_BYTES);
        self
    }

    /// Returns the memory that the entry takes, without the response, which is shared.
    pub(crate) fn bytes(&self) -> usize {
        let texts = [
            &self.path,
            &self.client,
            &self.caller,
            &self.account,
            &self.service,
            &self.uuid,
            &self.call.outcome,
            &self.call.destination,
        ];
        let texts = texts.iter().map(|text| text.len()).sum::<usize>();
        size_of::<Self>() + texts + self.request.len()
    }
}

/// Truncates a text at a character boundary and marks the cut with `…`.
fn cut(text: &mut String, max_bytes: usize) {
    if text.len() > max_bytes {
        let end = (0..=max_bytes)
            .rev()
            .find(|end| text.is_char_boundary(*end));
        text.truncate(end.unwrap_or_default());
        text.push('…');
        text.shrink_to_fit();
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn entry(outcome: &'static str, request: usize) -> Entry {
        Entry {
            time: 0,
            method: "POST".repeat(10),
            path: "/é".repeat(MAX_FIELD_BYTES),
            client: String::new(),
            caller: String::new(),
            outcome,
            account: String::new(),
            status: 200,
            duration: 0,
            request: "x".repeat(request),
            response: Bytes::new(),
            service: String::new(),
            uuid: String::new(),
            call: CallEnd::default(),
        }
    }

    #[test]
    fn long_fields_are_truncated_at_character_boundary() {
        let entry = entry("error", 1 << 20).bounded();
        assert_eq!(entry.method, format!("{}…", "POST".repeat(4)));
        assert!(entry.path.len() <= MAX_FIELD_BYTES + 3 && entry.path.ends_with('…'));
        assert_eq!(entry.request.len(), MAX_BODY_BYTES + 3);
    }
}
