//! Requests that a PBX posts to a web service.

use std::io;

use serde::Serialize;
use serde_json::Value;
use zeroize::{Zeroize, Zeroizing};

use super::gathered::Data;
use super::json::{document, object, text, Fields};
use super::DocumentError;

/// The request that we post each time a service decides how a call goes on.
#[derive(Clone, Copy, Debug)]
pub struct Post<'a> {
    /// The caller number, with `+` and country code where it is known to be a phone
    /// number; empty if there is none.
    pub caller: &'a str,
    /// The number that was dialled.
    pub callee: &'a str,
    /// The identifier of the call: the same in all its posts.
    pub uuid: &'a str,
    /// Now, in seconds since 1970.
    pub timestamp: u64,
    /// When the call came in, in seconds since 1970.
    pub began: u64,
    /// Which of its External Managements this is, for the service.
    pub external_manager_id: u32,
    /// All that was gathered.
    pub data: &'a Data,
}

#[derive(Serialize)]
struct RequestJson<'a> {
    caller: &'a str,
    callee: &'a str,
    direction: &'static str,
    uuid: &'a str,
    timestamp: u64,
    external_manager_id: u32,
    data: &'a Data,
    callflow: [Call; 1],
    /// The same: the documentation has the one name, Hipcall's PBX the other.
    call_flow: [Call; 1],
}

#[derive(Clone, Copy, Serialize)]
struct Call {
    timestamp: u64,
    action: &'static str,
    detail: Detail,
}

#[derive(Clone, Copy, Serialize)]
struct Detail {
    id: u32,
    r#type: &'static str,
}

impl Post<'_> {
    /// The body of the request. It holds the digits the caller has entered, so it
    /// lies in one place and is wiped when dropped.
    pub fn to_json(&self) -> Zeroizing<Vec<u8>> {
        let flow = [Call {
            timestamp: self.began,
            action: "init",
            detail: Detail {
                id: self.external_manager_id,
                r#type: "external_manager",
            },
        }];
        let wire = RequestJson {
            caller: self.caller,
            callee: self.callee,
            direction: "inbound",
            uuid: self.uuid,
            timestamp: self.timestamp,
            external_manager_id: self.external_manager_id,
            data: self.data,
            callflow: flow,
            call_flow: flow,
        };
        // A vector that grows leaves copies behind. Writing to either does not
        // fail.
        let mut length = Length(0);
        let _ = serde_json::to_writer(&mut length, &wire);
        let mut body = Zeroizing::new(Vec::with_capacity(length.0));
        let _ = serde_json::to_writer(&mut *body, &wire);
        body
    }
}

/// Counts what is written.
struct Length(usize);

impl io::Write for Length {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.0 += bytes.len();
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

/// A request that a PBX has posted to us, as far as we need it.
#[derive(Clone, PartialEq, Eq, Default, Debug)]
pub struct Received {
    /// The caller number, in whatever form, if there is one.
    pub caller: Option<String>,
    /// The number that was dialled.
    pub callee: Option<String>,
    /// The identifier of the call.
    pub uuid: Option<String>,
    /// All that was gathered in it.
    pub data: Data,
}

impl Received {
    /// Parses the body of a request. Unknown fields are ignored, numbers and texts
    /// stand for each other, and a field that is `null` or empty counts as missing.
    ///
    /// # Errors
    ///
    /// It is no JSON object, or a field is none of these.
    pub fn parse(body: &[u8]) -> Result<Self, DocumentError> {
        let fields = Wiped(document(body, &["caller", "callee", "uuid", "data"])?);
        let said = |name| text(&fields.0, name).map(|text| text.filter(|text| !text.is_empty()));
        let mut received = Self {
            caller: said("caller")?,
            callee: said("callee")?,
            uuid: said("uuid")?,
            data: Data::new(),
        };
        if let Some(data) = object(&fields.0, "data")? {
            for (name, value) in data {
                match value {
                    Value::Null => {}
                    // Digits that were asked for and not entered count as missing.
                    Value::String(entered) if entered.is_empty() => {}
                    Value::String(entered) => received.data.insert(name, entered.as_str()),
                    Value::Number(entered) => {
                        let entered = Zeroizing::new(entered.to_string());
                        received.data.insert(name, entered.as_str());
                    }
                    _ => return Err(DocumentError::DataNotText),
                }
            }
        }
        Ok(received)
    }
}

/// A parsed document whose texts are wiped when it is dropped.
struct Wiped(Fields);

impl Drop for Wiped {
    fn drop(&mut self) {
        self.0.values_mut().for_each(wipe);
    }
}

fn wipe(value: &mut Value) {
    match value {
        Value::String(text) => text.zeroize(),
        Value::Array(values) => values.iter_mut().for_each(wipe),
        Value::Object(fields) => fields.values_mut().for_each(wipe),
        Value::Null | Value::Bool(_) | Value::Number(_) => {}
    }
}

#[cfg(test)]
mod tests;
