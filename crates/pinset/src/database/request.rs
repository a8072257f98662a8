//! Statements with their parameters, and values of replies.

use std::ffi::CString;

use libpq::{Parameter, Reply, Statement};
use thiserror::Error;
use zeroize::Zeroizing;

/// A statement with its parameters.
#[derive(Debug)]
pub struct Request {
    /// The statement.
    pub statement: &'static Statement,
    /// Its parameters, in order.
    pub parameters: Vec<Parameter>,
}

/// A reply is none to its statement.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Error)]
#[error("the reply of the database can't be read")]
pub struct UnreadableReply;

/// Returns a value of a reply, which must not be NULL.
pub(crate) fn text(reply: &Reply, row: usize, column: usize) -> Result<&str, UnreadableReply> {
    let text = reply.get(row, column).ok_or(UnreadableReply)?;
    std::str::from_utf8(text).map_err(|_| UnreadableReply)
}

/// Returns a parameter. A NUL, which no text of the database has, becomes a blank.
pub(crate) fn of_text(text: &str) -> Parameter {
    CString::new(text.replace('\0', " "))
        .ok()
        .map(Zeroizing::new)
}
