//! A lenient reader of the fields of JSON documents.

use std::fmt;

use serde::de::{DeserializeSeed, Deserializer, MapAccess, SeqAccess, Visitor};
use serde_json::{Map, Value};

use super::DocumentError;

/// The fields of an object.
pub(super) type Fields = Map<String, Value>;

/// The fields of these names, of a document whose root is an object. Of a field that is
/// there twice the last one counts, as nearly everywhere. Other fields must be JSON too.
/// serde_json lets nothing nest deeper than 128.
pub(super) fn document(
    bytes: &[u8],
    names: &'static [&'static str],
) -> Result<Fields, DocumentError> {
    // A byte order mark is none of JSON's, but of some editors'.
    let bytes = bytes.strip_prefix(b"\xef\xbb\xbf").unwrap_or(bytes);
    if bytes.trim_ascii().is_empty() {
        return Err(DocumentError::Empty);
    }
    let mut json = serde_json::Deserializer::from_slice(bytes);
    let read = FieldsOf(names).deserialize(&mut json);
    match read.and_then(|fields| json.end().map(|()| fields)) {
        Ok(Some(fields)) => Ok(fields),
        Ok(None) => Err(DocumentError::NotAnObject),
        // Of a document of any form, serde_json says what it misses and where,
        // and repeats nothing of it.
        Err(error) => Err(DocumentError::InvalidJson(error.to_string())),
    }
}

/// Reads the fields of these names, and passes over everything else, which is not kept in
/// memory. The result is `None` if the value is no object.
struct FieldsOf(&'static [&'static str]);

impl<'de> DeserializeSeed<'de> for FieldsOf {
    type Value = Option<Fields>;

    fn deserialize<D: Deserializer<'de>>(self, from: D) -> Result<Self::Value, D::Error> {
        from.deserialize_any(self)
    }
}

impl<'de> Visitor<'de> for FieldsOf {
    type Value = Option<Fields>;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("JSON")
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Self::Value, A::Error> {
        let mut fields = Fields::new();
        while let Some(name) = map.next_key_seed(NameOf(self.0))? {
            match name {
                Some(name) => {
                    fields.insert(name.to_owned(), map.next_value()?);
                }
                None => {
                    map.next_value_seed(FieldsOf(&[]))?;
                }
            }
        }
        Ok(Some(fields))
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut items: A) -> Result<Self::Value, A::Error> {
        while items.next_element_seed(FieldsOf(&[]))?.is_some() {}
        Ok(None)
    }

    fn visit_unit<E>(self) -> Result<Self::Value, E> {
        Ok(None)
    }

    fn visit_bool<E>(self, _: bool) -> Result<Self::Value, E> {
        Ok(None)
    }

    fn visit_i64<E>(self, _: i64) -> Result<Self::Value, E> {
        Ok(None)
    }

    fn visit_u64<E>(self, _: u64) -> Result<Self::Value, E> {
        Ok(None)
    }

    fn visit_f64<E>(self, _: f64) -> Result<Self::Value, E> {
        Ok(None)
    }

    fn visit_str<E>(self, _: &str) -> Result<Self::Value, E> {
        Ok(None)
    }
}

/// Which of these names a field has.
struct NameOf(&'static [&'static str]);

impl<'de> DeserializeSeed<'de> for NameOf {
    type Value = Option<&'static str>;

    fn deserialize<D: Deserializer<'de>>(self, from: D) -> Result<Self::Value, D::Error> {
        from.deserialize_identifier(self)
    }
}

impl Visitor<'_> for NameOf {
    type Value = Option<&'static str>;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("the name of a field")
    }

    fn visit_str<E>(self, field: &str) -> Result<Self::Value, E> {
        Ok(self.0.iter().copied().find(|name| *name == field))
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
