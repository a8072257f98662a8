//! PIN sets of the console: sections from a folder that `pinset console` can write to.
//!
//! The console must not gain more rights than it has by its PIN files. A section may
//! therefore have only the options of its form, and its PIN file must be below one folder.
//! Files are parsed here and not by Asterisk, whose syntax includes other files, runs
//! commands and copies templates.

mod folder;
mod syntax;

use std::path::{Component, Path};

use thiserror::Error;

use super::error::OptionError;
use super::pin_set::{AccountCode, PinSet, Source};

pub use folder::{read_folder, ConsoleFile, FolderError};
pub use syntax::{parse_console_file, ConsoleFileError, ConsoleFileErrorKind};

/// The options that a section may have.
const OPTIONS: [&str; 5] = [
    "source",
    "identify",
    "min_digits",
    "max_digits",
    "account_code",
];

/// A section of a file in the folder.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct ConsoleSection {
    /// The name of the PIN set: letters, digits, `-`, `_` and `.`.
    pub name: String,
    /// The line of `[name]`, from 1.
    pub line: usize,
    /// Its options, in the order of the lines.
    pub options: Vec<ConsoleOption>,
}

/// A line `option = value`.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct ConsoleOption {
    /// The name of the option in lower case: letters, digits and `_`.
    pub name: String,
    /// Its value, without control characters.
    pub value: String,
    /// Its line, from 1.
    pub line: usize,
}

/// An error in an option of a section. The message holds neither the option nor its value.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Error)]
pub enum ConsoleOptionError {
    /// Only authenticate.conf may have this option.
    #[error(
        "not allowed in console_sets, only {}: move the section to authenticate.conf",
        OPTIONS.join(", ")
    )]
    NotAllowed,
    /// The section has the option in this line, too.
    #[error("set in line {0} already: remove one of both")]
    Duplicate(usize),
    /// The PIN file is not below the folder.
    #[error("must be file: and a path below the folder console_lists, without '..'")]
    SourceOutside,
    /// The account code is invalid, or would be the PIN.
    #[error("must be yes or no in console_sets")]
    AccountCode,
    /// The value is invalid in any PIN set.
    #[error(transparent)]
    Option(OptionError),
}

impl ConsoleSection {
    /// Returns the PIN set with its default options, and its errors. `lists` is the folder
    /// of its PIN file. A source in `[general]` does not count.
    pub fn pin_set(
        &self,
        defaults: &PinSet,
        lists: &Path,
    ) -> (PinSet, Vec<(&ConsoleOption, ConsoleOptionError)>) {
        let mut set = PinSet {
            source: None,
            confined_to: Some(lists.to_owned()),
            ..defaults.clone()
        };
        let mut errors = Vec::new();
        for (at, option) in self.options.iter().enumerate() {
            let earlier = self.options.iter().take(at);
            let earlier = earlier.rev().find(|other| other.name == option.name);
            let done = match earlier {
                Some(earlier) => Err(ConsoleOptionError::Duplicate(earlier.line)),
                None => apply(option, &mut set, lists),
            };
            errors.extend(done.err().map(|error| (option, error)));
        }
        (set, errors)
    }
}

fn apply(option: &ConsoleOption, set: &mut PinSet, lists: &Path) -> Result<(), ConsoleOptionError> {
    let mut changed = set.clone();
    let done = changed.set(option.name.as_bytes(), option.value.as_bytes());
    if done == Err(OptionError::UnknownOption) {
        return Err(ConsoleOptionError::Option(OptionError::UnknownOption));
    }
    if !OPTIONS.contains(&option.name.as_str()) {
        return Err(ConsoleOptionError::NotAllowed);
    }
    done.map_err(|error| match option.name.as_str() {
        "source" => ConsoleOptionError::SourceOutside,
        "account_code" => ConsoleOptionError::AccountCode,
        _ => ConsoleOptionError::Option(error),
    })?;
    if option.name == "source" && !is_source_below(changed.source.as_ref(), lists) {
        return Err(ConsoleOptionError::SourceOutside);
    }
    if option.name == "account_code" && changed.account_code == AccountCode::Pin {
        return Err(ConsoleOptionError::AccountCode);
    }
    *set = changed;
    Ok(())
}

/// Returns whether a source is a file below a folder. Links are not resolved: those below
/// the folder are refused when the file is opened.
fn is_source_below(source: Option<&Source>, folder: &Path) -> bool {
    let Some(Source::File(path)) = source else {
        return false;
    };
    let is_parent = |part: Component<'_>| part == Component::ParentDir;
    let below = path.strip_prefix(folder);
    below.is_ok_and(|below| !below.as_os_str().is_empty()) && !path.components().any(is_parent)
}

#[cfg(test)]
mod tests;
