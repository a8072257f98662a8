//! Opening of a PIN file without blocking, and detection of changes to it.

use std::fs::{File, Metadata, OpenOptions};
use std::io;
use std::os::unix::fs::{MetadataExt, OpenOptionsExt};
use std::path::{Component, Path};
use std::time::{Duration, SystemTime};

use rustix::fs::{openat, Mode, OFlags};

/// A last line without a line end counts if the file was not written to for this
/// long.
const SETTLE_TIME: Duration = Duration::from_secs(1);

/// A change after this long has a different timestamp. The coarsest timestamps are
/// those of FAT, 2 s.
const TIMESTAMP_RESOLUTION: Duration = Duration::from_secs(2);

/// The permission of all users to write.
const WORLD_WRITABLE: u32 = 0o002;

/// Opens a regular file; a link is followed. A FIFO's or a device's `open`
/// must not block either, hence `O_NONBLOCK`.
pub fn open(path: &Path) -> io::Result<File> {
    let file = OpenOptions::new()
        .read(true)
        .custom_flags(libc::O_NONBLOCK | libc::O_NOCTTY)
        .open(path)?;
    regular(file)
}

/// Opens a regular file as [`open`] does. None of the last `names` of its path may be a
/// link, not even one that takes a file's place at this moment.
pub fn open_without_links(path: &Path, names: usize) -> io::Result<File> {
    let folder = path.ancestors().nth(names).unwrap_or(path);
    let below = path.strip_prefix(folder).unwrap_or(path);
    let mut below = below.components().map(Component::as_os_str);
    let file = below.next_back().unwrap_or_default();
    let to_folder = OFlags::PATH | OFlags::DIRECTORY | OFlags::CLOEXEC;
    let mut at = rustix::fs::open(folder, to_folder, Mode::empty())?;
    for name in below {
        at = openat(&at, name, to_folder | OFlags::NOFOLLOW, Mode::empty())?;
    }
    let to_file = OFlags::NOFOLLOW | OFlags::NONBLOCK | OFlags::NOCTTY | OFlags::CLOEXEC;
    regular(openat(&at, file, to_file, Mode::empty())?.into())
}

fn regular(file: File) -> io::Result<File> {
    if file.metadata()?.is_file() {
        Ok(file)
    } else {
        Err(io::Error::other("not a regular file"))
    }
}

/// The identity of a file's content: it changes with every change of the file, save one
/// that comes so soon after another that both have the same time.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Stamp {
    /// The file system, as `st_dev`.
    pub device: u64,
    /// The file's number there.
    pub inode: u64,
    /// Bytes.
    pub size: u64,
    /// `mtime`: seconds since 1970, and nanoseconds.
    pub modified: (i64, i64),
    /// `ctime`, in the same form.
    pub changed: (i64, i64),
    /// `st_mode`.
    pub mode: u32,
}

impl Stamp {
    /// The stamp of a file that is open.
    pub fn of(about: &Metadata) -> Self {
        Self {
            device: about.dev(),
            inode: about.ino(),
            size: about.size(),
            modified: (about.mtime(), about.mtime_nsec()),
            changed: (about.ctime(), about.ctime_nsec()),
            mode: about.mode(),
        }
    }

    /// Whether everybody may write to the file, and so let themselves in.
    pub fn is_world_writable(&self) -> bool {
        self.mode & WORLD_WRITABLE != 0
    }

    /// Whether a change after `now` would show in the stamp: the last one is
    /// long enough ago. This is `ctime`, which users can't set.
    pub fn is_telling(&self, now: SystemTime) -> bool {
        age(self.changed, now).is_some_and(|age| age >= TIMESTAMP_RESOLUTION)
    }

    /// Whether the last write is long enough ago that a last line without a line end
    /// counts.
    pub fn is_still(&self, now: SystemTime) -> bool {
        age(self.modified, now).is_some_and(|age| age >= SETTLE_TIME)
    }
}

/// Returns how long ago a time was, or `None` for a time in the future.
fn age((seconds, nanoseconds): (i64, i64), now: SystemTime) -> Option<Duration> {
    let now = now.duration_since(SystemTime::UNIX_EPOCH).ok()?;
    // Nanoseconds are 0 to 999,999,999; before 1970 is long ago.
    let Ok(seconds) = u64::try_from(seconds) else {
        return Some(now);
    };
    let then = Duration::new(seconds, u32::try_from(nanoseconds).ok()?);
    now.checked_sub(then)
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::fs;
    use std::os::unix::fs::symlink;

    /// A link that takes a name's place after it was found to be none.
    #[test]
    fn last_names_are_opened_without_following_links() {
        let root = tempfile::tempdir().expect("a folder");
        let at = |name: &str| root.path().join(name);
        fs::create_dir_all(at("lists/sub")).expect("a folder");
        fs::write(at("lists/sub/list"), "1234\n").expect("written");
        symlink("list", at("lists/sub/link")).expect("a link");
        symlink("sub", at("lists/way")).expect("a link");
        symlink("lists", at("other")).expect("a link");
        for (path, names, is_open) in [
            ("lists/sub/list", 2, true),
            ("other/sub/list", 2, true),
            ("other/sub/list", 3, false),
            ("lists/sub/link", 1, false),
            ("lists/way/list", 2, false),
            ("lists/way/list", 1, true),
            ("lists/sub", 1, false),
            ("lists/none", 1, false),
        ] {
            let opened = open_without_links(&at(path), names);
            assert_eq!(opened.is_ok(), is_open, "{path} {names}: {opened:?}");
        }
    }

    #[test]
    fn ages() {
        let now = SystemTime::UNIX_EPOCH + Duration::from_secs(10);
        assert_eq!(age((9, 500_000_000), now), Some(Duration::from_millis(500)));
        assert_eq!(age((10, 0), now), Some(Duration::ZERO));
        assert_eq!(age((10, 1), now), None);
        assert_eq!(age((-5, 0), now), Some(Duration::from_secs(10)));
    }

    #[test]
    fn only_regular_files_are_opened() {
        let folder = tempfile::tempdir().expect("a folder");
        let fifo = folder.path().join("fifo");
        let made = std::process::Command::new("mkfifo").arg(&fifo).status();
        assert!(made.is_ok_and(|status| status.success()));
        let socket = folder.path().join("socket");
        let _listener = std::os::unix::net::UnixListener::bind(&socket).expect("a socket");
        let round = folder.path().join("round");
        std::os::unix::fs::symlink(&round, &round).expect("a link");
        let missing = folder.path().join("missing");
        let zero = Path::new("/dev/zero");
        for path in [folder.path(), &fifo, &socket, &round, &missing, zero] {
            assert!(open(path).is_err(), "{}", path.display());
        }
    }
}
