//! Atomic changes of files, serialized by a lock.

use std::fs::{self, File, Metadata, Permissions};
use std::io::{self, Read, Write};
use std::os::unix::fs::{fchown, MetadataExt, PermissionsExt};
use std::path::{Path, PathBuf};

use nix::unistd::Gid;
use rustix::fs::{flock, renameat_with, FlockOperation, RenameFlags, CWD};
use tempfile::NamedTempFile;
use zeroize::Zeroizing;

/// Bytes that are compared at once.
const PART_BYTES: usize = 64 << 10;

/// Group and permissions of a new file. Its owner is the user who creates it.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Access {
    /// The owner alone.
    Owner,
    /// The owner, and read access for this group.
    Group(Gid),
    /// The owner, and read access for the group of the folder. The file keeps the
    /// user's own group if the user may not change it.
    FolderGroup,
}

impl Access {
    /// Returns access for this group if there is one, else `otherwise`.
    pub(crate) fn of(group: Option<Gid>, otherwise: Self) -> Self {
        group.map_or(otherwise, Self::Group)
    }

    fn mode(self) -> u32 {
        match self {
            Self::Owner => 0o600,
            Self::Group(_) | Self::FolderGroup => 0o640,
        }
    }
}

/// A locked file, which no other `pinset` command can change.
pub(crate) struct LockedFile {
    path: PathBuf,
    file: File,
    metadata: Metadata,
}

impl LockedFile {
    /// Locks the file at `path`, or the target of a link there. Waits while another
    /// command holds the lock. Returns `None` if there is no file.
    pub(crate) fn open(path: &Path) -> io::Result<Option<Self>> {
        loop {
            let path = match path.canonicalize() {
                Ok(path) => path,
                Err(error) if error.kind() == io::ErrorKind::NotFound => {
                    return if path.is_symlink() {
                        Err(io::Error::other("broken symbolic link"))
                    } else {
                        Ok(None)
                    };
                }
                Err(error) => return Err(error),
            };
            let file = match pinset::list::open(&path) {
                Err(error) if error.kind() == io::ErrorKind::NotFound => continue,
                file => file?,
            };
            flock(&file, FlockOperation::LockExclusive)?;
            // The previous holder of the lock may have replaced the file.
            let metadata = file.metadata()?;
            let same = fs::metadata(&path)
                .is_ok_and(|now| (now.dev(), now.ino()) == (metadata.dev(), metadata.ino()));
            if same {
                return Ok(Some(Self {
                    path,
                    file,
                    metadata,
                }));
            }
        }
    }

    /// Returns the metadata of the file.
    pub(crate) fn metadata(&self) -> &Metadata {
        &self.metadata
    }

    /// Returns the contents of the file.
    pub(crate) fn contents(&self) -> io::Result<Zeroizing<Vec<u8>>> {
        contents(&self.file)
    }

    /// Replaces the contents, and keeps owner and permissions.
    pub(crate) fn replace(self, contents: &[u8]) -> io::Result<()> {
        let temporary = self.replacement(contents)?;
        temporary.persist(&self.path).map_err(|error| error.error)?;
        sync_folder(&self.path)
    }

    /// Replaces the contents if they are still `old`, also for editors that take no lock.
    /// Returns `false` if they are not, and leaves the file unchanged.
    pub(crate) fn replace_unchanged(self, old: &[u8], new: &[u8]) -> io::Result<bool> {
        let temporary = self.replacement(new)?;
        // Both files stay, so that one written in the last moment can be put back.
        let exchange = || {
            renameat_with(
                CWD,
                temporary.path(),
                CWD,
                &self.path,
                RenameFlags::EXCHANGE,
            )
        };
        let is_old = |path: &Path| has_contents(&File::open(path)?, old);
        let replaced = is_old(&self.path)? && {
            exchange()?;
            is_old(temporary.path())? || {
                exchange()?;
                false
            }
        };
        sync_folder(&self.path)?;
        Ok(replaced)
    }

    /// Creates the file that replaces this one, with its owner and permissions.
    fn replacement(&self, contents: &[u8]) -> io::Result<NamedTempFile> {
        let mut temporary = temporary(&self.path)?;
        temporary.write_all(contents)?;
        let new = temporary.as_file();
        let (uid, gid) = (self.metadata.uid(), self.metadata.gid());
        let now = new.metadata()?;
        if (now.uid(), now.gid()) != (uid, gid) {
            fchown(new, Some(uid), Some(gid)).map_err(|error| {
                io::Error::new(error.kind(), format!("the owner can't be kept: {error}"))
            })?;
        }
        // After the change of the owner, which may reset permissions.
        new.set_permissions(Permissions::from_mode(self.metadata.mode() & 0o7777))?;
        new.sync_all()?;
        Ok(temporary)
    }
}

/// Creates a file with these contents. Returns `false` if it exists already, and leaves
/// it unchanged.
pub(crate) fn create(path: &Path, contents: &[u8], access: Access) -> io::Result<bool> {
    let mut draft = Draft::new(path)?;
    draft.write_all(contents)?;
    draft.persist_new(access)
}

