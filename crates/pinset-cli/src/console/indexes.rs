//! Indexes of large PIN files. They are made in the background when a page needs one, and
//! kept beside the console's database, one file each.

use std::collections::{HashMap, HashSet};
use std::fs::{self, DirBuilder, File};
use std::io::{self, Seek};
use std::os::unix::fs::DirBuilderExt;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use parking_lot::Mutex;
use pinset::list::FileKind;
use pinset::{hex, Numbering};
use sha2::{Digest, Sha256};

use super::rows::{FileVersion, IndexError, RowIndex};
use crate::common::atomic_file::contents;
use crate::common::csv_list::{kind, CsvList};
use crate::common::error::{note, At, CommandError};
use crate::common::workers::{BusyError, Workers};
use crate::pin_files::tags::{FileTag, TagKey};

/// Most rows of a file that is read for each page.
pub(super) const MAX_READ_ROWS: usize = 20_000;

/// Most bytes of a file that a page reads to find out whether it has more rows. What a
/// larger one has is found out in the background.
pub(super) const MAX_AWAITED_BYTES: u64 = 8 << 20;

/// The folder of the indexes, in that of the console's database.
const FOLDER: &str = "pin-files";

/// Maximum number of files that wait to be read.
const MAX_WAITING: usize = 64;

/// What is known of a file's index.
enum IndexState {
    /// It is being made.
    Running,
    /// Made since the start of the console, of a file with this tag.
    Made(FileVersion, FileTag),
    /// This version of the file has few rows, or is no CSV file.
    NotNeeded(FileVersion),
    /// With the reason, until a page has shown it.
    Failed(String),
}

type States = Arc<Mutex<HashMap<String, IndexState>>>;

/// The index that a page asks for.
pub(super) enum FoundIndex {
    /// With the tag of the file if that is known.
    Made(Box<RowIndex>, Option<FileTag>),
    Running,
    Failed(String),
    /// Pages read the file itself.
    NotNeeded,
    Missing,
}

/// The indexes of all files.
pub(super) struct Indexes {
    folder: PathBuf,
    /// One at a time: each needs the memory of a whole file.
    workers: Workers,
    /// By the name of the PIN file.
    states: States,
}

impl Indexes {
    /// Opens the folder, which is created if it is missing. Removes what a killed console
    /// has left.
    pub(super) fn open(database: &Path) -> Result<Self, CommandError> {
        let folder = database.with_file_name(FOLDER);
        match DirBuilder::new().mode(0o700).create(&folder) {
            Err(error) if error.kind() != io::ErrorKind::AlreadyExists => {
                return Err(error).at(&folder);
            }
            _ => {}
        }
        let indexes = Self {
            folder,
            workers: Workers::new(1, MAX_WAITING),
            states: States::default(),
        };
        indexes.remove_others(None);
        Ok(indexes)
    }

    /// Returns the index of this version of a file.
    pub(super) fn find(
        &self,
        name: &str,
        file: File,
        version: &FileVersion,
        numbering: &Numbering,
    ) -> FoundIndex {
        let mut states = self.states.lock();
        let tag = match states.get(name) {
            Some(IndexState::Running) => return FoundIndex::Running,
            Some(IndexState::Failed(_)) => {
                return match states.remove(name) {
                    Some(IndexState::Failed(why)) => FoundIndex::Failed(why),
                    _ => FoundIndex::Missing,
                };
            }
            Some(IndexState::Made(made, tag)) if made == version => Some(*tag),
            Some(IndexState::NotNeeded(read)) if read == version => return FoundIndex::NotNeeded,
            Some(IndexState::Made(..) | IndexState::NotNeeded(_)) | None => None,
        };
        drop(states);
        match RowIndex::open(&self.path(name), file, version, numbering) {
            Some(index) => FoundIndex::Made(Box::new(index), tag),
            None => FoundIndex::Missing,
        }
    }

