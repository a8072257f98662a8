//! Following of a file that Asterisk writes, also over its rotation.
//!
//! Asterisk opens `Master.csv` for each record, and its log until `logger reload`. So a
//! file that was renamed may get more lines, until there is one in the new file. A file
//! that is truncated after it was copied (`copytruncate`) continues in the copy.

use std::ffi::OsStr;
use std::fs::{self, File, Metadata};
use std::io::{self, Read, Seek, SeekFrom};
use std::os::unix::fs::OpenOptionsExt;
use std::path::{Path, PathBuf};
use std::time::SystemTime;

use pinset::list::Blocks;
use pinset::timestamp::since_epoch;
use rustix::fs::OFlags;
use thiserror::Error;

use crate::reports::{CallHistory, Chunk, FilePosition, HistorySource, InputKind};

/// Number of bytes by which a file is recognized.
const MAX_HEAD_BYTES: u64 = 64 << 10;

/// A file that is followed.
pub(super) struct Follower {
    pub source: HistorySource,
    pub path: PathBuf,
}

/// The reason why a file can't be followed.
#[derive(Debug, Error)]
pub(super) enum FollowError {
    #[error("{}: {error}", path.display())]
    Io { path: PathBuf, error: io::Error },
    #[error("{}: neither a CDR file (Master.csv) nor a log of Asterisk", .0.display())]
    OtherKind(PathBuf),
    #[error("the database of calls: {0}")]
    Database(#[from] rusqlite::Error),
}

impl FollowError {
    fn io(error: io::Error, path: &Path) -> Self {
        Self::Io {
            path: path.to_owned(),
            error,
        }
    }
}

/// An open file.
struct OpenFile {
    path: PathBuf,
    file: File,
    metadata: Metadata,
}

impl OpenFile {
    fn new(path: &Path) -> Result<Self, FollowError> {
        let failed = |error| FollowError::io(error, path);
        // A FIFO would block until it has a writer.
        let nonblocking = OFlags::NONBLOCK.bits() as i32;
        let file = File::options()
            .read(true)
            .custom_flags(nonblocking)
            .open(path)
            .map_err(failed)?;
        let metadata = file.metadata().map_err(failed)?;
        if !metadata.is_file() {
            return Err(failed(io::Error::other("not a regular file")));
        }
        Ok(Self {
            path: path.to_owned(),
            file,
            metadata,
        })
    }

    fn is_continued_from(&self, position: &FilePosition) -> bool {
        // A file that can't be read is not continued.
        position
            .is_within(&self.file, &self.metadata)
            .unwrap_or(false)
    }

    fn modified(&self) -> SystemTime {
        self.metadata.modified().unwrap_or(SystemTime::UNIX_EPOCH)
    }
}

impl Follower {
    /// Reads what is new in the followed file, or what is left of the one before, until
    /// `stop` returns `true`.
    ///
    /// # Errors
    ///
    /// Fails if the file can't be read or the database can't be written. What was read
    /// before is stored.
    pub(super) fn poll(
        &self,
        history: &mut CallHistory,
        stop: &mut dyn FnMut() -> bool,
    ) -> Result<(), FollowError> {
        let current = OpenFile::new(&self.path)?;
        let Some(position) = history.position(self.source)? else {
            let first = self.successors(None, &current)?.into_iter().next();
            let first = first.unwrap_or(current);
            self.check_kind(&first)?;
            let start = FilePosition::start(&first.metadata);
            history.begin(self.source, &start, None)?;
            return self.read(history, &first, start, false, stop);
        };
        if position.is_of(&current.metadata) && current.is_continued_from(&position) {
            return self.read(history, &current, position, false, stop);
        }
        self.replaced(history, current, position, stop)
    }

    /// Reads the rest of a file that was replaced, and then the one after it.
    fn replaced(
        &self,
        history: &mut CallHistory,
        current: OpenFile,
        position: FilePosition,
        stop: &mut dyn FnMut() -> bool,
    ) -> Result<(), FollowError> {
        let Some(before) = self.predecessor(&position)? else {
            let start = FilePosition::start(&current.metadata);
            history.begin(self.source, &start, Some(since_epoch()))?;
            return self.read(history, &current, start, false, stop);
        };
        let is_truncated = position.is_of(&current.metadata);
        let position = position.moved_to(&before.metadata);
        let next = self.successors(Some(&before), &current)?.into_iter().next();
        // Asterisk may still write to a file that was renamed while the new one is empty.
        let is_complete = is_truncated || next.is_some() || current.metadata.len() > 0;
        self.read(history, &before, position, is_complete, stop)?;
        if !is_complete || stop() {
            return Ok(());
        }
        let next = next.unwrap_or(current);
        let start = FilePosition::start(&next.metadata);
        history.begin(self.source, &start, None)?;
        self.read(history, &next, start, false, stop)
    }

