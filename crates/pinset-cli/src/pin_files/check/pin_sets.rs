//! Objections of PIN sets to the PIN file that is their source.

use std::fs::canonicalize;
use std::io;
use std::path::Path;
use std::sync::Arc;

use pinset::config::{Identify, Source};
use pinset::list::{open, FileKind};
use pinset::verify::Answer;
use pinset::{Numbering, Pepper, PinSet, Settings};
use zeroize::Zeroizing;

use super::findings::Objection;
use crate::common::atomic_file::contents;
use crate::common::config_file;
use crate::common::csv_list::load;
use crate::common::error::CommandError;
use crate::common::secret_args;

/// The PIN sets of an `authenticate.conf`, and the pepper file that they use.
pub(crate) struct CheckedPinSets {
    sets: config_file::PinSets,
    /// The defaults that `[general]` sets.
    defaults: PinSet,
    /// The keys, or the error of reading them. `None` if no file is configured.
    pepper: Option<Result<Pepper, CommandError>>,
}

impl CheckedPinSets {
    /// Reads the pepper file that the settings name.
    pub(crate) fn new(sets: config_file::PinSets, settings: &Settings) -> Self {
        let pepper = settings.pepper_file.as_ref();
        Self {
            sets,
            defaults: settings.pin_set.clone(),
            pepper: pepper.map(|path| secret_args::read_pepper(path)),
        }
    }

    /// Returns why PIN sets whose source is the file at `path`, which is of this kind,
    /// admit nobody or not all callers.
    pub(super) fn objections(
        &self,
        path: &Path,
        kind: FileKind,
        numbering: &Numbering,
    ) -> io::Result<Vec<Objection>> {
        let text = || contents(&open(path)?);
        self.of_all(|_, set| has_list(set, path), text, kind, numbering)
    }

    /// Returns why PIN sets whose source is the PIN set of this name in the database, with
    /// the rows of a CSV list, admit nobody or not all callers.
    pub(super) fn objections_to_database(
        &self,
        name: &str,
        text: &[u8],
        numbering: &Numbering,
    ) -> io::Result<Vec<Objection>> {
        let is_source = |section: &str, set: &PinSet| match &set.source {
            Some(Source::Database(None)) => section.to_ascii_lowercase() == name,
            Some(Source::Database(Some(source))) => source == name,
            _ => false,
        };
        let text = || Ok(Zeroizing::new(text.to_vec()));
        self.of_all(is_source, text, FileKind::Csv, numbering)
    }

    fn of_all(
        &self,
        is_source: impl Fn(&str, &PinSet) -> bool,
        text: impl Fn() -> io::Result<Zeroizing<Vec<u8>>>,
        kind: FileKind,
        numbering: &Numbering,
    ) -> io::Result<Vec<Objection>> {
        let mut all = Vec::new();
        for (name, set) in self.sets.iter().filter(|(name, set)| is_source(name, set)) {
            let found = self.of_one(set, &text, kind, numbering)?;
            all.extend(found.into_iter().map(|(option, reason)| Objection {
                pin_set: name.clone(),
                option,
                reason,
            }));
        }
        Ok(all)
    }

    /// Returns the options that object, each with its reason.
    fn of_one(
        &self,
        set: &PinSet,
        text: &impl Fn() -> io::Result<Zeroizing<Vec<u8>>>,
        kind: FileKind,
        numbering: &Numbering,
    ) -> io::Result<Vec<(&'static str, String)>> {
        let kind = set.format.unwrap_or(kind);
        let mut conflicts = set.conflicts(&self.defaults);
        if set.format.is_none() {
            conflicts.extend(set.conflicts_with(kind));
        }
        let conflicts: Vec<_> = conflicts
            .iter()
            .map(|conflict| (conflict.option(), conflict.to_string()))
            .collect();
        // A file that is looked up by the entered PIN alone has no rows.
        if !conflicts.is_empty() || set.identify == Identify::Pin && kind != FileKind::Csv {
            return Ok(conflicts);
        }
        let mut found = Vec::new();
        if let Some(Err(error)) = &self.pepper {
            found.push(("pepper_file", error.to_string()));
        }
        let rows = match load(&text()?, kind, numbering) {
            Ok(rows) => Arc::new(rows),
            // Of another kind than `format` says.
            Err(why) => {
                found.push(("format", why.to_string()));
                return Ok(found);
            }
        };
        let has_key = |key| match &self.pepper {
            Some(Ok(pepper)) => pepper.key(key).is_some(),
            Some(Err(_)) => true,
            None => false,
        };
        let objection = set.objection(&Answer::Rows(Arc::clone(&rows), kind), &has_key);
        // Rows without their key, if the others admit callers.
        if objection.is_none() {
            let unchecked = rows.unchecked(has_key);
            found.extend(unchecked.map(|rows| ("pepper_file", rows.to_string())));
        }
        found.extend(objection.map(|why| ("source", why)));
        let doubts = set.doubts(&rows.profile(), numbering);
        found.extend(
            doubts
                .iter()
                .map(|doubt| (doubt.option(), doubt.to_string())),
        );
        Ok(found)
    }
}

fn has_list(set: &PinSet, path: &Path) -> bool {
    let Some(Source::File(source)) = &set.source else {
        return false;
    };
    let same = |one, other| matches!((one, other), (Ok(one), Ok(other)) if one == other);
    source == path || same(canonicalize(source), canonicalize(path))
}
