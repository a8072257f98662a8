//! A lenient reader of the fields of JSON documents.

use serde_json::{Map, Value};

use super::DocumentError;

/// The fields of an object.
pub(super) type Fields = Map<String, Value>;

/// A document whose root is an object. Of a field that is there twice the last
/// one counts, as nearly everywhere. serde_json lets nothing nest deeper than
/// 128.
pub(super) fn document(bytes: &[u8]) -> Result<Fields, DocumentError> {
    // A byte order mark is none of JSON's, but of some editors'.
    let bytes = bytes.strip_prefix(b"\xef\xbb\xbf").unwrap_or(bytes);
    if bytes.trim_ascii().is_empty() {
        return Err(DocumentError::Empty);
    }
    match serde_json::from_slice(bytes) {
        Ok(Value::Object(fields)) => Ok(fields),
        Ok(_) => Err(DocumentError::NotAnObject),
        // Of a document of any form, serde_json says what it misses and where,
        // and repeats nothing of it.
        Err(error) => Err(DocumentError::InvalidJson(error.to_string())),
    }
}

/// A field that has something in it.
pub(super) fn field<'a>(fields: &'a Fields, name: &str) -> Option<&'a Value> {
    fields.get(name).filter(|value| !value.is_null())
}

/// A field with fields of its own. None are `{}`, and `[]`, as PHP writes it.
pub(super) fn object<'a>(
    fields: &'a Fields,
    name: &'static str,
) -> Result<Option<&'a Fields>, DocumentError> {
    match field(fields, name) {
        None => Ok(None),
        Some(Value::Object(fields)) => Ok(Some(fields)),
        Some(Value::Array(items)) if items.is_empty() => Ok(None),
        Some(_) => Err(DocumentError::WrongType(name, "an object")),
    }
}

/// A text, which may be a number.
pub(super) fn text(fields: &Fields, name: &'static str) -> Result<Option<String>, DocumentError> {
    match field(fields, name) {
        None => Ok(None),
        Some(Value::String(text)) => Ok(Some(text.clone())),
        Some(Value::Number(number)) => Ok(Some(number.to_string())),
        Some(_) => Err(DocumentError::WrongType(name, "text")),
    }
}

/// A whole number from 0, which may be a text or have a point and zeros.
pub(super) fn number(fields: &Fields, name: &'static str) -> Result<Option<usize>, DocumentError> {
    let wrong = || DocumentError::WrongType(name, "a whole number");
    let text = match field(fields, name) {
        None => return Ok(None),
        Some(Value::Number(number)) => number.to_string(),
        Some(Value::String(text)) => text.trim().to_owned(),
        Some(_) => return Err(wrong()),
    };
    let (whole, rest) = text.split_once('.').unwrap_or((&text, "0"));
    let digits = |text: &str| !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_digit());
    if !digits(whole) || rest.is_empty() || rest.bytes().any(|byte| byte != b'0') {
        return Err(wrong());
    }
    whole.parse().map(Some).map_err(|_| wrong())
}
