//! Configuration that has been read and is not in force yet.

use std::collections::BTreeMap;
use std::fmt;
use std::sync::Arc;

use pinset::verify::Doubt;
use pinset::PinSet;

use super::in_force::InForce;
use crate::asterisk::log::log;

/// A file that was read.
pub struct Draft {
    /// What it says.
    pub in_force: InForce,
    /// PIN sets whose sources are still to be checked.
    pub sources: Vec<SourceCheck>,
    pub(super) errors: Errors,
    /// Errors in `[general]` leave it open what the PIN sets mean: at load, they
    /// admit nobody.
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

    /// Returns a file of which nothing is known but this error, and logs it.
    pub(super) fn failed(error: &str) -> Self {
        log!(Error, "{error}");
        let mut draft = Self::empty();
        draft.errors.add(error.to_owned());
        draft
    }

    /// Logs that a PIN set can't use its source: a reload will be refused.
    pub fn reject_source(&mut self, check: &SourceCheck, error: impl fmt::Display) {
        let place = check.place_of("source");
        self.errors.report(place, &check.section, "source", error);
    }

    /// Logs that a PIN set may admit nobody, because of an option.
    pub fn warn_of_source(&self, check: &SourceCheck, doubt: &Doubt) {
        let option = doubt.option();
        let (place, section) = (check.place_of(option), &check.section);
        log!(Warning, "{place}: [{section}] {option}: {doubt}");
    }
}

/// A PIN set whose source is to be checked.
pub struct SourceCheck {
    /// Its options.
    pub set: Arc<PinSet>,
    /// Its section's name, as it stands there.
    pub section: String,
    /// Where options stand.
    pub(super) places: Places,
    /// Where the section stands.
    pub(super) section_place: String,
}

impl SourceCheck {
    /// Returns where an option stands, or the section if the option stands nowhere.
    fn place_of(&self, option: &str) -> &str {
        self.places.get(option).unwrap_or(&self.section_place)
    }
}

/// Where options stand (`authenticate.conf:12`), by their names in small letters.
pub type Places = BTreeMap<String, String>;

/// The errors of a file.
#[derive(Default)]
pub struct Errors {
    pub first: Vec<String>,
    pub count: usize,
}

impl Errors {
    /// How many are kept.
    const MAX_KEPT: usize = 20;

    /// Logs what is wrong with an option, or with a section if it is empty.
    pub fn report(&mut self, place: &str, section: &str, option: &str, error: impl fmt::Display) {
        let gap = if option.is_empty() { "" } else { " " };
        let error = format!("{place}: [{section}]{gap}{option}: {error}");
        log!(Error, "{error}");
        self.add(error);
    }

    fn add(&mut self, error: String) {
        if self.first.len() < Self::MAX_KEPT {
            self.first.push(error);
        }
        self.count += 1;
    }

    pub fn is_empty(&self) -> bool {
        self.count == 0
    }
}
