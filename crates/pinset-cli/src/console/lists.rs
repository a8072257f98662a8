//! The folder of PIN files.

use std::fs::{self, DirEntry};
use std::io;
use std::os::unix::fs::MetadataExt;
use std::path::Path;

use pinset::permission::quoted;
use rustix::fs::{access, Access};

/// A PIN file in the folder.
pub(super) struct ListFile {
    pub name: String,
    pub bytes: u64,
    /// Milliseconds since the Unix epoch.
    pub changed: i64,
    /// The command that lets the console change the file, if it may not.
    pub denied: Option<String>,
}

/// Returns the files in the folder, by name. Hidden files, which editors leave, and links
/// out of the folder are left out.
pub(super) fn files(folder: &Path) -> io::Result<Vec<ListFile>> {
    let mut files = Vec::new();
    for entry in fs::read_dir(folder)? {
        files.extend(list_file(&entry?)?);
    }
    files.sort_by(|a, b| a.name.cmp(&b.name));
    Ok(files)
}

fn list_file(entry: &DirEntry) -> io::Result<Option<ListFile>> {
    let metadata = match entry.metadata() {
        // It was removed meanwhile.
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(None),
        metadata => metadata?,
    };
    let name = entry.file_name().to_string_lossy().into_owned();
    if !metadata.is_file() || name.starts_with('.') {
        return Ok(None);
    }
    Ok(Some(ListFile {
        bytes: metadata.len(),
        changed: metadata.mtime().saturating_mul(1000),
        denied: denied(&entry.path(), &metadata),
        name,
    }))
}

/// Returns the remedy if the console may not replace a file: it keeps the owner, so the
/// file must be its own.
fn denied(path: &Path, metadata: &fs::Metadata) -> Option<String> {
    let is_own = metadata.uid() == rustix::process::geteuid().as_raw();
    let may_write = access(path, Access::READ_OK | Access::WRITE_OK).is_ok();
    let path = quoted(&path.display().to_string());
    (!is_own || !may_write).then(|| format!("chown pinset:asterisk {path} && chmod 0640 {path}"))
}
