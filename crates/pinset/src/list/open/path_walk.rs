//! A walk along a path, one file system after the other.
//!
//! A file system may hang, and with it every thread that accesses it. So one worker thread
//! accesses each file system for all callers, and follows a path, symbolic links included,
//! only as far as its file system reaches.

use std::collections::VecDeque;
use std::ffi::{OsStr, OsString};
use std::fs::{self, File};
use std::io;
use std::os::unix::ffi::{OsStrExt, OsStringExt};
use std::path::{Component, Path, PathBuf};

use super::file::{open, open_without_links};

/// The most symbolic links in a path, as in Linux.
const MAX_SYMLINKS: usize = 40;

/// A file system, as the kernel numbers it.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug, Default)]
pub struct Device {
    /// Its major number.
    pub major: u32,
    /// Its minor number.
    pub minor: u32,
}

/// File systems that answer from memory what memory knows. What lies on a
/// server, or in another process, may be asked for there.
const LOCAL_FILE_SYSTEMS: [&[u8]; 10] = [
    b"bcachefs",
    b"btrfs",
    b"ext2",
    b"ext3",
    b"ext4",
    b"f2fs",
    b"ramfs",
    b"tmpfs",
    b"xfs",
    b"zfs",
];

/// The mount points of this machine.
#[derive(Default)]
pub struct Mounts(Vec<Mount>);

struct Mount {
    point: PathBuf,
    device: Device,
    local: bool,
}

impl Mount {
    /// Whether a path of the shortest form lies below it, or is it.
    fn is_above(&self, path: &[u8]) -> bool {
        let rest = path.strip_prefix(self.point.as_os_str().as_bytes());
        rest.is_some_and(|rest| rest.is_empty() || rest.starts_with(b"/") || self.is_root())
    }

    fn is_root(&self) -> bool {
        self.point.as_os_str() == "/"
    }
}

impl Mounts {
    /// Reads `/proc/self/mountinfo` (proc(5)). A line that is not as described
    /// there is passed over.
    pub fn parse(mountinfo: &[u8]) -> Self {
        let lines = mountinfo.split(|byte| *byte == b'\n');
        Self(lines.filter_map(mount).collect())
    }

    /// What is mounted at or above `path`, which has no link in it and no
    /// `..`: where, and which file system.
    fn at(&self, path: &Path) -> (&Path, Device) {
        match self.nearest(path) {
            Some(mount) => (&mount.point, mount.device),
            None => (Path::new("/"), Device::default()),
        }
    }

    /// The local file system that `path` lies on, if it is one, and if there
    /// is no link on the way.
    pub fn local(&self, path: &Path) -> Option<Device> {
        let plain = |name: Component<'_>| name != Component::ParentDir;
        let nearest = self.nearest(path).filter(|mount| mount.local)?;
        path.components().all(plain).then_some(nearest.device)
    }

    fn nearest(&self, path: &Path) -> Option<&Mount> {
        // Once, and not for each mount: those of the kernel have no other form.
        let path: PathBuf = path.components().collect();
        let path = path.as_os_str().as_bytes();
        let above = self.0.iter().filter(|mount| mount.is_above(path));
        // On the same mount point, the later mount hides the earlier one.
        above.max_by_key(|mount| mount.point.as_os_str().len())
    }
}

fn mount(line: &[u8]) -> Option<Mount> {
    let mut fields = line.split(|byte| *byte == b' ').skip(2);
    let device = std::str::from_utf8(fields.next()?).ok()?;
    let (major, minor) = device.split_once(':')?;
    let device = Device {
        major: major.parse().ok()?,
        minor: minor.parse().ok()?,
    };
    let point = PathBuf::from(OsString::from_vec(unescaped(fields.nth(1)?)));
    // Behind the options, and a hyphen.
    let kind = fields.by_ref().skip_while(|field| *field != b"-").nth(1);
    Some(Mount {
        point,
        device,
        local: kind.is_some_and(|kind| LOCAL_FILE_SYSTEMS.contains(&kind)),
    })
}

/// Blanks and the like stand as `\040`.
fn unescaped(text: &[u8]) -> Vec<u8> {
    let mut plain = Vec::with_capacity(text.len());
    let mut rest = text;
    while let Some((first, behind)) = rest.split_first() {
        let octal = |digits: &[u8; 3]| {
            let value = digits.iter().try_fold(0, |sum, digit| {
                char::from(*digit).to_digit(8).map(|digit| sum * 8 + digit)
            })?;
            u8::try_from(value).ok()
        };
        let escaped = behind
            .first_chunk()
            .filter(|_| *first == b'\\')
            .and_then(octal);
        plain.push(escaped.unwrap_or(*first));
        rest = match escaped {
            Some(_) => behind.get(3..).unwrap_or_default(),
            None => behind,
        };
    }
    plain
}

