//! The error that ends a command. Its text never contains a PIN.

use std::fmt::Display;
use std::io::{self, Write};
use std::path::Path;

use thiserror::Error;

/// The reason why a command stops.
#[derive(Debug, Error)]
pub(crate) enum CommandError {
    /// A message for standard error.
    #[error("{0}")]
    Message(String),
    /// The command's output could not be written.
    #[error(transparent)]
    Output(io::Error),
}

impl CommandError {
    pub(crate) fn new(text: impl Display) -> Self {
        Self::Message(text.to_string())
    }

    /// Returns an error about a file.
    pub(crate) fn at(path: &Path, error: impl Display) -> Self {
        Self::Message(format!("{}: {error}", path.display()))
    }
}

/// Conversion of an error about a file.
pub(crate) trait At<T> {
    /// Puts the file's path in front of the error.
    fn at(self, path: &Path) -> Result<T, CommandError>;
}

impl<T, E: Display> At<T> for Result<T, E> {
    fn at(self, path: &Path) -> Result<T, CommandError> {
        self.map_err(|error| CommandError::at(path, error))
    }
}

/// Prints a message on standard error and goes on.
pub(crate) fn note(text: impl Display) {
    // A failure to write to standard error can't be reported anywhere.
    let _ = writeln!(io::stderr(), "pinset: {text}");
}
