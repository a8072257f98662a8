//! A look at a file that never waits: at what the kernel has in memory.

use std::ffi::CString;
use std::mem::MaybeUninit;
use std::os::fd::{AsRawFd, FromRawFd, OwnedFd, RawFd};
use std::os::unix::ffi::OsStrExt;
use std::path::Path;

use pinset::list::{Device, Stamp};

/// The stamp of the file at `path`, which lies on the local file system
/// `device`. `None`: the kernel would have to ask the disk, or follow a link;
/// or it is older than 5.12.
pub fn stamp(path: &Path, device: Device) -> Option<Stamp> {
    let file = open(path)?;
    let mut about = MaybeUninit::<libc::statx>::uninit();
    // SAFETY: an open descriptor, an empty name that stands for it, and room
    // for the answer.
    let result = unsafe {
        libc::statx(
            file.as_raw_fd(),
            c"".as_ptr(),
            libc::AT_EMPTY_PATH | libc::AT_STATX_DONT_SYNC,
            libc::STATX_BASIC_STATS,
            about.as_mut_ptr(),
        )
    };
    if result != 0 {
        return None;
    }
    // SAFETY: the call has succeeded and filled it.
    let about = unsafe { about.assume_init() };
    let here = about.stx_dev_major == device.major && about.stx_dev_minor == device.minor;
    let whole = about.stx_mask & libc::STATX_BASIC_STATS == libc::STATX_BASIC_STATS;
    let time = |time: libc::statx_timestamp| (time.tv_sec, i64::from(time.tv_nsec));
    (here && whole).then(|| Stamp {
        device: libc::makedev(device.major, device.minor),
        inode: about.stx_ino,
        size: about.stx_size,
        modified: time(about.stx_mtime),
        changed: time(about.stx_ctime),
        mode: about.stx_mode.into(),
    })
}

/// A descriptor that stands for the file and opens nothing (`O_PATH`).
fn open(path: &Path) -> Option<OwnedFd> {
    let path = CString::new(path.as_os_str().as_bytes()).ok()?;
    // SAFETY: all of its fields are numbers, and 0 is a value of each.
    let mut how: libc::open_how = unsafe { std::mem::zeroed() };
    how.flags = (libc::O_PATH | libc::O_CLOEXEC) as u64;
    how.resolve = libc::RESOLVE_CACHED | libc::RESOLVE_NO_SYMLINKS;
    // SAFETY: openat2(2): the name is NUL-terminated, `how` is of the size given.
    let result = unsafe {
        libc::syscall(
            libc::SYS_openat2,
            libc::AT_FDCWD,
            path.as_ptr(),
            &how,
            size_of::<libc::open_how>(),
        )
    };
    let descriptor = RawFd::try_from(result).ok().filter(|fd| *fd >= 0)?;
    // SAFETY: just opened, and nobody else knows it.
    Some(unsafe { OwnedFd::from_raw_fd(descriptor) })
}
