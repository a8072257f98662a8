//! A request as the log may show it: whole, but for what was keyed.
//!
//! It is written anew from its JSON, value by value. What is under `data` is
//! never shown. Of the rest only what is known to be none of a caller's keys
//! is, and no digits in a field that we do not know.

use std::borrow::Cow;
use std::fmt;

use pinset::external::Data;
use serde::de::{DeserializeSeed, Deserializer, MapAccess, SeqAccess, Visitor};

/// In the place of what is not shown.
pub const MASK: &str = "***";

/// The most bytes of a request that are kept.
const LONGEST: usize = 8 << 10;

/// So many keys in a row are no coincidence.
const TELLING: usize = 4;

/// The body of a request in which `data` was gathered. `None`: it is no JSON.
pub fn masked(body: &[u8], data: &Data) -> Option<String> {
    let mut out = String::with_capacity(body.len().min(LONGEST));
    let mut json = serde_json::Deserializer::from_slice(body);
    let writer = Writer {
        out: &mut out,
        place: Place::Root,
        data,
    };
    writer.deserialize(&mut json).ok()?;
    if out.len() > LONGEST {
        let end = (0..=LONGEST).rev().find(|end| out.is_char_boundary(*end));
        out.truncate(end.unwrap_or_default());
        out.push('…');
    }
    Some(out)
}

/// Where a value stands.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Place {
    Root,
    /// `caller` and `callee`: shown.
    Number,
    /// A field of the protocol: shown, unless it has what was keyed.
    Known,
    /// `callflow` or `call_flow`, one of its steps, and the detail of one.
    Flow,
    Step,
    Detail,
    /// Under `data`: not shown.
    Keyed,
    /// A field we do not know: not shown if there is a digit in it.
    Unknown,
}

impl Place {
    fn field(self, name: &str) -> Self {
        match (self, name) {
            (Self::Keyed, _) | (Self::Root, "data") => Self::Keyed,
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
            Self::Keyed => Self::Keyed,
            Self::Flow => Self::Step,
            _ => Self::Unknown,
        }
    }
}

struct Writer<'a> {
    out: &'a mut String,
    place: Place,
    data: &'a Data,
}

impl Writer<'_> {
    fn inside(&mut self, place: Place) -> Writer<'_> {
        Writer {
            out: self.out,
            place,
            data: self.data,
        }
    }

    fn quoted(&mut self, text: &str) {
        // A text is always JSON.
        let quoted = serde_json::to_string(text).unwrap_or_default();
        self.out.push_str(&quoted);
    }

    /// Whether a scalar may be shown.
    fn shows(&self, text: &str) -> bool {
        match self.place {
            Place::Number => true,
            Place::Keyed => false,
            Place::Known => !reveals(text, self.data),
            _ => !text.bytes().any(|byte| byte.is_ascii_digit()) && !reveals(text, self.data),
        }
    }

    fn scalar(mut self, text: &str, quoted: bool) {
        match (self.shows(text), quoted) {
            (true, true) => self.quoted(text),
            (true, false) => self.out.push_str(text),
            (false, _) => self.quoted(MASK),
        }
    }
}

/// Returns whether a text is what was entered for anything, or has it in it.
pub fn reveals(text: &str, data: &Data) -> bool {
    let mut keyed = data.iter().map(|(_, keyed)| keyed.as_str());
    keyed.any(|keyed| {
        !keyed.is_empty() && (text == keyed || keyed.len() >= TELLING && text.contains(keyed))
    })
}

/// The names of fields are shown as far as they look like names.
fn name(key: &str) -> &str {
    let right = |byte: u8| byte.is_ascii_alphanumeric() || b"_-.".contains(&byte);
    let digits = key.bytes().filter(u8::is_ascii_digit).count();
    match key.len() <= 64 && digits < TELLING && key.bytes().all(right) {
        true => key,
        false => MASK,
    }
}

impl<'de> DeserializeSeed<'de> for Writer<'_> {
    type Value = ();

    fn deserialize<D: Deserializer<'de>>(self, from: D) -> Result<(), D::Error> {
        from.deserialize_any(self)
    }
}

impl<'de> Visitor<'de> for Writer<'_> {
    type Value = ();

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("JSON")
    }

    fn visit_unit<E>(self) -> Result<(), E> {
        self.out.push_str("null");
        Ok(())
    }

    fn visit_bool<E>(self, truth: bool) -> Result<(), E> {
        self.out.push_str(if truth { "true" } else { "false" });
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
        self.out.push('[');
        let mut first = true;
        let place = self.place.item();
        loop {
            let before = self.out.len();
            if !first {
                self.out.push(',');
            }
            first = false;
            if items.next_element_seed(self.inside(place))?.is_none() {
                self.out.truncate(before);
                break;
            }
        }
        self.out.push(']');
        Ok(())
    }

    fn visit_map<A: MapAccess<'de>>(mut self, mut fields: A) -> Result<(), A::Error> {
        self.out.push('{');
        let mut first = true;
        while let Some(key) = fields.next_key::<Cow<'_, str>>()? {
            if !first {
                self.out.push(',');
            }
            first = false;
            let shown = if reveals(&key, self.data) {
                MASK
            } else {
                name(&key)
            };
            self.quoted(shown);
            self.out.push(':');
            let place = self.place.field(&key);
            fields.next_value_seed(self.inside(place))?;
        }
        self.out.push('}');
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn shown(body: &str, keyed: &[&str]) -> Option<String> {
        let mut data = Data::new();
        for (at, keyed) in keyed.iter().enumerate() {
            data.insert(&at.to_string(), *keyed);
        }
        masked(body.as_bytes(), &data)
    }

    #[test]
    fn what_is_shown() {
        for (body, keyed, as_text) in [
            (
                r#"{"caller":"+905060508169","callee":908508851980,"data":{"pin_code":"1234","b":12,"c":{"d":["5"]}}}"#,
                &["1234", "12"][..],
                r#"{"caller":"+905060508169","callee":908508851980,"data":{"pin_code":"***","b":"***","c":{"d":["***"]}}}"#,
            ),
            // Callers stay readable, whatever was keyed.
            (
                r#"{"caller":"4711","data":{"p":"4711"}}"#,
                &["4711"],
                r#"{"caller":"4711","data":{"p":"***"}}"#,
            ),
            // A PIN where it does not belong.
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
            assert_eq!(shown(body, keyed).as_deref(), Some(as_text), "{body}");
        }
        assert_eq!(shown("pin=4711", &[]), None);
        assert_eq!(shown("", &[]), None);
    }

    #[test]
    fn a_long_request_is_cut() {
        let long = format!(r#"{{"note":"{}"}}"#, "é".repeat(LONGEST));
        let text = shown(&long, &[]).expect("JSON");
        assert!(text.len() < LONGEST + 8 && text.ends_with("é…"));
    }
}
