//! Redaction of requests for the log: everything but the entered digits is kept.
//!
//! The JSON is written again, value by value. Values under `data` are never shown.
//! Known fields are shown unless they contain digits that the caller entered, unknown
//! fields unless they contain any digit.

use std::fmt;

use pinset::external::Data;
use serde::de::{DeserializeSeed, Deserializer, MapAccess, SeqAccess, Visitor};

/// Replacement of a redacted value.
pub(super) const MASK: &str = "***";

/// Maximum number of bytes of a request that are kept.
const MAX_REQUEST_BYTES: usize = 8 << 10;

/// Fewest entered digits whose occurrence within a longer text is no coincidence.
const MIN_REVEALING_DIGITS: usize = 4;

/// Redacts the body of a request that contains `data`. Returns `None` if it is not
/// JSON.
pub(super) fn redact(body: &[u8], data: &Data) -> Option<String> {
    let mut out = Vec::with_capacity(body.len().min(MAX_REQUEST_BYTES));
    let mut json = serde_json::Deserializer::from_slice(body);
    let redactor = Redactor {
        out: &mut out,
        kind: FieldKind::Root,
        data,
    };
    redactor.deserialize(&mut json).ok()?;
    let mut out = String::from_utf8(out).ok()?;
    if out.len() > MAX_REQUEST_BYTES {
        let end = (0..=MAX_REQUEST_BYTES)
            .rev()
            .find(|end| out.is_char_boundary(*end));
        out.truncate(end.unwrap_or_default());
        out.push('…');
    }
    Some(out)
}

/// The field that a value belongs to.
#[derive(Clone, Copy, PartialEq, Eq)]
enum FieldKind {
    Root,
    /// `caller` and `callee`: shown.
    Number,
    /// A field of the protocol: shown unless it contains entered digits.
    Known,
    /// `callflow` or `call_flow`, one of its steps, and the detail of one.
    Flow,
    Step,
    Detail,
    /// Under `data`: not shown.
    Entered,
    /// An unknown field: not shown if it contains a digit.
    Unknown,
}

impl FieldKind {
    fn field(self, name: &str) -> Self {
        match (self, name) {
            (Self::Entered, _) | (Self::Root, "data") => Self::Entered,
            (Self::Root, "caller" | "callee") => Self::Number,
            (Self::Root, "uuid" | "direction" | "timestamp" | "external_manager_id")
            | (Self::Step, "timestamp" | "action")
            | (Self::Detail, "id" | "type") => Self::Known,
            (Self::Root, "callflow" | "call_flow") => Self::Flow,
            (Self::Step, "detail") => Self::Detail,
            _ => Self::Unknown,
        }
    }

    fn item(self) -> Self {
        match self {
            Self::Entered => Self::Entered,
            Self::Flow => Self::Step,
            _ => Self::Unknown,
        }
    }
}

struct Redactor<'a> {
    out: &'a mut Vec<u8>,
    kind: FieldKind,
    data: &'a Data,
}

impl Redactor<'_> {
    fn inside(&mut self, kind: FieldKind) -> Redactor<'_> {
        Redactor {
            out: self.out,
            kind,
            data: self.data,
        }
    }

    fn quoted(&mut self, text: &str) {
        // Writing a string to memory can't fail.
        let _ = serde_json::to_writer(&mut *self.out, text);
    }

    /// Returns whether a scalar may be shown.
    fn shows(&self, text: &str) -> bool {
        match self.kind {
            FieldKind::Number => true,
            FieldKind::Entered => false,
            FieldKind::Known => !reveals(text, self.data),
            _ => !text.bytes().any(|byte| byte.is_ascii_digit()) && !reveals(text, self.data),
        }
    }

    fn scalar(mut self, text: &str, quoted: bool) {
        match (self.shows(text), quoted) {
            (true, true) => self.quoted(text),
            (true, false) => self.out.extend_from_slice(text.as_bytes()),
            (false, _) => self.quoted(MASK),
        }
    }
}

/// Returns whether a text equals or contains digits that were entered.
pub(super) fn reveals(text: &str, data: &Data) -> bool {
    let mut all = data.iter().map(|(_, entered)| entered.as_str());
    all.any(|entered| {
        !entered.is_empty()
            && (text == entered || entered.len() >= MIN_REVEALING_DIGITS && text.contains(entered))
    })
}

/// Returns the name of a field, redacted unless it looks like a name.
fn name(key: &str) -> &str {
    let right = |byte: u8| byte.is_ascii_alphanumeric() || b"_-.".contains(&byte);
    let digits = key.bytes().filter(u8::is_ascii_digit).count();
    match key.len() <= 64 && digits < MIN_REVEALING_DIGITS && key.bytes().all(right) {
        true => key,
        false => MASK,
    }
}

impl<'de> DeserializeSeed<'de> for Redactor<'_> {
    type Value = ();

    fn deserialize<D: Deserializer<'de>>(self, from: D) -> Result<(), D::Error> {
        from.deserialize_any(self)
    }
}

