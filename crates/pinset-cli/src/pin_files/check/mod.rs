//! Checks of PIN files as the module reads them.

mod csv;
mod duplicates;
mod findings;
mod lines;
mod md5_search;
mod odds;
mod pin_sets;

pub(crate) use findings::{Findings, List, Verdict};
pub(crate) use pin_sets::CheckedPinSets;

use std::fs::File;
use std::io::{self, Read, Seek};
use std::os::unix::fs::PermissionsExt;
use std::path::Path;

use pinset::list::{open, sniff, FileKind, Format};
use pinset::{Numbering, Settings};

use crate::common::atomic_file::contents;
use crate::common::config_file::PinSets;
use crate::common::csv_list;
use crate::common::error::CommandError;
use findings::Objection;

/// [`List::format`] of a PIN set in a database.
pub(crate) const DATABASE: &str = "database";

/// The permission of others to write.
const OTHERS_WRITE: u32 = 0o002;

/// The rules by which lists are checked.
pub(crate) struct Rules {
    /// `None` if it is detected.
    pub format: Option<Format>,
    /// The normalization of caller numbers.
    pub numbering: Numbering,
    /// The PIN sets that may use the lists.
    pub pin_sets: CheckedPinSets,
    /// Number of lines of each kind to report.
    pub show: usize,
}

/// Checks the PIN files of PIN sets.
pub(crate) struct Examiner(Rules);

/// The numbers of findings in a PIN file.
pub(crate) struct Examined {
    pub entries: u64,
    pub invalid: u64,
    pub weak: u64,
    /// The reasons why PIN sets can't admit all callers in the file.
    pub objections: Vec<String>,
}

impl Examiner {
    pub(crate) fn new(pin_sets: &PinSets, settings: &Settings) -> Result<Self, CommandError> {
        settings.numbering.check().map_err(CommandError::new)?;
        Ok(Self(Rules {
            format: None,
            numbering: settings.numbering.clone(),
            pin_sets: CheckedPinSets::new(pin_sets.clone(), settings),
            show: 0,
        }))
    }

    pub(crate) fn examine(&self, path: &Path) -> io::Result<Examined> {
        let list = examine(path, &self.0, &|file, _| Box::new(file))?;
        let objections = list.pin_sets.iter();
        let objections = objections.map(|objection| {
            let Objection {
                pin_set,
                option,
                reason,
            } = objection;
            format!("[{pin_set}] {option}: {reason}")
        });
        Ok(Examined {
            entries: list.entries,
            invalid: list.broken.count,
            weak: list.weak.count,
            objections: objections.collect(),
        })
    }
}

/// Checks the list at `path`. `read` returns what reads a file of this many bytes, if it
/// has lines.
///
/// # Errors
///
/// Fails if the list can't be read, or the module would refuse all of it.
pub(crate) fn examine(
    path: &Path,
    rules: &Rules,
    read: &dyn Fn(File, u64) -> Box<dyn Read>,
) -> io::Result<List> {
    let mut file = open(path)?;
    let about = file.metadata()?;
    let kind = match rules.format {
        Some(format) => FileKind::Lines(format),
        None => sniff(&file, true)?,
    };
    file.rewind()?;
    let mut list = match kind {
        FileKind::Lines(format) => lines::examine(read(file, about.len()), format, rules.show)?,
        FileKind::Csv => csv::examine(&contents(&file)?, &rules.numbering, rules.show)?,
    };
    list.world_writable = about.permissions().mode() & OTHERS_WRITE != 0;
    list.pin_sets = rules.pin_sets.objections(path, kind, &rules.numbering)?;
    Ok(list)
}

/// Checks a PIN set in a database, whose rows are in this list. Findings have the `ids` of
/// rows in place of their lines, which must be in order.
///
/// # Errors
///
/// Fails if the module would refuse all of it.
pub(crate) fn examine_database(
    name: &str,
    text: &[u8],
    ids: &[(u64, u64)],
    rules: &Rules,
) -> io::Result<List> {
    let mut list = csv::examine(text, &rules.numbering, rules.show)?;
    list.format = DATABASE;
    list.pin_sets = rules
        .pin_sets
        .objections_to_database(name, text, &rules.numbering)?;
    list.replace_lines(|line| {
        let at = ids.binary_search_by_key(&line, |(line, _)| *line);
        at.ok()
            .and_then(|at| ids.get(at))
            .map_or(line, |(_, id)| *id)
    });
    Ok(list)
}

/// Checks the text of a list, and keeps `show` lines of each kind of finding.
///
/// # Errors
///
/// Fails if the module would refuse all of it.
pub(crate) fn examine_text(text: &[u8], numbering: &Numbering, show: usize) -> io::Result<List> {
    match csv_list::kind(text) {
        Some(FileKind::Csv) => csv::examine(text, numbering, show),
        Some(FileKind::Lines(format)) => lines::examine(text, format, show),
        None => lines::examine(text, Format::Plain, show),
    }
}
