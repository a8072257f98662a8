//! PIN sets of the console, from the files in the folder `console_sets`.

use std::collections::btree_map::Entry;
use std::collections::{BTreeMap, BTreeSet};
use std::path::PathBuf;

use pinset::config::{read_folder, ConflictError, ConsoleOptionError, ConsoleSection};

use super::parse::{with_suggestion, ParsedPinSet, Parser, GENERAL};

/// The most errors that are reported, so that nobody who can write to the folder can fill
/// the log.
const MAX_ERRORS: usize = 100;

const OPTION: &str = "console_sets";

impl Parser {
    /// Reads the PIN sets of the console, and logs their errors. Those in `sets` are never
    /// replaced. `included` are files that are part of authenticate.conf.
    pub(super) fn console_sets(
        &mut self,
        sets: &mut BTreeMap<String, ParsedPinSet>,
        included: &BTreeSet<PathBuf>,
    ) {
        let Some(folder) = self.settings.console_sets.clone() else {
            return;
        };
        let files = match read_folder(&folder, |path| included.contains(path)) {
            Ok(files) => files,
            Err(error) => {
                let place = self.place_in_general(OPTION);
                let error = format!("'{}' {error}", folder.display());
                return self.wrong(&place, GENERAL, OPTION, error);
            }
        };
        let earlier = self.errors.count;
        for file in &files {
            match &file.sections {
                Ok(sections) => {
                    for section in sections {
                        if self.errors.count - earlier >= MAX_ERRORS {
                            break;
                        }
                        self.console_set(&file.path, section, sets);
                    }
                }
                Err(error) => {
                    let line = error.line.map(|line| format!(":{line}"));
                    let place = format!("{}{}", file.path, line.unwrap_or_default());
                    self.wrong(&place, "", "", error);
                }
            }
            if self.errors.count - earlier >= MAX_ERRORS {
                let error = "too many errors in console_sets: the rest is not read";
                return self.wrong(&file.path, "", "", error);
            }
        }
    }

    fn console_set(
        &mut self,
        file: &str,
        section: &ConsoleSection,
        sets: &mut BTreeMap<String, ParsedPinSet>,
    ) {
        let place = |line: usize| format!("{file}:{line}");
        let (set, errors) = section.pin_set(&self.settings.pin_set, &self.settings.console_lists);
        let mut is_right = errors.is_empty();
        for (option, error) in errors {
            let error = match error {
                ConsoleOptionError::Option(error) => with_suggestion(error, &option.name),
                error => error.to_string(),
            };
            self.wrong(&place(option.line), &section.name, &option.name, error);
        }
        if is_right && set.source.is_none() {
            is_right = false;
            // Its place is not that of a source in [general].
            let error = ConflictError::MissingSource;
            self.wrong(&place(section.line), &section.name, error.option(), error);
        }
        let options = section.options.iter();
        let read = ParsedPinSet {
            name: section.name.clone(),
            set: None,
            places: options
                .map(|option| (option.name.clone(), place(option.line)))
                .collect(),
            place: place(section.line),
            credential: None,
        };
        let read = match is_right {
            true => self.checked(read, set, true),
            false => read,
        };
        match sets.entry(section.name.to_ascii_lowercase()) {
            Entry::Vacant(free) => {
                free.insert(read);
            }
            Entry::Occupied(_) => {
                let error = "there is another PIN set of this name: rename this one";
                self.wrong(&read.place, &read.name, "", error);
            }
        }
    }
}
