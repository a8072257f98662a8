//! Responses of a web service: the actions for a call.

use serde::Serialize;
use serde_json::Value;
use url::Url;

use super::json::{document, field, number, object, text, Fields};
use super::DocumentError;
use crate::pin::MAX_DIGITS;

/// The actions of an answer, in order.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct ServiceAnswer {
    /// If empty, the answer does not decide where the call goes.
    pub actions: Vec<Action>,
}

/// One thing to do.
#[derive(Clone, PartialEq, Eq, Debug, Serialize)]
#[serde(tag = "action", content = "args", rename_all = "lowercase")]
pub enum Action {
    /// Collect digits from the caller, and post again.
    Gather(Gather),
    /// Play a sound.
    Play {
        /// Where it is: `http` or `https`.
        url: String,
    },
    /// Say a text.
    Say {
        /// The text.
        text: String,
        /// Its language, or `None` for the language of the call.
        #[serde(skip_serializing_if = "Option::is_none")]
        language: Option<String>,
    },
    /// Send the call to an extension.
    Connect {
        /// The extension.
        destination: String,
    },
    /// Send the call to an outside number.
    Dial {
        /// The number.
        destination: String,
    },
    /// End the call.
    Hangup,
}

/// The digits a caller is asked for.
#[derive(Clone, PartialEq, Eq, Debug, Serialize)]
pub struct Gather {
    /// The fewest digits of an entry, at most [`Gather::max_digits`].
    pub min_digits: usize,
    /// The number of digits that ends the entry without `#`: 1 to [`MAX_DIGITS`].
    pub max_digits: usize,
    /// The URL of the sound that asks, `http` or `https`, if there is one.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub ask: Option<String>,
    /// The name of the digits in [`Data`](super::Data).
    pub variable_name: String,
}

#[derive(Serialize)]
struct ResponseJson<'a> {
    version: &'static str,
    seq: &'a [Action],
}

impl ServiceAnswer {
    /// Reads a response's body. Fields we do not know are passed over, numbers
    /// and texts stand for each other, what is `null` is not there. Without
    /// `min_digits` one digit is enough, `max_digits` is [`MAX_DIGITS`] at most.
    ///
    /// # Errors
    ///
    /// It is no answer of version 1, or one of its actions can't be carried
    /// out: then none of them is.
    pub fn parse(body: &[u8]) -> Result<Self, DocumentError> {
        let fields = document(body, &["version", "seq"])?;
        match text(&fields, "version")?.as_deref() {
            Some("1" | "1.0") => {}
            Some(_) => return Err(DocumentError::UnsupportedVersion),
            None => return Err(DocumentError::MissingField("version")),
        }
        let actions = match field(&fields, "seq") {
            Some(Value::Array(actions)) => actions,
            Some(_) => return Err(DocumentError::WrongType("seq", "an array")),
            None => return Err(DocumentError::MissingField("seq")),
        };
        let read = |(at, value)| {
            let wrong = |error| DocumentError::InvalidAction(at, Box::new(error));
            action(value).map_err(wrong)
        };
        let actions = actions.iter().enumerate().map(read);
        Ok(Self {
            actions: actions.collect::<Result<_, _>>()?,
        })
    }

    /// The body of a response.
    pub fn to_json(&self) -> String {
        let wire = ResponseJson {
            version: "1",
            seq: &self.actions,
        };
        // Texts and numbers alone: this does not fail.
        serde_json::to_string(&wire).unwrap_or_default()
    }
}

fn action(value: &Value) -> Result<Action, DocumentError> {
    let Value::Object(fields) = value else {
        return Err(DocumentError::ActionNotAnObject);
    };
    let Some(Value::String(name)) = field(fields, "action") else {
        return Err(DocumentError::MissingField("action"));
    };
    let none = Fields::new();
    let args = || object(fields, "args").map(|args| args.unwrap_or(&none));
    Ok(match name.as_str() {
        "gather" => Action::Gather(gather(args()?)?),
        "play" => Action::Play {
            url: needed(url(args()?, "url")?, "url")?,
        },
        "say" => Action::Say {
            text: needed(text(args()?, "text")?, "text")?,
            language: text(args()?, "language")?.filter(|language| !language.is_empty()),
        },
        "connect" => Action::Connect {
            destination: needed(text(args()?, "destination")?, "destination")?,
        },
        "dial" => Action::Dial {
            destination: needed(text(args()?, "destination")?, "destination")?,
        },
        "hangup" => Action::Hangup,
        unknown => {
            // Shown only if it looks like a name and can't be entered digits.
            let letter = |byte: u8| byte.is_ascii_alphabetic() || byte == b'_';
            let plain = (1..=32).contains(&unknown.len()) && unknown.bytes().all(letter);
            let name = plain.then(|| unknown.to_owned());
            return Err(DocumentError::UnknownAction(name));
        }
    })
}

fn gather(args: &Fields) -> Result<Gather, DocumentError> {
    let min_digits = number(args, "min_digits")?.unwrap_or(1);
    let max_digits = number(args, "max_digits")?.unwrap_or(MAX_DIGITS);
    let max_digits = max_digits.min(MAX_DIGITS);
    if max_digits == 0 {
        return Err(DocumentError::ZeroMaxDigits);
    }
    if min_digits > max_digits {
        return Err(DocumentError::MinDigitsAboveMax);
    }
    let variable_name = text(args, "variable_name")?.filter(|name| !name.is_empty());
    Ok(Gather {
        min_digits,
        max_digits,
        ask: url(args, "ask")?,
        variable_name: needed(variable_name, "variable_name")?,
    })
}

fn needed(value: Option<String>, name: &'static str) -> Result<String, DocumentError> {
    value.ok_or(DocumentError::MissingField(name))
}

/// The URL of a sound; an empty text is none.
fn url(fields: &Fields, name: &'static str) -> Result<Option<String>, DocumentError> {
    let Some(text) = text(fields, name)?.filter(|text| !text.is_empty()) else {
        return Ok(None);
    };
    match Url::parse(&text) {
        Ok(url) if matches!(url.scheme(), "http" | "https") => Ok(Some(text)),
        _ => Err(DocumentError::WrongType(name, "an http or https URL")),
    }
}

#[cfg(test)]
mod tests;
