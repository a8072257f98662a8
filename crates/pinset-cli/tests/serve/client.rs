//! What answers to calls contain, and credentials.

pub(crate) use crate::lab::http::{request, Connection, Response, PATIENCE};

impl Response {
    /// Returns the destination of the call in an answer.
    pub(crate) fn destination(&self) -> String {
        assert_eq!(self.status, 200, "{}", self.text());
        let json = self.json();
        let last = json["seq"].as_array().unwrap().last().unwrap().clone();
        match last["action"].as_str().unwrap() {
            "connect" => last["args"]["destination"].as_str().unwrap().to_owned(),
            "gather" => last["args"]["variable_name"].as_str().unwrap().to_owned(),
            other => other.to_owned(),
        }
    }
}

/// Returns `user:password` as a header.
pub(crate) fn basic(credential: &str) -> (&'static str, String) {
    use base64::prelude::{Engine, BASE64_STANDARD};
    let token = BASE64_STANDARD.encode(credential);
    ("Authorization", format!("Basic {token}"))
}
