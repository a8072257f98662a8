//! Configuration files in TOML, and errors in them by line, section and option.

mod options;
mod position;

use std::fmt::Display;
use std::path::{Path, PathBuf};

use serde::de::DeserializeOwned;
use toml::Spanned;

use crate::common::error::CommandError;
pub(crate) use options::{option_section, GivenOptions, Numbers, OptionText};
use position::Position;

/// A configuration file and its text.
#[derive(Clone, Copy)]
pub(crate) struct TomlFile<'a> {
    pub path: &'a Path,
    pub text: &'a str,
}

impl TomlFile<'_> {
    /// Parses the file.
    ///
    /// # Errors
    ///
    /// Fails at the first value that is not of the expected type, and at options that
    /// do not exist.
    pub(crate) fn parse<T: DeserializeOwned>(&self) -> Result<T, CommandError> {
        toml::from_str(self.text).map_err(|error| {
            let at = error.span().unwrap_or_default();
            self.wrong(at.start, error.message())
        })
    }

    /// Returns an error about a file that an option names.
    pub(crate) fn file(&self, path: &Spanned<PathBuf>, why: impl Display) -> CommandError {
        self.at(path, format!("{}: {why}", path.get_ref().display()))
    }

    /// Returns an error about the value of an option.
    pub(crate) fn at<T>(&self, value: &Spanned<T>, why: impl Display) -> CommandError {
        self.wrong(value.span().start, why)
    }

    /// Returns an error with file, line, section and option of the byte `at`.
    pub(crate) fn wrong(&self, at: usize, why: impl Display) -> CommandError {
        let (path, position) = (self.path.display(), Position::of(self.text, at));
        CommandError::new(format!("{path}:{position} {why}"))
    }
}
