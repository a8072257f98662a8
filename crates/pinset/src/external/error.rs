//! Errors of JSON documents of the other side.

use thiserror::Error;

use crate::pin::MAX_DIGITS;

/// What is wrong with a JSON document of the other side, and where. The message
/// never holds what a caller has entered.
#[derive(Clone, PartialEq, Eq, Debug, Error)]
pub enum DocumentError {
    /// The document is empty.
    #[error("empty")]
    Empty,
    /// The document, or an action in it, is not an object.
    #[error("not a JSON object")]
    NotAnObject,
    /// The document is not JSON. serde_json says what is missing and where, and
    /// repeats nothing of it.
    #[error("not JSON: {0}")]
    InvalidJson(String),
    /// A field is missing.
    #[error("{0} is missing")]
    MissingField(&'static str),
    /// A field has a value of the wrong type: its name, and the type it must have.
    #[error("{0} must be {1}")]
    WrongType(&'static str, &'static str),
    /// The protocol version is not 1.
    #[error("version is not 1")]
    UnsupportedVersion,
    /// This action of the sequence is invalid.
    #[error("seq[{0}]: {1}")]
    InvalidAction(usize, Box<DocumentError>),
    /// An action of the sequence is not an object.
    #[error("not an object")]
    ActionNotAnObject,
    /// The action has an unknown name, which is `None` if it may not be shown.
    #[error("unknown action{}", quoted(.0))]
    UnknownAction(Option<String>),
    /// `max_digits` is 0, so that nothing can be entered.
    #[error("max_digits is 0")]
    ZeroMaxDigits,
    /// No entry can have the `min_digits` that are set.
    #[error("min_digits is above max_digits, or above {MAX_DIGITS}")]
    MinDigitsAboveMax,
    /// A value of `data` is not text.
    #[error("a field of data must be text")]
    DataNotText,
}

fn quoted(name: &Option<String>) -> String {
    name.as_ref()
        .map_or_else(String::new, |name| format!(" '{name}'"))
}