/// The progress on the way to a file.
#[derive(Debug)]
pub struct PathWalk {
    /// The part without a link in it.
    behind: PathBuf,
    /// The names still to go.
    ahead: VecDeque<OsString>,
    links: usize,
    /// The number of the last names that may not be links.
    confined: usize,
    device: Device,
}

impl PathWalk {
    /// The way to `path`, from `/`. It touches nothing. Links are followed, but not those
    /// below `folder`, if one is given.
    pub fn new(path: &Path, folder: Option<&Path>, mounts: &Mounts) -> Self {
        let below = folder.and_then(|folder| path.strip_prefix(folder).ok());
        let mut way = Self {
            behind: PathBuf::from("/"),
            ahead: VecDeque::new(),
            links: 0,
            confined: below.map_or(0, |below| below.components().count()),
            device: Device::default(),
        };
        way.begin_at_root(path, mounts);
        way
    }

    /// The file system that is touched next.
    pub fn device(&self) -> Device {
        self.device
    }

    /// A mount point has no link in it, so the way to it need not be gone.
    fn begin_at_root(&mut self, path: &Path, mounts: &Mounts) {
        let names = path.components();
        let down = names
            .clone()
            .take_while(|name| *name != Component::ParentDir);
        let down: PathBuf = down.collect();
        let (point, device) = mounts.at(&down);
        self.behind = point.to_owned();
        self.device = device;
        let known = point.components().count();
        let mut names = names;
        names.by_ref().take(known).for_each(drop);
        self.look_ahead(names);
    }

