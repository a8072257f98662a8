//! Findings of `pinset check` in PIN files, kept in memory until a file changes: judging a
//! large one takes seconds. They contain no PIN, and are never stored: which PINs are weak
//! says something about them.

use std::collections::BTreeMap;
use std::fs::File;
use std::io;
use std::sync::Arc;

use parking_lot::Mutex;
use pinset::list::{FileKind, Format};
use pinset::Numbering;

use super::rows::FileVersion;
use crate::common::atomic_file::contents;
use crate::common::csv_list::kind;
use crate::pin_files::check::{examine_text, List};

/// Number of lines of each kind of finding; all are counted.
pub(super) const SHOWN_LINES: usize = 50;

/// Maximum number of files whose findings are kept.
const MAX_FILES: usize = 100;

/// Most bytes of a file that is checked for each page: some 20,000 rows.
const MAX_FAST_BYTES: u64 = 1 << 20;

/// The findings, or why the module would refuse the whole file.
pub(super) type Checked = Result<List, String>;

/// Findings by the names of files, each for one version of the file.
#[derive(Default)]
pub(super) struct CheckedFiles(Mutex<BTreeMap<String, (FileVersion, Arc<Checked>)>>);

impl CheckedFiles {
    /// Returns what is found in a file as it is now.
    ///
    /// # Errors
    ///
    /// The file can't be read.
    pub(super) fn of(
        &self,
        name: &str,
        file: &File,
        numbering: &Numbering,
    ) -> io::Result<Arc<Checked>> {
        let version = FileVersion::of(&file.metadata()?, numbering);
        match self.known(name, &version) {
            Some(known) => Ok(known),
            None => self.examine(name, file, version, &contents(file)?, numbering),
        }
    }

    /// Returns the same if it is known, or is found in a time that each page may take.
    ///
    /// # Errors
    ///
    /// The file can't be read.
    pub(super) fn if_fast(
        &self,
        name: &str,
        file: &File,
        numbering: &Numbering,
    ) -> io::Result<Option<Arc<Checked>>> {
        let version = FileVersion::of(&file.metadata()?, numbering);
        let known = self.known(name, &version);
        if known.is_some() || file.metadata()?.len() > MAX_FAST_BYTES {
            return Ok(known);
        }
        let text = contents(file)?;
        // All short PINs are tried.
        if kind(&text) == Some(FileKind::Lines(Format::Md5)) {
            return Ok(None);
        }
        self.examine(name, file, version, &text, numbering)
            .map(Some)
    }

    fn known(&self, name: &str, version: &FileVersion) -> Option<Arc<Checked>> {
        let files = self.0.lock();
        let known = files.get(name).filter(|(known, _)| known == version);
        known.map(|(_, checked)| Arc::clone(checked))
    }

    fn examine(
        &self,
        name: &str,
        file: &File,
        version: FileVersion,
        text: &[u8],
        numbering: &Numbering,
    ) -> io::Result<Arc<Checked>> {
        let checked = examine_text(text, numbering, SHOWN_LINES);
        let checked = Arc::new(checked.map_err(|why| why.to_string()));
        // A file that is written in place meanwhile has another version now.
        if FileVersion::of(&file.metadata()?, numbering) == version {
            let mut files = self.0.lock();
            if files.len() >= MAX_FILES && !files.contains_key(name) {
                files.pop_first();
            }
            files.insert(name.to_owned(), (version, Arc::clone(&checked)));
        }
        Ok(checked)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::fs;

    #[test]
    fn findings_are_kept_until_the_file_changes() {
        let folder = tempfile::tempdir().expect("a folder");
        let path = folder.path().join("doors");
        let (files, numbering) = (CheckedFiles::default(), Numbering::default());
        let checked = || {
            let file = File::open(&path).expect("a file");
            files.of("doors", &file, &numbering).expect("findings")
        };
        fs::write(&path, "482913\n738291\n").expect("written");
        let first = checked();
        assert!(first.as_ref().as_ref().is_ok_and(|list| list.entries == 2));
        assert!(Arc::ptr_eq(&first, &checked()));

        fs::write(&path, "482913\n").expect("written");
        let other = checked();
        assert!(other.as_ref().as_ref().is_ok_and(|list| list.entries == 1));

        let mut german = Numbering::default();
        german.set(b"country_code", b"49").expect("a code");
        let file = File::open(&path).expect("a file");
        let numbered = files.of("doors", &file, &german).expect("findings");
        assert!(!Arc::ptr_eq(&other, &numbered));
    }

    #[test]
    fn few_files_are_kept() {
        let folder = tempfile::tempdir().expect("a folder");
        let path = folder.path().join("doors");
        fs::write(&path, "482913\n").expect("written");
        let (files, numbering) = (CheckedFiles::default(), Numbering::default());
        for number in 0..=MAX_FILES {
            let file = File::open(&path).expect("a file");
            let name = format!("{number:03}");
            files.of(&name, &file, &numbering).expect("findings");
        }
        assert_eq!(files.0.lock().len(), MAX_FILES);
        assert!(files.0.lock().contains_key(&format!("{MAX_FILES:03}")));
    }
}
