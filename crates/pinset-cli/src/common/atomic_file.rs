//! Files that are changed: whole or not at all, by one at a time.

use std::fs::{self, File, Metadata, Permissions};
use std::io::{self, Read, Write};
use std::os::unix::fs::{fchown, MetadataExt, PermissionsExt};
use std::path::{Path, PathBuf};

use nix::unistd::Gid;
use rustix::fs::{flock, FlockOperation};
use tempfile::NamedTempFile;
use zeroize::Zeroizing;

/// Owner and rights of a new file. Its owner is the user who makes it.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Access {
    /// The owner alone.
    Owner,
    /// The owner, and this group for reading.
    Group(Gid),
    /// The owner, and the group of the folder for reading. The file keeps the
    /// user's own group if the user may not give it to another.
    FolderGroup,
}

impl Access {
    /// Access for this group if there is one, else `otherwise`.
    pub fn of(group: Option<Gid>, otherwise: Self) -> Self {
        group.map_or(otherwise, Self::Group)
    }

    fn mode(self) -> u32 {
        match self {
            Self::Owner => 0o600,
            Self::Group(_) | Self::FolderGroup => 0o640,
        }
    }
}

/// A file that nobody else who uses this command changes meanwhile.
pub struct Locked {
    path: PathBuf,
    file: File,
    about: Metadata,
}

impl Locked {
    /// Locks the file at `path`, or what a link there leads to; waits for
    /// whoever has it. `None`: there is no file.
    pub fn open(path: &Path) -> io::Result<Option<Self>> {
        loop {
            let path = match path.canonicalize() {
                Ok(path) => path,
                Err(error) if error.kind() == io::ErrorKind::NotFound => {
                    return if path.is_symlink() {
                        Err(io::Error::other("a link to a file that is not there"))
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
            // Whoever had it may have put another file in its place.
            let about = file.metadata()?;
            let same = fs::metadata(&path)
                .is_ok_and(|now| (now.dev(), now.ino()) == (about.dev(), about.ino()));
            if same {
                return Ok(Some(Self { path, file, about }));
            }
        }
    }

    /// What the file is.
    pub fn about(&self) -> &Metadata {
        &self.about
    }

    /// What is in the file.
    pub fn contents(&self) -> io::Result<Zeroizing<Vec<u8>>> {
        contents(&self.file)
    }

    /// Puts other contents in its place, with the same owner and rights.
    pub fn replace(self, contents: &[u8]) -> io::Result<()> {
        let mut temporary = temporary(&self.path)?;
        temporary.write_all(contents)?;
        let new = temporary.as_file();
        let (uid, gid) = (self.about.uid(), self.about.gid());
        let now = new.metadata()?;
        if (now.uid(), now.gid()) != (uid, gid) {
            fchown(new, Some(uid), Some(gid)).map_err(|error| {
                io::Error::new(error.kind(), format!("its owner can't be kept: {error}"))
            })?;
        }
        // Behind the change of the owner, which may take rights away.
        new.set_permissions(Permissions::from_mode(self.about.mode() & 0o7777))?;
        new.sync_all()?;
        temporary.persist(&self.path).map_err(|error| error.error)?;
        sync_folder(&self.path)
    }
}

/// Makes a file with these contents. Returns `false` if there is one already,
/// which stays as it is.
pub fn create(path: &Path, contents: &[u8], access: Access) -> io::Result<bool> {
    let mut draft = Draft::new(path)?;
    draft.write_all(contents)?;
    draft.keep(access)
}

/// A new file in the making, which is at its path when it is whole. What is
/// written goes into it at once: no buffer keeps a copy.
pub struct Draft {
    temporary: NamedTempFile,
    path: PathBuf,
}

impl Draft {
    pub fn new(path: &Path) -> io::Result<Self> {
        Ok(Self {
            temporary: temporary(path)?,
            path: path.to_owned(),
        })
    }

    /// Puts it into its place, with these rights. `false`: there is a file
    /// already, which stays as it is.
    pub fn keep(self, access: Access) -> io::Result<bool> {
        self.finish(access)?;
        match self.temporary.persist_noclobber(&self.path) {
            Ok(_) => sync_folder(&self.path).map(|()| true),
            Err(error) if error.error.kind() == io::ErrorKind::AlreadyExists => Ok(false),
            Err(error) => Err(error.error),
        }
    }

    /// Puts it into its place, with these rights, also over an older file.
    pub fn replace(self, access: Access) -> io::Result<()> {
        self.finish(access)?;
        self.temporary
            .persist(&self.path)
            .map_err(|error| error.error)?;
        sync_folder(&self.path)
    }

    /// Gives it its rights, and writes it to the disk.
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
        // Not at its creation, where umask takes rights away.
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

/// What is in a file, in a buffer that does not grow and leave copies behind.
pub fn contents(mut file: &File) -> io::Result<Zeroizing<Vec<u8>>> {
    let size = usize::try_from(file.metadata()?.len()).map_err(io::Error::other)?;
    let mut contents = Zeroizing::new(Vec::new());
    contents
        .try_reserve_exact(size.saturating_add(1))
        .map_err(io::Error::other)?;
    file.read_to_end(&mut contents)?;
    Ok(contents)
}

/// A temporary file beside `path`.
fn temporary(path: &Path) -> io::Result<NamedTempFile> {
    tempfile::Builder::new()
        .prefix(".pinset-")
        .permissions(Permissions::from_mode(Access::Owner.mode()))
        .tempfile_in(folder(path))
}

/// Else a crash may bring the old file back.
fn sync_folder(path: &Path) -> io::Result<()> {
    File::open(folder(path))?.sync_all()
}

fn folder(path: &Path) -> &Path {
    match path.parent() {
        Some(folder) if folder != Path::new("") => folder,
        _ => Path::new("."),
    }
}