    fn look_ahead<'a>(&mut self, names: impl DoubleEndedIterator<Item = Component<'a>>) {
        for name in names.rev() {
            if matches!(name, Component::Normal(_) | Component::ParentDir) {
                self.ahead.push_front(name.as_os_str().to_owned());
            }
        }
    }

    /// Goes on through the file system [`Self::device`]. The file, or `None`:
    /// the way leads to another file system.
    pub fn go(&mut self, mounts: &Mounts) -> io::Result<Option<File>> {
        while let Some(name) = self.ahead.pop_front() {
            if name == OsStr::from_bytes(b"..") {
                self.behind.pop();
                continue;
            }
            let next = self.behind.join(&name);
            let (_, device) = mounts.at(&next);
            if device != self.device {
                self.device = device;
                self.ahead.push_front(name);
                return Ok(None);
            }
            match fs::read_link(&next) {
                // A link adds names in front of those that are ahead.
                Ok(_) if self.ahead.len() < self.confined => {
                    return Err(io::Error::other(
                        "symbolic links below console_lists are not followed",
                    ));
                }
                Ok(target) => self.follow(&target, mounts)?,
                // It is no link.
                Err(error) if error.kind() == io::ErrorKind::InvalidInput => self.behind = next,
                Err(error) => return Err(error),
            }
        }
        // `..` and links to `/` may have led elsewhere.
        let (_, device) = mounts.at(&self.behind);
        if device != self.device {
            self.device = device;
            return Ok(None);
        }
        match self.confined {
            0 => open(&self.behind),
            // The last names were no links a moment ago.
            confined => open_without_links(&self.behind, confined),
        }
        .map(Some)
    }

    fn follow(&mut self, target: &Path, mounts: &Mounts) -> io::Result<()> {
        self.links += 1;
        if self.links > MAX_SYMLINKS {
            return Err(io::Error::from_raw_os_error(libc::ELOOP));
        }
        if target.is_absolute() {
            let device = self.device;
            self.begin_at_root(target, mounts);
            // Not ours to touch: `go` sees it.
            self.device = device;
        } else {
            self.look_ahead(target.components());
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::os::unix::fs::symlink;

    const MOUNTINFO: &[u8] = b"22 1 8:1 / / rw,relatime shared:1 - ext4 /dev/sda1 rw\n\
        23 22 0:21 / /proc rw - proc proc rw\n\
        garbage\n\
        30 22 0:40 / /mnt/a\\040b rw - nfs4 server:/pins rw\n\
        31 30 0:41 / /mnt/a\\040b rw - nfs4 server:/new rw\n\
        32 22 0:42 / /mnt/a rw - nfs4 server:/a rw\n";

    fn device(major: u32, minor: u32) -> Device {
        Device { major, minor }
    }

    #[test]
    fn mount_points_are_parsed() {
        let mounts = Mounts::parse(MOUNTINFO);
        for (path, found) in [
            ("/", device(8, 1)),
            ("/etc/pins", device(8, 1)),
            ("/mnt/a", device(0, 42)),
            ("/mnt/a/pins", device(0, 42)),
            ("/mnt/ab", device(8, 1)),
            ("/mnt/a b/pins", device(0, 41)),
        ] {
            assert_eq!(mounts.at(Path::new(path)).1, found, "{path}");
        }
        assert_eq!(Mounts::parse(b"").at(Path::new("/a")).1, device(0, 0));
    }

    #[test]
    fn local_file_systems_are_recognized() {
        let mounts = Mounts::parse(MOUNTINFO);
        for (path, found) in [
            ("/etc/pins", Some(device(8, 1))),
            ("/etc/../mnt/a/pins", None),
            ("/mnt/a/pins", None),
            ("/proc/pins", None),
        ] {
            assert_eq!(mounts.local(Path::new(path)), found, "{path}");
        }
        assert_eq!(Mounts::parse(b"").local(Path::new("/a")), None);
    }

    #[test]
    fn a_way_begins_at_the_last_mount_point() {
        let mounts = Mounts::parse(MOUNTINFO);
        for (path, behind, ahead, found) in [
            ("/etc/./pins", "/", "etc/pins", device(8, 1)),
            ("/mnt/a/x/../y", "/mnt/a", "x/../y", device(0, 42)),
            ("/mnt/../mnt/a/y", "/", "mnt/../mnt/a/y", device(8, 1)),
        ] {
            let way = PathWalk::new(Path::new(path), None, &mounts);
            assert_eq!(way.behind, Path::new(behind), "{path}");
            assert_eq!(way.ahead.iter().collect::<PathBuf>(), Path::new(ahead));
            assert_eq!(way.device(), found);
        }
    }

    #[test]
    fn links_are_followed_to_the_folder_and_not_below() {
        let root = tempfile::tempdir().expect("a folder");
        let at = |name: &str| root.path().join(name);
        fs::create_dir_all(at("real/sub")).expect("a folder");
        for name in ["real/list", "real/sub/list", "secret"] {
            fs::write(at(name), "1234\n").expect("written");
        }
        symlink("real", at("lists")).expect("a link");
        symlink("../secret", at("real/link")).expect("a link");
        symlink(at("secret"), at("real/far")).expect("a link");
        symlink("sub", at("real/way")).expect("a link");
        let (mounts, lists) = (Mounts::default(), at("lists"));
        for (name, is_confined) in [
            ("list", true),
            ("sub/list", true),
            (".//sub/list", true),
            ("link", false),
            ("far", false),
            ("way/list", false),
        ] {
            let open = |folder| PathWalk::new(&lists.join(name), folder, &mounts).go(&mounts);
            assert!(open(None).is_ok_and(|file| file.is_some()), "{name}");
            let confined = open(Some(lists.as_path()));
            assert_eq!(
                confined.is_ok_and(|file| file.is_some()),
                is_confined,
                "{name}"
            );
        }
    }

    /// All names were walked, and were no links then.
    #[test]
    fn link_that_comes_after_the_walk_is_not_followed() {
        let root = tempfile::tempdir().expect("a folder");
        let at = |name: &str| root.path().join(name);
        fs::write(at("secret"), "1234\n").expect("written");
        symlink("secret", at("list")).expect("a link");
        let mounts = Mounts::default();
        let walked = |confined| PathWalk {
            behind: at("list"),
            ahead: VecDeque::new(),
            links: 0,
            confined,
            device: Device::default(),
        };
        assert!(walked(0).go(&mounts).is_ok_and(|file| file.is_some()));
        assert!(walked(1).go(&mounts).is_err());
    }

    #[test]
    fn goes_as_far_as_its_file_system() {
        let folder = tempfile::tempdir().expect("a folder");
        let root = folder.path().canonicalize().expect("its path");
        let at = |name: &str| root.join(name);
        for name in ["one", "two"] {
            fs::create_dir(at(name)).expect("a folder");
            fs::write(at(name).join("list"), "1234\n").expect("written");
        }
        symlink("../two/list", at("one/up")).expect("a link");
        symlink(at("two/list"), at("one/far")).expect("a link");
        symlink("list", at("one/near")).expect("a link");
        symlink("round", at("one/round")).expect("a link");
        symlink(at("one"), at("link")).expect("a link");
        let info = format!(
            "1 1 8:1 / / rw\n2 1 0:2 / {} rw\n3 1 0:3 / {} rw\n",
            at("one").display(),
            at("two").display()
        );
        let mounts = Mounts::parse(info.as_bytes());
        for (name, stops) in [
            ("one/list", &[2][..]),
            ("one/near", &[2]),
            ("one/up", &[2, 3]),
            ("one/far", &[2, 3]),
            ("one/../two/list", &[2, 3]),
            ("link/list", &[1, 2]),
        ] {
            let mut way = PathWalk::new(&at(name), None, &mounts);
            let mut seen = vec![way.device().minor];
            while way.go(&mounts).expect(name).is_none() {
                seen.push(way.device().minor);
                assert!(seen.len() < 5, "{name}");
            }
            assert_eq!(seen, stops, "{name}");
        }
        for name in ["one/round", "one/none", "one", "one/list/x"] {
            let mut way = PathWalk::new(&at(name), None, &mounts);
            let error = loop {
                match way.go(&mounts) {
                    Ok(None) => {}
                    Ok(Some(_)) => panic!("{name}"),
                    Err(error) => break error,
                }
            };
            assert!(!error.to_string().is_empty());
        }
    }
}
