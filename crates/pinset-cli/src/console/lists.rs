//! The folder of PIN files.

use std::fs::{self, File, Metadata};
use std::io;
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};

use pinset::permission::quoted;
use rustix::fs::{access, Access};
use thiserror::Error;
use zeroize::Zeroizing;

use crate::common::atomic_file::{contents, LockedFile};

/// The largest PIN file that pages read: some million rows.
const MAX_FILE_BYTES: u64 = 256 << 20;

/// How often a file is opened again that was replaced meanwhile.
const MAX_TRIES: usize = 10;

/// A PIN file in the folder.
pub(super) struct ListFile {
    pub name: String,
    pub bytes: u64,
    /// Milliseconds since the Unix epoch.
    pub changed: i64,
    /// The command that lets the console change the file, if it may not.
    pub denied: Option<String>,
}

/// The reason why a PIN file can't be read.
#[derive(Debug, Error)]
pub(super) enum ListError {
    #[error("no such PIN file")]
    Missing,
    #[error("larger than {} MiB", MAX_FILE_BYTES >> 20)]
    TooLarge,
    /// By another file, or by a link.
    #[error("replaced while it was opened")]
    Replaced,
    #[error(transparent)]
    Io(#[from] io::Error),
}

/// Returns the files in the folder, by name. Hidden files, which editors leave, and links
/// out of the folder are left out.
pub(super) fn files(folder: &Path) -> io::Result<Vec<ListFile>> {
    let mut files = Vec::new();
    for entry in fs::read_dir(folder)? {
        let entry = entry?;
        let name = entry.file_name().to_string_lossy().into_owned();
        match regular(&entry.path(), &name) {
            Ok(metadata) => files.push(list_file(&entry.path(), name, &metadata)),
            // It was removed meanwhile, or is something else.
            Err(ListError::Missing) => {}
            Err(ListError::Io(error)) => return Err(error),
            Err(error) => return Err(io::Error::other(error)),
        }
    }
    files.sort_by(|a, b| a.name.cmp(&b.name));
    Ok(files)
}

/// Returns what is known of a file of the folder without opening it.
pub(super) fn stat(folder: &Path, name: &str) -> Result<ListFile, ListError> {
    let path = path(folder, name)?;
    let listed = regular(&path, name)?;
    check(&listed, &listed)?;
    Ok(list_file(&path, name.to_owned(), &listed))
}

/// Opens a file of the folder.
pub(super) fn open(folder: &Path, name: &str) -> Result<(ListFile, File), ListError> {
    let path = path(folder, name)?;
    let mut tries = 0..MAX_TRIES;
    loop {
        let listed = regular(&path, name)?;
        let file = match pinset::list::open(&path) {
            Err(error) if error.kind() == io::ErrorKind::NotFound => {
                return Err(ListError::Missing)
            }
            file => file?,
        };
        match check(&file.metadata()?, &listed) {
            // A command may replace it at any time.
            Err(ListError::Replaced) if tries.next().is_some() => {}
            checked => {
                checked?;
                return Ok((list_file(&path, name.to_owned(), &listed), file));
            }
        }
    }
}

/// Reads a file of the folder.
pub(super) fn read(folder: &Path, name: &str) -> Result<(ListFile, Zeroizing<Vec<u8>>), ListError> {
    let (listed, file) = open(folder, name)?;
    Ok((listed, contents(&file)?))
}

/// Returns a file of the folder that no `pinset` command can change meanwhile, and the
/// command that lets the console change it, if it may not. Waits for the lock.
pub(super) fn lock(folder: &Path, name: &str) -> Result<(LockedFile, Option<String>), ListError> {
    let path = path(folder, name)?;
    regular(&path, name)?;
    let file = LockedFile::open(&path)?.ok_or(ListError::Missing)?;
    // It may have been replaced while another process held the lock.
    let listed = regular(&path, name)?;
    check(file.metadata(), &listed)?;
    Ok((file, denied(&path, &listed)))
}

/// Returns the path of a file by its name, which must not lead out of the folder.
fn path(folder: &Path, name: &str) -> Result<PathBuf, ListError> {
    let is_plain = !name.is_empty() && !name.contains(['/', '\0']);
    is_plain
        .then(|| folder.join(name))
        .ok_or(ListError::Missing)
}

/// Returns the metadata of a regular file that is neither hidden nor a link.
fn regular(path: &Path, name: &str) -> Result<Metadata, ListError> {
    match fs::symlink_metadata(path) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => Err(ListError::Missing),
        Err(error) => Err(error.into()),
        Ok(metadata) if metadata.is_file() && !name.starts_with('.') => Ok(metadata),
        Ok(_) => Err(ListError::Missing),
    }
}

/// Checks that an open file is the one in the folder, to which no link leads, and that it
/// is not too large.
fn check(open: &Metadata, listed: &Metadata) -> Result<(), ListError> {
    if (open.dev(), open.ino()) != (listed.dev(), listed.ino()) {
        return Err(ListError::Replaced);
    }
    if open.len() > MAX_FILE_BYTES {
        return Err(ListError::TooLarge);
    }
    Ok(())
}

fn list_file(path: &Path, name: String, metadata: &Metadata) -> ListFile {
    ListFile {
        bytes: metadata.len(),
        changed: metadata.mtime().saturating_mul(1000),
        denied: denied(path, metadata),
        name,
    }
}

/// Returns the remedy if the console may not replace a file: it keeps the owner, so the
/// file must be its own.
fn denied(path: &Path, metadata: &Metadata) -> Option<String> {
    let is_own = metadata.uid() == rustix::process::geteuid().as_raw();
    let may_write = access(path, Access::READ_OK | Access::WRITE_OK).is_ok();
    let path = quoted(&path.display().to_string());
    (!is_own || !may_write).then(|| format!("chown pinset:asterisk {path} && chmod 0640 {path}"))
}
