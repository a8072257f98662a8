//! PostgreSQL by the system's libpq, which is loaded when it is needed: a program or a
//! module that uses none runs without it.
//!
//! A [`Connection`] waits for nothing without a deadline, apart from its making:
//! [`Connection::open`] is bounded by `connect_timeout` and, before that, by the name
//! service. Texts of errors hold no values of queries, for the server's messages quote
//! them: [`QueryError`] has the SQLSTATE and the constraint.

mod connection;
mod copy;
mod ffi;
mod reply;

use std::ffi::{CStr, CString};
use std::fmt;
use std::sync::Arc;

use thiserror::Error;
use zeroize::Zeroizing;

pub use connection::{Connection, ConnectionError, Parameter, Query, Statement};
pub use reply::{QueryError, Reply};

use ffi::Functions;

/// The library, by the name that its binary interface has had since 2000.
const NAME: &str = "libpq.so.5";

/// The system's libpq. It is unmapped when it, the last connection and the last reply are
/// dropped.
pub struct Library(Arc<Functions>);

/// Why there is no libpq.
#[derive(Debug, Error)]
#[error("{NAME} can't be loaded: install PostgreSQL's client library (Debian: libpq5): {0}")]
pub struct LibraryError(String);

impl Library {
    /// Loads the library.
    ///
    /// # Errors
    ///
    /// It is not installed, or is no libpq.
    pub fn load() -> Result<Self, LibraryError> {
        let functions = Functions::load(NAME).map_err(|error| LibraryError(error.to_string()))?;
        Ok(Self(Arc::new(functions)))
    }
}

/// A connection string: `host=… dbname=…`, `postgresql://…` or `service=…`. It has no
/// `Debug`, and is wiped when dropped, for it may hold a password.
pub struct ConnectionString(Zeroizing<CString>);

/// A text is no connection string. The message holds nothing of it, for libpq's own
/// quotes passwords.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Error)]
#[error(
    "no connection string of PostgreSQL: expected KEY=VALUE pairs (host=db dbname=pbx user=asterisk), \
     postgresql://USER@HOST/DATABASE or service=NAME, on one line"
)]
pub struct ConnectionStringError;

impl ConnectionString {
    /// Reads a text. Blanks around it are passed over.
    ///
    /// # Errors
    ///
    /// It is empty, has several lines, or libpq can't read it.
    pub fn parse(library: &Library, text: &[u8]) -> Result<Self, ConnectionStringError> {
        let text = text.trim_ascii();
        if text.is_empty() || text.iter().any(u8::is_ascii_control) {
            return Err(ConnectionStringError);
        }
        let text = Zeroizing::new(CString::new(text).map_err(|_| ConnectionStringError)?);
        let mut message = std::ptr::null_mut();
        // SAFETY: both are pointers of ours; the message is freed below.
        let options = unsafe { (library.0.PQconninfoParse)(text.as_ptr(), &raw mut message) };
        if !message.is_null() {
            // SAFETY: libpq has allocated it for us.
            unsafe { (library.0.PQfreemem)(message.cast()) };
        }
        if options.is_null() {
            return Err(ConnectionStringError);
        }
        // SAFETY: libpq has allocated them for us.
        unsafe { (library.0.PQconninfoFree)(options) };
        Ok(Self(text))
    }

    fn as_c_str(&self) -> &CStr {
        &self.0
    }
}

/// A text of libpq on one line, without control characters.
struct OneLine<'a>(&'a [u8]);

impl fmt::Display for OneLine<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let text = String::from_utf8_lossy(self.0);
        let mut words = text.split(|c: char| c.is_whitespace() || c.is_control());
        let words = words.by_ref().filter(|word| !word.is_empty());
        for (at, word) in words.enumerate() {
            let gap = if at == 0 { "" } else { " " };
            write!(f, "{gap}{word}")?;
        }
        Ok(())
    }
}