    /// Reads a file from a position on.
    fn read(
        &self,
        history: &mut CallHistory,
        open: &OpenFile,
        mut position: FilePosition,
        is_complete: bool,
        stop: &mut dyn FnMut() -> bool,
    ) -> Result<(), FollowError> {
        let failed = |error| FollowError::io(error, &open.path);
        let mut file = &open.file;
        let size = open.metadata.len();
        while position.offset < size && !stop() {
            let start = position.clone();
            file.seek(SeekFrom::Start(start.offset)).map_err(failed)?;
            let mut blocks = Blocks::new(file.take(size - start.offset), is_complete);
            let Some(block) = blocks.next_block().map_err(failed)? else {
                break;
            };
            let mut begins = start.clone();
            begins.offset += block.offset;
            let end = begins.offset + block.lines.len() as u64;
            let chunk = Chunk {
                lines: block.lines,
                position: begins,
                is_last: is_complete && end >= size,
            };
            position = history.add(self.source, &chunk, since_epoch())?;
            if position.offset <= start.offset {
                break;
            }
        }
        Ok(())
    }

    /// Refuses a file of another kind, such as a list of PINs, before it is followed.
    fn check_kind(&self, open: &OpenFile) -> Result<(), FollowError> {
        match self.kind(open)? {
            true => Ok(()),
            false => Err(FollowError::OtherKind(open.path.clone())),
        }
    }

    fn kind(&self, open: &OpenFile) -> Result<bool, FollowError> {
        let mut head = Vec::new();
        let mut file = &open.file;
        file.seek(SeekFrom::Start(0))
            .and_then(|_| file.take(MAX_HEAD_BYTES).read_to_end(&mut head))
            .map_err(|error| FollowError::io(error, &open.path))?;
        let wanted = match self.source {
            HistorySource::Cdr => InputKind::Cdr,
            HistorySource::AuditLog => InputKind::Log,
        };
        Ok([Some(wanted), Some(InputKind::Empty)].contains(&InputKind::of(&head)))
    }

    /// Returns the file beside the followed one that continues where reading stopped.
    fn predecessor(&self, position: &FilePosition) -> Result<Option<OpenFile>, FollowError> {
        let mut found = None;
        for open in self.beside()? {
            if open.is_continued_from(position) {
                if position.is_of(&open.metadata) {
                    return Ok(Some(open));
                }
                found = Some(open);
            }
        }
        Ok(found)
    }

    /// Returns rotated files that were written after another one, or all, the oldest first.
    fn successors(
        &self,
        before: Option<&OpenFile>,
        current: &OpenFile,
    ) -> Result<Vec<OpenFile>, FollowError> {
        let since = before.map(OpenFile::modified);
        let is_of = |open: &OpenFile, other: &OpenFile| {
            FilePosition::start(&open.metadata).is_of(&other.metadata)
        };
        let mut files = Vec::new();
        for open in self.beside()? {
            let is_later = since.is_none_or(|since| open.modified() > since);
            let is_other = !is_of(&open, current) && before.is_none_or(|it| !is_of(&open, it));
            if is_later && is_other && is_rotated(&self.path, &open.path) && self.kind(&open)? {
                files.push(open);
            }
        }
        files.sort_by_key(OpenFile::modified);
        Ok(files)
    }

    /// Returns the files in the folder whose names begin with that of the followed one.
    fn beside(&self) -> Result<Vec<OpenFile>, FollowError> {
        let failed = |error| FollowError::io(error, &self.path);
        let (Some(folder), Some(name)) = (self.path.parent(), self.path.file_name()) else {
            return Ok(Vec::new());
        };
        let mut files = Vec::new();
        for entry in fs::read_dir(folder).map_err(failed)? {
            let path = entry.map_err(failed)?.path();
            let is_ours = path
                .file_name()
                .is_some_and(|other| begins_with(other, name));
            if is_ours {
                // Others can't be read, or were removed meanwhile.
                files.extend(OpenFile::new(&path));
            }
        }
        Ok(files)
    }
}

fn begins_with(name: &OsStr, with: &OsStr) -> bool {
    name.as_encoded_bytes().starts_with(with.as_encoded_bytes())
}

/// Returns whether a name is one that logrotate gives: `Master.csv.1`,
/// `Master.csv-20261101`. Others may be copies.
fn is_rotated(path: &Path, other: &Path) -> bool {
    let name = |path: &Path| {
        path.file_name()
            .map(|name| name.as_encoded_bytes().to_vec())
    };
    let (Some(name), Some(other)) = (name(path), name(other)) else {
        return false;
    };
    let rest = other.strip_prefix(name.as_slice());
    let digits = rest.and_then(|rest| rest.strip_prefix(b".").or(rest.strip_prefix(b"-")));
    digits.is_some_and(|digits| !digits.is_empty() && digits.iter().all(u8::is_ascii_digit))
}

#[cfg(test)]
mod tests;
