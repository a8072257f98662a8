//! AMI messages as text.

use serde::Serialize;

/// A response or an event of AMI. Bytes that are not UTF-8 become replacement characters.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Frame {
    /// The headers in the order they came. A name can come more than once.
    pub headers: Vec<(String, String)>,
}

impl From<&ami::Message> for Frame {
    fn from(message: &ami::Message) -> Self {
        let text = |bytes| String::from_utf8_lossy(bytes).into_owned();
        let headers = message.headers();
        Self {
            headers: headers
                .map(|(name, value)| (text(name), text(value)))
                .collect(),
        }
    }
}

impl Frame {
    /// The value of a header; of the first, if there are several. Names are
    /// compared without regard to case, as Asterisk does.
    pub fn get(&self, name: &str) -> Option<&str> {
        self.all(name).next()
    }

    /// All values of a header.
    pub fn all<'a, 'n>(&'a self, name: &'n str) -> impl Iterator<Item = &'a str> + use<'a, 'n> {
        self.headers
            .iter()
            .filter(move |(header, _)| header.eq_ignore_ascii_case(name))
            .map(|(_, value)| value.as_str())
    }

    /// Whether a header has this value.
    pub fn has(&self, name: &str, value: &str) -> bool {
        self.get(name) == Some(value)
    }

    /// The event's name; none for a response.
    pub fn event(&self) -> Option<&str> {
        self.get("Event")
    }

    /// The unique ids of the calls it is about.
    pub(crate) fn calls(&self) -> impl Iterator<Item = &str> {
        let headers = ["Uniqueid", "Linkedid", "DestLinkedid", "LocalOneLinkedid"];
        headers.into_iter().filter_map(|name| self.get(name))
    }

    /// When Asterisk sent the event, in seconds since 1970, to the
    /// microsecond.
    pub fn time(&self) -> Option<f64> {
        self.get("Timestamp")?.parse().ok()
    }
}

#[cfg(test)]
mod tests {
    use super::Frame;

    #[test]
    fn time_is_that_of_the_event() {
        let headers = [("Event", "Hangup"), ("Timestamp", "1700000000.250000")];
        let frame = Frame {
            headers: headers
                .map(|(name, value)| (name.to_owned(), value.to_owned()))
                .to_vec(),
        };
        assert_eq!(frame.time(), Some(1_700_000_000.25));
    }
}
