//! Entries of the request log.

use bytes::Bytes;

/// The outcome of requests without valid credentials. Anybody can send them, so
/// they have a share of their own in the queue and in the file, and never take
/// the place of others.
pub const UNAUTHORIZED: &str = "unauthorized";
/// The outcome of requests that report the end of a call.
pub const HANGUP: &str = "hangup";

/// The most bytes of a field.
const MAX_METHOD_BYTES: usize = 16;
const MAX_FIELD_BYTES: usize = 256;
const MAX_BODY_BYTES: usize = 16 << 10;

/// A request and its response, without a PIN.
pub struct Entry {
    /// When it came, in milliseconds since the Unix epoch.
    pub time: i64,
    pub method: String,
    pub path: String,
    /// Whose address it came from.
    pub client: String,
    pub caller: String,
    /// What became of it, in a word.
    pub outcome: &'static str,
    /// Whose PIN it was.
    pub account: String,
    pub status: u16,
    /// In microseconds.
    pub duration: u64,
    pub request: String,
    pub response: Bytes,
    /// The service that was asked; empty if none was.
    pub service: String,
    /// Of the call; empty if it is unknown, or shows what the caller has entered.
    pub uuid: String,
    /// What a `call_hangup` reports of its call.
    pub call: Call,
}

/// The end of a call, as `call_hangup` reports it.
#[derive(Default)]
pub struct Call {
    /// Empty if it is not reported, as the destination.
    pub outcome: String,
    pub destination: String,
    /// How long it was, in seconds.
    pub duration: Option<u64>,
}

impl Entry {
    pub fn is_unauthorized(&self) -> bool {
        self.outcome == UNAUTHORIZED
    }

    /// Cuts what others have sent to a length.
    pub fn bounded(mut self) -> Self {
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

    /// The memory that it takes. The response is shared by all that have it.
    pub fn bytes(&self) -> usize {
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

/// Cuts a text at a letter's end, and shows that there was more.
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
            call: Call::default(),
        }
    }

    #[test]
    fn entry_is_cut_at_a_letter() {
        let entry = entry("error", 1 << 20).bounded();
        assert_eq!(entry.method, format!("{}…", "POST".repeat(4)));
        assert!(entry.path.len() <= MAX_FIELD_BYTES + 3 && entry.path.ends_with('…'));
        assert_eq!(entry.request.len(), MAX_BODY_BYTES + 3);
    }
}
