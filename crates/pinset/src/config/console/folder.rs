//! Reading of the folder with PIN sets of the console.

use std::fs::{self, File, OpenOptions};
use std::io::{self, Read};
use std::os::unix::fs::{MetadataExt, OpenOptionsExt};
use std::path::{Path, PathBuf};

use thiserror::Error;

use super::syntax::{is_plain_name, parse_console_file, ConsoleFileError, ConsoleFileErrorKind};
use super::ConsoleSection;

/// The most files that are read.
const MAX_FILES: usize = 1000;

/// The most PIN sets in all files.
const MAX_PIN_SETS: usize = 1000;

/// The largest file: a hundred times what a section needs.
pub(super) const MAX_FILE_BYTES: u64 = 16 << 10;

/// The permission of all users to write.
const WORLD_WRITABLE: u32 = 0o002;

/// A file in the folder.
#[derive(Debug)]
pub struct ConsoleFile {
    /// Its path, with `?` for each character that no name may have.
    pub path: String,
    /// Its sections, or why none of them counts.
    pub sections: Result<Vec<ConsoleSection>, ConsoleFileError>,
}

/// Why the folder can't be used.
#[derive(Debug, Error)]
pub enum FolderError {
    /// It is no folder, or can't be read.
    #[error("can't be read: {0}")]
    Unreadable(#[from] io::Error),
    /// Every user of the machine can add files.
    #[error("is world-writable: take the right to write from other users")]
    WorldWritable,
    /// It has too many files.
    #[error("has over {MAX_FILES} files")]
    TooManyFiles,
    /// Its files have too many sections.
    #[error("has over {MAX_PIN_SETS} PIN sets")]
    TooManyPinSets,
}

/// Reads all files of the folder whose name ends in `.conf` and does not begin with `.`,
/// ordered by name, except those of `skipped` paths. There are none if the folder does not
/// exist.
///
/// # Errors
///
/// Fails if the folder can't be read, is world-writable or has too many files
/// or PIN sets.
pub fn read_folder(
    folder: &Path,
    skipped: impl Fn(&Path) -> bool,
) -> Result<Vec<ConsoleFile>, FolderError> {
    let mode = match fs::metadata(folder) {
        Ok(metadata) => metadata.mode(),
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(Vec::new()),
        Err(error) => return Err(error.into()),
    };
    if mode & WORLD_WRITABLE != 0 {
        return Err(FolderError::WorldWritable);
    }
    let mut paths: Vec<PathBuf> = Vec::new();
    for entry in fs::read_dir(folder)? {
        let path = entry?.path();
        if is_read(&path) && !skipped(&path) {
            if paths.len() == MAX_FILES {
                return Err(FolderError::TooManyFiles);
            }
            paths.push(path);
        }
    }
    paths.sort();
    let (mut files, mut pin_sets) = (Vec::with_capacity(paths.len()), 0);
    for path in &paths {
        let sections = read(path);
        pin_sets += sections.as_ref().map_or(0, Vec::len);
        if pin_sets > MAX_PIN_SETS {
            return Err(FolderError::TooManyPinSets);
        }
        files.push(ConsoleFile {
            path: shown(folder, path),
            sections,
        });
    }
    Ok(files)
}

/// Returns the path of a file, safe to print.
fn shown(folder: &Path, path: &Path) -> String {
    let name = path.file_name().unwrap_or_default().to_string_lossy();
    let is_plain = |character: char| is_plain_name(character.encode_utf8(&mut [0; 4]));
    let name = name.replace(|character| !is_plain(character), "?");
    folder.join(name).display().to_string()
}

/// Returns whether a file is read by its name.
fn is_read(path: &Path) -> bool {
    let name = path.file_name().unwrap_or_default().as_encoded_bytes();
    name.ends_with(b".conf") && !name.starts_with(b".")
}

fn read(path: &Path) -> Result<Vec<ConsoleSection>, ConsoleFileError> {
    let of_file = |kind| ConsoleFileError { line: None, kind };
    let name = path.file_name().and_then(|name| name.to_str());
    if !name.is_some_and(is_plain_name) {
        return Err(of_file(ConsoleFileErrorKind::FileName));
    }
    let text = open(path).and_then(contents).map_err(of_file)?;
    parse_console_file(&text)
}

/// Opens a regular file, without following a link and without blocking.
fn open(path: &Path) -> Result<File, ConsoleFileErrorKind> {
    let file = OpenOptions::new()
        .read(true)
        .custom_flags(libc::O_NOFOLLOW | libc::O_NONBLOCK | libc::O_NOCTTY)
        .open(path)
        .map_err(|error| match error.raw_os_error() {
            Some(libc::ELOOP) => ConsoleFileErrorKind::Link,
            // A socket.
            Some(libc::ENXIO) => ConsoleFileErrorKind::NotRegular,
            _ => error.into(),
        })?;
    let metadata = file.metadata()?;
    if !metadata.is_file() {
        return Err(ConsoleFileErrorKind::NotRegular);
    }
    if metadata.mode() & WORLD_WRITABLE != 0 {
        return Err(ConsoleFileErrorKind::WorldWritable);
    }
    Ok(file)
}

fn contents(file: File) -> Result<Vec<u8>, ConsoleFileErrorKind> {
    let mut text = Vec::new();
    file.take(MAX_FILE_BYTES + 1).read_to_end(&mut text)?;
    if text.len() as u64 > MAX_FILE_BYTES {
        return Err(ConsoleFileErrorKind::TooLarge);
    }
    Ok(text)
}
