//! Responses and events.

use std::fmt;

/// A response or an event: its headers in the order they came.
#[derive(Clone, PartialEq, Eq)]
pub struct Message {
    headers: Vec<(Vec<u8>, Vec<u8>)>,
}

impl Message {
    pub(crate) fn new(headers: Vec<(Vec<u8>, Vec<u8>)>) -> Self {
        Self { headers }
    }

    /// Returns all headers: names and values. A name can come more than once, such as
    /// `Output`, which has one line of a command's output.
    pub fn headers(&self) -> impl Iterator<Item = (&[u8], &[u8])> {
        self.headers
            .iter()
            .map(|(name, value)| (name.as_slice(), value.as_slice()))
    }

    /// Returns the values of a header in order. Names are compared without regard to
    /// case, as Asterisk does.
    pub fn all<'a, 'n>(&'a self, name: &'n str) -> impl Iterator<Item = &'a [u8]> + use<'a, 'n> {
        self.headers()
            .filter(move |(header, _)| header.eq_ignore_ascii_case(name.as_bytes()))
            .map(|(_, value)| value)
    }

    /// Returns the value of a header, or the first one if there are several.
    pub fn get(&self, name: &str) -> Option<&[u8]> {
        self.all(name).next()
    }

    /// Returns whether a header has this value.
    pub fn has(&self, name: &str, value: &[u8]) -> bool {
        self.get(name) == Some(value)
    }

    /// Returns the event's name, or `None` for a response.
    pub fn event(&self) -> Option<&[u8]> {
        self.get("Event")
    }
}

/// Prints the headers as text in which everything but visible ASCII is escaped.
impl fmt::Debug for Message {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut map = f.debug_map();
        for (name, value) in self.headers() {
            map.entry(
                &format_args!("{}", name.escape_ascii()),
                &format_args!("{}", value.escape_ascii()),
            );
        }
        map.finish()
    }
}
