//! Why a command could not do what it was told. No text of it holds a PIN.

use std::fmt::{self, Display};
use std::io;
use std::path::Path;

/// Why a command stops.
#[derive(Debug)]
pub enum Failure {
    /// This is to be told.
    Told(String),
    /// What it printed could not be written.
    Output(io::Error),
}

impl Failure {
    pub fn told(text: impl Display) -> Self {
        Self::Told(text.to_string())
    }

    /// One about a file.
    pub fn at(path: &Path, why: impl Display) -> Self {
        Self::Told(format!("{}: {why}", path.display()))
    }
}

impl Display for Failure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Told(text) => f.write_str(text),
            Self::Output(error) => write!(f, "{error}"),
        }
    }
}

/// Of an error that is about a file.
pub trait At<T> {
    /// Names the file.
    fn at(self, path: &Path) -> Result<T, Failure>;
}

impl<T, E: Display> At<T> for Result<T, E> {
    fn at(self, path: &Path) -> Result<T, Failure> {
        self.map_err(|error| Failure::at(path, error))
    }
}

/// Prints something on standard error that stops nothing.
pub fn note(text: impl Display) {
    use io::Write;
    // Nobody is left to tell if this can't be written.
    let _ = writeln!(io::stderr(), "pinset: {text}");
}
