//! The journal's file, next to Asterisk's database: a record is on disk before its caller
//! is admitted.

use std::fs::{self, File, OpenOptions, Permissions};
use std::io::{self, ErrorKind, Write};
use std::os::unix::fs::{MetadataExt, OpenOptionsExt, PermissionsExt};
use std::path::{Path, PathBuf};

use pinset::use_journal::{read, UseRecord};
use zeroize::Zeroizing;

use crate::asterisk::astdb;

const NAME: &str = "app_authenticate_rs.journal";

/// Most unneeded lines. With more, the file is rewritten.
const MAX_SPARE_LINES: usize = 100;

/// Returns its path.
pub(super) fn path() -> PathBuf {
    astdb::beside(NAME)
}

/// Reads the journal of the last run. Returns its records and the number of invalid
/// lines.
pub(super) fn left() -> io::Result<(Vec<UseRecord>, usize)> {
    match fs::read(path()) {
        Ok(text) => Ok(read(&Zeroizing::new(text))),
        Err(error) if error.kind() == ErrorKind::NotFound => Ok((Vec::new(), 0)),
        Err(error) => Err(in_journal(error)),
    }
}

/// Adds the file and the remedy to an error.
fn in_journal(error: io::Error) -> io::Error {
    let path = path();
    let what = format!(
        "'{}': {error}; check its disk and permissions",
        path.display()
    );
    io::Error::new(error.kind(), what)
}

/// The open file.
pub(super) struct Journal {
    file: File,
    lines: usize,
    /// Whether its last line may be incomplete.
    torn: bool,
}

impl Journal {
    /// Rewrites the file, and syncs it to disk.
    pub(super) fn write<'a>(records: impl Iterator<Item = &'a UseRecord>) -> io::Result<Self> {
        Self::write_file(records).map_err(in_journal)
    }

    fn write_file<'a>(records: impl Iterator<Item = &'a UseRecord>) -> io::Result<Self> {
        let path = path();
        let fresh = path.with_extension("journal.new");
        let mut file = create(&fresh)?;
        let mut lines = 0;
        for record in records {
            file.write_all(record.line().as_bytes())?;
            lines += 1;
        }
        file.sync_data()?;
        fs::rename(&fresh, &path)?;
        if let Some(directory) = path.parent() {
            File::open(directory)?.sync_all()?;
        }
        Ok(Self {
            file,
            lines,
            torn: false,
        })
    }

    /// Returns whether the file is to be rewritten before a record is added, because few
    /// of its lines are `needed`, or it was deleted, so that what is written there is
    /// lost.
    pub(super) fn is_stale(&self, needed: usize) -> io::Result<bool> {
        let removed = self.file.metadata().map_err(in_journal)?.nlink() == 0;
        Ok(removed || self.torn || self.lines > needed + MAX_SPARE_LINES)
    }

    /// Adds a record, and syncs it to disk.
    pub(super) fn add(&mut self, record: &UseRecord) -> io::Result<()> {
        self.append(record).map_err(in_journal)
    }

    fn append(&mut self, record: &UseRecord) -> io::Result<()> {
        let length = self.file.metadata()?.len();
        let line = record.line();
        let written = self
            .file
            .write_all(line.as_bytes())
            .and_then(|()| self.file.sync_data());
        match written {
            Ok(()) => self.lines += 1,
            // No incomplete line before the next record.
            Err(_) => self.torn = self.file.set_len(length).is_err(),
        }
        written
    }
}

/// Creates an empty file for Asterisk's user alone, and empties an existing one.
fn create(path: &Path) -> io::Result<File> {
    let file = OpenOptions::new()
        .create(true)
        .append(true)
        .mode(0o600)
        .custom_flags(libc::O_NOFOLLOW)
        .open(path)?;
    file.set_len(0)?;
    file.set_permissions(Permissions::from_mode(0o600))?;
    Ok(file)
}