    /// Reads a file in the background, and makes its index if it needs one, unless that is
    /// done already.
    ///
    /// # Errors
    ///
    /// Fails if too many files wait.
    pub(super) fn make(
        &self,
        name: &str,
        version: FileVersion,
        file: File,
        tags: Arc<TagKey>,
        numbering: &Numbering,
    ) -> Result<(), BusyError> {
        {
            let mut states = self.states.lock();
            if let Some(IndexState::Running) = states.get(name) {
                return Ok(());
            }
            states.insert(name.to_owned(), IndexState::Running);
        }
        let running = Running {
            states: Arc::clone(&self.states),
            name: name.to_owned(),
        };
        let (path, numbering) = (self.path(name), numbering.clone());
        // Without a thread, it is dropped, and is not running.
        self.workers.spawn(move || {
            let state = made(&path, version, &file, &tags, &numbering);
            running.finish(state.unwrap_or_else(|why| IndexState::Failed(why.to_string())));
        })
    }

    /// Removes the index of a file, if there is one.
    pub(super) fn remove(&self, name: &str) {
        remove(&self.path(name));
    }

    /// Removes the indexes of other files than these, and those that a killed console has
    /// not finished.
    pub(super) fn keep_only<'a>(&self, names: impl Iterator<Item = &'a str>) {
        let names: HashSet<&str> = names.collect();
        let is_kept = |name: &String, state: &mut IndexState| {
            matches!(state, IndexState::Running) || names.contains(name.as_str())
        };
        self.states.lock().retain(is_kept);
        let paths = names.iter().map(|name| self.path(name)).collect();
        self.remove_others(Some(&paths));
    }

    /// Removes all files but these, or those that no console is making.
    fn remove_others(&self, kept: Option<&HashSet<PathBuf>>) {
        let entries = match fs::read_dir(&self.folder) {
            Ok(entries) => entries,
            Err(error) => return note(format!("{}: {error}", self.folder.display())),
        };
        for entry in entries.flatten() {
            let path = entry.path();
            let is_draft = entry.file_name().as_encoded_bytes().starts_with(b".");
            let is_other = kept.map_or(is_draft, |kept| !is_draft && !kept.contains(&path));
            if is_other {
                remove(&path);
            }
        }
    }

    /// Returns the path of the index of a file, whose name may be too long for it.
    fn path(&self, name: &str) -> PathBuf {
        let mut file = String::new();
        hex::append(&mut file, &Sha256::digest(name));
        self.folder.join(file + ".db")
    }
}

/// Makes the index of a file if it needs one. A file that is written in place meanwhile has
/// another version afterwards.
fn made(
    path: &Path,
    version: FileVersion,
    mut file: &File,
    tags: &TagKey,
    numbering: &Numbering,
) -> Result<IndexState, IndexError> {
    // The page may have read it.
    file.rewind()?;
    let text = contents(file)?;
    if !needs_index(&text) {
        remove(path);
        return Ok(IndexState::NotNeeded(version));
    }
    let tag = tags.file(&text);
    RowIndex::build(path, &CsvList::read(text)?, &version, numbering)?;
    Ok(IndexState::Made(version, tag))
}

/// Returns whether pages use an index of a file with this text.
pub(super) fn needs_index(text: &[u8]) -> bool {
    memchr::memchr_iter(b'\n', text).count() > MAX_READ_ROWS + 1
        && kind(text) == Some(FileKind::Csv)
}

fn remove(path: &Path) {
    match fs::remove_file(path) {
        Err(error) if error.kind() != io::ErrorKind::NotFound => {
            note(format!("{}: {error}", path.display()));
        }
        _ => {}
    }
}

/// An index that is being made. It is no longer if this is dropped, as by a panic.
struct Running {
    states: States,
    name: String,
}

impl Running {
    fn finish(&self, state: IndexState) {
        self.states.lock().insert(self.name.clone(), state);
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        let mut states = self.states.lock();
        if let Some(IndexState::Running) = states.get(&self.name) {
            states.remove(&self.name);
        }
    }
}
