//! Answers of the module.
//!
//! All text is kept escaped as the module sends it, with anything invisible in it escaped,
//! too. A path is text: that the PBX names a file says nothing about the file of that name
//! here.

use ami::Message;

use super::error::RequestError;
use super::text::escaped;

/// The longest value that is kept, in bytes before escaping.
const MAX_VALUE_BYTES: usize = 4096;

/// A PIN set as [`super::client::PbxClient::pin_sets`] lists it.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(crate) struct PinSetSummary {
    pub name: String,
    /// Whether it can admit anybody, as far as known.
    pub usable: bool,
    /// `ok`, or why nobody can be admitted.
    pub state: String,
}

impl PinSetSummary {
    pub(super) fn read(row: &Message) -> Result<Self, RequestError> {
        let reader = RowReader(row);
        Ok(Self {
            name: reader.text("PinSet")?,
            usable: reader.yes_or_no("Usable")?,
            state: reader.text("State")?,
        })
    }
}

/// Reads the headers of a row. A repeated one is an error, because either could be
/// forged.
#[derive(Clone, Copy)]
pub(super) struct RowReader<'a>(pub &'a Message);

impl<'a> RowReader<'a> {
    fn one(self, name: &'static str) -> Result<Option<&'a [u8]>, RequestError> {
        let mut values = self.0.all(name);
        let value = values.next();
        match values.next() {
            Some(_) => Err(RequestError::InvalidHeader(name)),
            None => Ok(value),
        }
    }

    fn text(self, name: &'static str) -> Result<String, RequestError> {
        let value = self.one(name)?;
        let text = value.map(|value| escaped(value, MAX_VALUE_BYTES));
        text.ok_or(RequestError::InvalidHeader(name))
    }

    fn yes_or_no(self, name: &'static str) -> Result<bool, RequestError> {
        match self.one(name)? {
            Some(b"yes") => Ok(true),
            Some(b"no") => Ok(false),
            _ => Err(RequestError::InvalidHeader(name)),
        }
    }
}
