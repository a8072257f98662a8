//! Encoding of actions.

use thiserror::Error;

/// The largest action in bytes.
pub const MAX_ACTION_BYTES: usize = 64 * 1024;
/// The longest line in bytes with its line break. Asterisk has room for 1,024 and
/// discards a line that fills it.
pub const MAX_LINE_BYTES: usize = 1023;
/// The largest number of lines. Asterisk refuses actions with more (`AST_MAX_MANHEADERS`).
pub const MAX_ACTION_HEADERS: usize = 128;

const LINE_BREAK: &[u8] = b"\r\n";
const SEPARATOR: &[u8] = b": ";

/// The reason why an action can't be encoded. Its text never contains a value.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
pub enum EncodeError {
    /// The name is empty, or contains a colon, a space or something invisible.
    #[error("{name:?} can't be the name of an AMI header: use visible ASCII without a colon")]
    InvalidName {
        /// The name.
        name: String,
    },
    /// The value would be read as more than one header.
    #[error("the value of AMI header {name} contains a line break or a NUL")]
    LineBreak {
        /// The header's name.
        name: String,
    },
    /// Asterisk would discard the line.
    #[error(
        "AMI header {name} is too long: Asterisk reads lines of at most {MAX_LINE_BYTES} bytes"
    )]
    LineTooLong {
        /// The header's name.
        name: String,
    },
    /// Asterisk would refuse the action.
    #[error("the AMI action has over {MAX_ACTION_HEADERS} headers")]
    TooManyHeaders,
    /// The action is too large.
    #[error("the AMI action is over {MAX_ACTION_BYTES} bytes")]
    TooLarge,
}

/// Encodes an action with these headers.
///
/// The result is allocated once, in its final size, so that no copy of a secret is left
/// elsewhere if the caller wipes it.
///
/// # Errors
///
/// Fails if a name or value can't be sent as one header, or Asterisk would not read the
/// action.
pub fn encode(action: &str, headers: &[(&str, &[u8])]) -> Result<Vec<u8>, EncodeError> {
    if headers.len() >= MAX_ACTION_HEADERS {
        return Err(EncodeError::TooManyHeaders);
    }
    let action = ("Action", action.as_bytes());
    let all = || std::iter::once(action).chain(headers.iter().copied());
    let mut length = LINE_BREAK.len();
    for (name, value) in all() {
        length += line_length(name, value)?;
    }
    if length > MAX_ACTION_BYTES {
        return Err(EncodeError::TooLarge);
    }
    let mut encoded = Vec::with_capacity(length);
    for (name, value) in all() {
        for part in [name.as_bytes(), SEPARATOR, value, LINE_BREAK] {
            encoded.extend_from_slice(part);
        }
    }
    encoded.extend_from_slice(LINE_BREAK);
    Ok(encoded)
}

/// Returns the length of a header's line, once it is known to be one line.
fn line_length(name: &str, value: &[u8]) -> Result<usize, EncodeError> {
    let owned = || name.to_owned();
    let is_valid = |byte: u8| byte.is_ascii_graphic() && byte != b':';
    if name.is_empty() || !name.bytes().all(is_valid) {
        return Err(EncodeError::InvalidName { name: owned() });
    }
    if value.iter().any(|byte| matches!(byte, b'\r' | b'\n' | 0)) {
        return Err(EncodeError::LineBreak { name: owned() });
    }
    let length = name.len() + SEPARATOR.len() + value.len() + LINE_BREAK.len();
    if length > MAX_LINE_BYTES {
        return Err(EncodeError::LineTooLong { name: owned() });
    }
    Ok(length)
}
