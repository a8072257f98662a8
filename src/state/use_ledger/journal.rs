//! The journal's file, beside Asterisk's database: on disk before anybody is
//! admitted.

use std::fs::{self, File, OpenOptions, Permissions};
use std::io::{self, ErrorKind, Write};
use std::os::unix::fs::{MetadataExt, OpenOptionsExt, PermissionsExt};
use std::path::{Path, PathBuf};

use pinset::use_journal::{read, Record};
use zeroize::Zeroizing;

use crate::asterisk::astdb;

const NAME: &str = "app_authenticate_rs.journal";

/// With more lines than this that need not be there, it is written anew.
const SPARE_LINES: usize = 100;

/// Where it lies.
pub fn path() -> PathBuf {
    astdb::beside(NAME)
}

/// What the last run left. Returns its records and how many lines are none.
pub fn left() -> io::Result<(Vec<Record>, usize)> {
    match fs::read(path()) {
        Ok(text) => Ok(read(&Zeroizing::new(text))),
        Err(error) if error.kind() == ErrorKind::NotFound => Ok((Vec::new(), 0)),
        Err(error) => Err(error),
    }
}

/// The file, open.
pub struct Journal {
    file: File,
    lines: usize,
    /// Whether its last line may be half of one.
    torn: bool,
}

impl Journal {
    /// Writes it anew, and has it on disk.
    pub fn write<'a>(records: impl Iterator<Item = &'a Record>) -> io::Result<Self> {
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

    /// Whether it should be written anew before a record is added, when
    /// `needed` of its lines are. If somebody has removed it, what is written
    /// there is lost.
    pub fn is_stale(&self, needed: usize) -> io::Result<bool> {
        let removed = self.file.metadata()?.nlink() == 0;
        Ok(removed || self.torn || self.lines > needed + SPARE_LINES)
    }

    /// Adds a record and has it on disk before it returns.
    pub fn add(&mut self, record: &Record) -> io::Result<()> {
        let length = self.file.metadata()?.len();
        let line = record.line();
        let written = self
            .file
            .write_all(line.as_bytes())
            .and_then(|()| self.file.sync_data());
        match written {
            Ok(()) => self.lines += 1,
            // No half line before the next record.
            Err(_) => self.torn = self.file.set_len(length).is_err(),
        }
        written
    }
}

/// An empty file for Asterisk's user alone, whatever stood there before.
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
