//! Decoding of what Asterisk sends, as it arrives.

use thiserror::Error;

use crate::message::Message;

/// The beginning of the first line that Asterisk sends.
const BANNER: &[u8] = b"Asterisk Call Manager";
/// The longest banner in bytes with its line break.
const MAX_BANNER_BYTES: usize = 128;

/// The largest message that is accepted.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Limits {
    /// Its bytes, line breaks included.
    pub message_bytes: usize,
    /// Its headers.
    pub headers: usize,
}

/// Room for all events and lists; a command's output can be larger.
impl Default for Limits {
    fn default() -> Self {
        Self {
            message_bytes: 64 * 1024,
            headers: 1024,
        }
    }
}

/// The reason why a connection can't be used any more: nobody knows where the next
/// message would begin.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Error)]
pub enum DecodeError {
    /// The first line is not Asterisk's banner.
    #[error("the first line is not that of AMI: is this Asterisk's AMI port?")]
    MissingBanner,
    /// The message exceeds [`Limits::message_bytes`].
    #[error("an AMI message is over {0} bytes")]
    MessageTooLarge(usize),
    /// The message exceeds [`Limits::headers`].
    #[error("an AMI message has over {0} headers")]
    TooManyHeaders(usize),
}

/// Decoder of one connection. Keeps at most the bytes of one message that has not
/// ended.
#[derive(Debug)]
pub struct Decoder {
    limits: Limits,
    state: DecoderState,
    /// The beginning of a line that has not ended.
    line: Vec<u8>,
    /// Bytes of all lines of the current message.
    bytes: usize,
    headers: Vec<(Vec<u8>, Vec<u8>)>,
}

#[derive(Debug)]
enum DecoderState {
    AwaitsBanner,
    ReadsMessages,
    Failed(DecodeError),
}

impl Decoder {
    /// Returns the decoder of a new connection.
    pub fn new(limits: Limits) -> Self {
        Self {
            limits,
            state: DecoderState::AwaitsBanner,
            line: Vec::new(),
            bytes: 0,
            headers: Vec::new(),
        }
    }

    /// Returns the next message and removes its bytes from the input. Returns `None`
    /// once all input is used, which can end anywhere.
    ///
    /// # Errors
    ///
    /// Fails if the first line is not the banner or a message exceeds the limits, and
    /// then always.
    pub fn decode(&mut self, input: &mut &[u8]) -> Result<Option<Message>, DecodeError> {
        if let DecoderState::Failed(error) = self.state {
            return Err(error);
        }
        self.next_message(input).inspect_err(|error| {
            self.state = DecoderState::Failed(*error);
            self.line = Vec::new();
            self.headers = Vec::new();
        })
    }

    /// Returns whether the banner has come: a client sends its secret to nobody else.
    pub fn has_banner(&self) -> bool {
        matches!(self.state, DecoderState::ReadsMessages)
    }

    fn next_message(&mut self, input: &mut &[u8]) -> Result<Option<Message>, DecodeError> {
        while let Some(line) = self.next_line(input)? {
            let line = without_line_break(&line);
            if matches!(self.state, DecoderState::AwaitsBanner) {
                if !line.starts_with(BANNER) {
                    return Err(DecodeError::MissingBanner);
                }
                self.state = DecoderState::ReadsMessages;
                self.bytes = 0;
            } else if !line.is_empty() {
                self.add_header(line)?;
            } else {
                self.bytes = 0;
                if !self.headers.is_empty() {
                    return Ok(Some(Message::new(std::mem::take(&mut self.headers))));
                }
            }
        }
        Ok(None)
    }

    /// Returns the next line with its line break, or `None` if it has not ended.
    fn next_line(&mut self, input: &mut &[u8]) -> Result<Option<Vec<u8>>, DecodeError> {
        let end = input.iter().position(|byte| *byte == b'\n');
        let (part, rest) = input.split_at(end.map_or(input.len(), |end| end + 1));
        self.bytes += part.len();
        match self.state {
            DecoderState::AwaitsBanner if self.bytes > MAX_BANNER_BYTES => {
                return Err(DecodeError::MissingBanner)
            }
            _ if self.bytes > self.limits.message_bytes => {
                return Err(DecodeError::MessageTooLarge(self.limits.message_bytes))
            }
            _ => {}
        }
        self.line.extend_from_slice(part);
        *input = rest;
        Ok(end.map(|_| std::mem::take(&mut self.line)))
    }

    /// Adds a header. A line without a colon is the rest of a value that contains a line
    /// break, and is dropped: no other header could be told from it.
    fn add_header(&mut self, line: &[u8]) -> Result<(), DecodeError> {
        let Some(colon) = line.iter().position(|byte| *byte == b':') else {
            return Ok(());
        };
        if self.headers.len() >= self.limits.headers {
            return Err(DecodeError::TooManyHeaders(self.limits.headers));
        }
        let (name, value) = (&line[..colon], &line[colon + 1..]);
        let value = value.strip_prefix(b" ").unwrap_or(value);
        self.headers.push((name.to_vec(), value.to_vec()));
        Ok(())
    }

    /// Returns the number of bytes it has allocated.
    #[cfg(test)]
    pub(crate) fn allocated(&self) -> usize {
        let headers = self.headers.iter();
        let texts = headers.map(|(name, value)| name.capacity() + value.capacity());
        let entry = size_of::<(Vec<u8>, Vec<u8>)>();
        self.line.capacity() + texts.sum::<usize>() + self.headers.capacity() * entry
    }
}

fn without_line_break(line: &[u8]) -> &[u8] {
    let end = line.iter().rposition(|byte| !matches!(byte, b'\r' | b'\n'));
    &line[..end.map_or(0, |end| end + 1)]
}