/// A new file that appears at its path when it is complete. Writes are unbuffered, so
/// that no buffer keeps a copy.
pub(crate) struct Draft {
    temporary: NamedTempFile,
    path: PathBuf,
}

impl Draft {
    /// Creates a temporary file in the same folder.
    pub(crate) fn new(path: &Path) -> io::Result<Self> {
        Ok(Self {
            temporary: temporary(path)?,
            path: path.to_owned(),
        })
    }

    /// Moves the file to its path. Returns `false` if a file exists there, and leaves
    /// that unchanged.
    pub(crate) fn persist_new(self, access: Access) -> io::Result<bool> {
        self.finish(access)?;
        match self.temporary.persist_noclobber(&self.path) {
            Ok(_) => sync_folder(&self.path).map(|()| true),
            Err(error) if error.error.kind() == io::ErrorKind::AlreadyExists => Ok(false),
            Err(error) => Err(error.error),
        }
    }

    /// Moves the file to its path, and replaces a file there.
    pub(crate) fn persist(self, access: Access) -> io::Result<()> {
        self.finish(access)?;
        self.temporary
            .persist(&self.path)
            .map_err(|error| error.error)?;
        sync_folder(&self.path)
    }

    /// Sets group and permissions, and writes the file to the disk.
    fn finish(&self, access: Access) -> io::Result<()> {
        let new = self.temporary.as_file();
        match access {
            Access::Owner => {}
            Access::Group(group) => fchown(new, None, Some(group.as_raw()))
                .map_err(|error| io::Error::new(error.kind(), format!("--group: {error}")))?,
            Access::FolderGroup => {
                let group = fs::metadata(folder(&self.path))?.gid();
                match fchown(new, None, Some(group)) {
                    Err(error) if error.kind() == io::ErrorKind::PermissionDenied => {}
                    done => done?,
                }
            }
        }
        // Not at its creation, where umask reduces permissions.
        new.set_permissions(Permissions::from_mode(access.mode()))?;
        new.sync_all()
    }
}

impl Write for Draft {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.temporary.write(bytes)
    }

    fn flush(&mut self) -> io::Result<()> {
        self.temporary.flush()
    }
}

/// Reads a file into a buffer that does not grow, which would leave copies behind.
pub(crate) fn contents(mut file: &File) -> io::Result<Zeroizing<Vec<u8>>> {
    let size = usize::try_from(file.metadata()?.len()).map_err(io::Error::other)?;
    let mut contents = Zeroizing::new(Vec::new());
    contents
        .try_reserve_exact(size.saturating_add(1))
        .map_err(io::Error::other)?;
    file.read_to_end(&mut contents)?;
    Ok(contents)
}

/// Returns whether a file has these contents. Reads it a part at a time.
fn has_contents(mut file: &File, mut wanted: &[u8]) -> io::Result<bool> {
    let mut part = Zeroizing::new(vec![0; PART_BYTES]);
    loop {
        let read = file.read(&mut part)?;
        if read == 0 {
            return Ok(wanted.is_empty());
        }
        match wanted.strip_prefix(part.get(..read).unwrap_or_default()) {
            Some(rest) => wanted = rest,
            None => return Ok(false),
        }
    }
}

/// Creates a temporary file in the folder of `path`.
fn temporary(path: &Path) -> io::Result<NamedTempFile> {
    tempfile::Builder::new()
        .prefix(".pinset-")
        .permissions(Permissions::from_mode(Access::Owner.mode()))
        .tempfile_in(folder(path))
}

/// Syncs the folder: otherwise, a crash may bring the old file back.
fn sync_folder(path: &Path) -> io::Result<()> {
    File::open(folder(path))?.sync_all()
}

fn folder(path: &Path) -> &Path {
    match path.parent() {
        Some(folder) if folder != Path::new("") => folder,
        _ => Path::new("."),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn file_changed_by_an_editor_is_not_replaced() {
        let folder = tempfile::tempdir().expect("a folder");
        let path = folder.path().join("file");
        for (written, replaced) in [("old", true), ("of an editor", false)] {
            fs::write(&path, "old").expect("written");
            fs::set_permissions(&path, Permissions::from_mode(0o664)).expect("mode");
            let locked = LockedFile::open(&path).expect("opened").expect("a file");
            // The editor replaces the file, as most do, after it was read.
            let new = folder.path().join("new");
            fs::write(&new, written).expect("written");
            fs::set_permissions(&new, Permissions::from_mode(0o664)).expect("mode");
            fs::rename(&new, &path).expect("renamed");
            let done = locked.replace_unchanged(b"old", b"ours").expect("done");
            assert_eq!(done, replaced);
            let now = fs::read_to_string(&path).expect("read");
            assert_eq!(now, if replaced { "ours" } else { written });
            let mode = fs::metadata(&path).expect("metadata").mode() & 0o777;
            assert_eq!(mode, 0o664);
            assert_eq!(fs::read_dir(folder.path()).expect("a list").count(), 1);
        }
    }
}