impl<'de> Visitor<'de> for Redactor<'_> {
    type Value = ();

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("JSON")
    }

    fn visit_unit<E>(self) -> Result<(), E> {
        self.out.extend_from_slice(b"null");
        Ok(())
    }

    fn visit_bool<E>(self, truth: bool) -> Result<(), E> {
        let text: &[u8] = if truth { b"true" } else { b"false" };
        self.out.extend_from_slice(text);
        Ok(())
    }

    fn visit_u64<E>(self, number: u64) -> Result<(), E> {
        self.scalar(&number.to_string(), false);
        Ok(())
    }

    fn visit_i64<E>(self, number: i64) -> Result<(), E> {
        self.scalar(&number.to_string(), false);
        Ok(())
    }

    fn visit_f64<E>(self, number: f64) -> Result<(), E> {
        self.scalar(&number.to_string(), false);
        Ok(())
    }

    fn visit_str<E>(self, text: &str) -> Result<(), E> {
        self.scalar(text, true);
        Ok(())
    }

    fn visit_seq<A: SeqAccess<'de>>(mut self, mut items: A) -> Result<(), A::Error> {
        self.out.push(b'[');
        let mut first = true;
        let kind = self.kind.item();
        loop {
            let before = self.out.len();
            if !first {
                self.out.push(b',');
            }
            first = false;
            if items.next_element_seed(self.inside(kind))?.is_none() {
                self.out.truncate(before);
                break;
            }
        }
        self.out.push(b']');
        Ok(())
    }

    fn visit_map<A: MapAccess<'de>>(mut self, mut fields: A) -> Result<(), A::Error> {
        self.out.push(b'{');
        let mut first = true;
        while let Some(kind) = fields.next_key_seed(KeyRedactor(&mut self, first))? {
            first = false;
            fields.next_value_seed(self.inside(kind))?;
        }
        self.out.push(b'}');
        Ok(())
    }
}

/// Writes the name of a field, and returns of which kind it is.
struct KeyRedactor<'a, 'b>(&'a mut Redactor<'b>, bool);

impl<'de> DeserializeSeed<'de> for KeyRedactor<'_, '_> {
    type Value = FieldKind;

    fn deserialize<D: Deserializer<'de>>(self, from: D) -> Result<FieldKind, D::Error> {
        from.deserialize_identifier(self)
    }
}

impl Visitor<'_> for KeyRedactor<'_, '_> {
    type Value = FieldKind;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("the name of a field")
    }

    fn visit_str<E>(self, key: &str) -> Result<FieldKind, E> {
        let Self(redactor, is_first) = self;
        if !is_first {
            redactor.out.push(b',');
        }
        let shown = if reveals(key, redactor.data) {
            MASK
        } else {
            name(key)
        };
        redactor.quoted(shown);
        redactor.out.push(b':');
        Ok(redactor.kind.field(key))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn redacted(body: &str, entered: &[&str]) -> Option<String> {
        let mut data = Data::new();
        for (at, digits) in entered.iter().enumerate() {
            data.insert(&at.to_string(), *digits);
        }
        redact(body.as_bytes(), &data)
    }

    #[test]
    fn entered_digits_are_redacted_and_the_rest_is_kept() {
        for (body, entered, as_text) in [
            (
                r#"{"caller":"+905060508169","callee":908508851980,"data":{"pin_code":"1234","b":12,"c":{"d":["5"]}}}"#,
                &["1234", "12"][..],
                r#"{"caller":"+905060508169","callee":908508851980,"data":{"pin_code":"***","b":"***","c":{"d":["***"]}}}"#,
            ),
            // Caller numbers stay readable, whatever was entered.
            (
                r#"{"caller":"4711","data":{"p":"4711"}}"#,
                &["4711"],
                r#"{"caller":"4711","data":{"p":"***"}}"#,
            ),
            // A PIN in an unexpected field.
            (
                r#"{"pin":"4711","note":"ends","more":[1,"a",null,true]}"#,
                &[],
                r#"{"pin":"***","note":"ends","more":["***","a",null,true]}"#,
            ),
            (
                r#"{"4711":"x","DIGITS":"*A"}"#,
                &["*A"],
                r#"{"***":"x","DIGITS":"***"}"#,
            ),
            (
                r#"{"data":{"47114711":""}}"#,
                &[],
                r#"{"data":{"***":"***"}}"#,
            ),
            (
                r#"{"uuid":"4711","timestamp":4711,"direction":"in4711"}"#,
                &["4711"],
                r#"{"uuid":"***","timestamp":"***","direction":"***"}"#,
            ),
            (
                r#"{"timestamp":1729721495,"callflow":[{"timestamp":1729721495,"action":"gather","detail":{"id":2,"type":"external_manager","digits":"47","data":{"x":"9"}}}]}"#,
                &["47"],
                r#"{"timestamp":1729721495,"callflow":[{"timestamp":1729721495,"action":"gather","detail":{"id":2,"type":"external_manager","digits":"***","data":{"x":"***"}}}]}"#,
            ),
            (
                r#"{"call_flow":[{"timestamp":1729721495,"action":"init","detail":{"id":2,"type":"external_manager","digits":"47"}}]}"#,
                &["47"],
                r#"{"call_flow":[{"timestamp":1729721495,"action":"init","detail":{"id":2,"type":"external_manager","digits":"***"}}]}"#,
            ),
            (r#""1234""#, &[], r#""***""#),
            ("{}", &[], "{}"),
            ("[]", &[], "[]"),
        ] {
            assert_eq!(redacted(body, entered).as_deref(), Some(as_text), "{body}");
        }
        assert_eq!(redacted("pin=4711", &[]), None);
        assert_eq!(redacted("", &[]), None);
    }

    #[test]
    fn long_request_is_truncated() {
        let long = format!(r#"{{"note":"{}"}}"#, "é".repeat(MAX_REQUEST_BYTES));
        let text = redacted(&long, &[]).expect("JSON");
        assert!(text.len() < MAX_REQUEST_BYTES + 8 && text.ends_with("é…"));
    }
}
