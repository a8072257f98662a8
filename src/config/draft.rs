//! Configuration that has been read and is not in force yet.

use std::collections::BTreeMap;
use std::fmt;
use std::sync::Arc;

use pinset::verify::Doubt;
use pinset::PinSet;

use super::in_force::InForce;
use crate::asterisk::log::log;

/// A file that was read.
pub(crate) struct Draft {
    /// The configuration.
    pub in_force: InForce,
    /// PIN sets whose sources are still to be checked.
    pub sources: Vec<SourceCheck>,
    pub(super) errors: Errors,
    /// Errors in `[general]` may change what the PIN sets mean: at load, they admit
    /// nobody.
    pub(super) is_unsound: bool,
}

impl Draft {
    /// Returns a file without a line.
    pub(super) fn empty() -> Self {
        Self {
            in_force: InForce::default(),
            sources: Vec::new(),
            errors: Errors::default(),
            is_unsound: false,
        }
    }

    /// Returns a file that could not be read, and logs why.
    pub(super) fn failed(error: &str) -> Self {
        let mut draft = Self::empty();
        draft.errors.add(ConfigError {
            message: error.to_owned(),
            ..ConfigError::default()
        });
        draft
    }

    /// Logs that a PIN set can't use its source: a reload will be refused.
    pub(crate) fn reject_source(&mut self, check: &SourceCheck, error: impl fmt::Display) {
        let place = check.place_of("source");
        self.errors.report(place, &check.section, "source", error);
    }

    /// Does the same, and lets the PIN set admit nobody: its source would do, but not as it
    /// must.
    pub(crate) fn reject_pin_set(&mut self, check: &SourceCheck, error: impl fmt::Display) {
        self.reject_source(check, error);
        let name = check.section.to_ascii_lowercase();
        self.in_force.pin_sets.insert(name, None);
    }

    /// Logs that a PIN set may admit nobody, because of an option.
    pub(crate) fn warn_of_source(&self, check: &SourceCheck, doubt: &Doubt) {
        let option = doubt.option();
        let (place, section) = (check.place_of(option), &check.section);
        log!(Warning, "{place}: [{section}] {option}: {doubt}");
    }
}

/// A PIN set whose source is still to be checked.
pub(crate) struct SourceCheck {
    /// Its options.
    pub set: Arc<PinSet>,
    /// The name of its section, as written.
    pub section: String,
    /// Places of options.
    pub(super) places: Places,
    /// Place of the section.
    pub(super) section_place: String,
}

impl SourceCheck {
    /// Returns the place of an option, or of the section if the option is not set.
    fn place_of(&self, option: &str) -> &str {
        self.places.get(option).unwrap_or(&self.section_place)
    }
}

/// Places of options (`authenticate.conf:12`), by their names in lower case.
pub(super) type Places = BTreeMap<String, String>;

/// An error of a file.
#[derive(Clone, Default)]
pub(crate) struct ConfigError {
    /// Its place (`authenticate.conf:12`), or empty if authenticate.conf can't be read.
    pub place: String,
    /// The section, as written, or empty if the error is the file's.
    pub section: String,
    /// The option, or empty if the error is the section's.
    pub option: String,
    /// What is wrong, and the remedy.
    pub message: String,
}

impl ConfigError {
    /// Returns the file and the line, as far as they are known.
    pub(crate) fn file_and_line(&self) -> (&str, &str) {
        let is_number = |line: &str| !line.is_empty() && line.bytes().all(|b| b.is_ascii_digit());
        match self.place.rsplit_once(':') {
            Some((file, line)) if is_number(line) => (file, line),
            _ => (&self.place, ""),
        }
    }
}

impl fmt::Display for ConfigError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self {
            place,
            section,
            option,
            message,
        } = self;
        if place.is_empty() {
            return f.write_str(message);
        }
        if section.is_empty() {
            return write!(f, "{place}: {message}");
        }
        let gap = if option.is_empty() { "" } else { " " };
        write!(f, "{place}: [{section}]{gap}{option}: {message}")
    }
}

/// The errors of a file.
#[derive(Default)]
pub(super) struct Errors {
    pub first: Vec<ConfigError>,
    pub count: usize,
}

impl Errors {
    /// Most errors that are kept.
    const MAX_KEPT: usize = 1000;

    /// Logs an error of an option, or of the section if `option` is empty.
    pub(super) fn report(
        &mut self,
        place: &str,
        section: &str,
        option: &str,
        error: impl fmt::Display,
    ) {
        self.add(ConfigError {
            place: place.to_owned(),
            section: section.to_owned(),
            option: option.to_owned(),
            message: error.to_string(),
        });
    }

    fn add(&mut self, error: ConfigError) {
        log!(Error, "{error}");
        if self.first.len() < Self::MAX_KEPT {
            self.first.push(error);
        }
        self.count += 1;
    }

    pub(super) fn is_empty(&self) -> bool {
        self.count == 0
    }
}
