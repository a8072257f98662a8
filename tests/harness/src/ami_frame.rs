//! AMI messages: blocks of `Name: value` lines, each ended by a blank line.

use std::io::{self, BufRead};

use serde::Serialize;

/// A response or an event of AMI.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Frame {
    /// The headers in the order they came. A name can come more than once.
    pub headers: Vec<(String, String)>,
}

impl Frame {
    /// Reads the next frame; none at the end of the stream. Bytes that are
    /// not UTF-8 become replacement characters.
    pub fn read(input: &mut impl BufRead) -> io::Result<Option<Self>> {
        let mut headers = Vec::new();
        let mut line = Vec::new();
        loop {
            line.clear();
            if input.read_until(b'\n', &mut line)? == 0 {
                return Ok(None);
            }
            let text = String::from_utf8_lossy(&line);
            let text = text.trim_end_matches(['\r', '\n']);
            if text.is_empty() {
                if headers.is_empty() {
                    continue;
                }
                return Ok(Some(Self { headers }));
            }
            // A line without a colon is the greeting, or the rest of a value
            // with a line break in it.
            if let Some((name, value)) = text.split_once(':') {
                let value = value.strip_prefix(' ').unwrap_or(value);
                headers.push((name.to_owned(), value.to_owned()));
            }
        }
    }

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

    fn read_all(text: &str) -> Vec<Frame> {
        let mut input = text.as_bytes();
        let mut frames = Vec::new();
        while let Ok(Some(frame)) = Frame::read(&mut input) {
            frames.push(frame);
        }
        frames
    }

    #[test]
    fn frames_are_split_at_blank_lines_and_the_greeting_is_skipped() {
        let frames = read_all(
            "Asterisk Call Manager/11.0.0\r\nResponse: Success\r\nActionID: 1\r\n\r\n\
             Event: Hangup\r\nTimestamp: 1700000000.250000\r\nChannel: Local/a@b;2\r\n\r\n\r\n",
        );
        assert_eq!(frames.len(), 2);
        assert!(frames[0].has("Response", "Success"));
        assert_eq!(frames[1].event(), Some("Hangup"));
        assert_eq!(frames[1].time(), Some(1_700_000_000.25));
    }

    #[test]
    fn values_keep_their_colons_and_blanks() {
        let frames = read_all("Output:  a: b \r\nOutput: c\r\nEmpty:\r\n\r\n");
        assert_eq!(frames[0].all("output").collect::<Vec<_>>(), [" a: b ", "c"]);
        assert!(frames[0].has("Empty", ""));
    }

    #[test]
    fn truncated_frame_ends_the_stream() {
        assert!(read_all("Event: Hangup\r\nChan").is_empty());
    }
}
