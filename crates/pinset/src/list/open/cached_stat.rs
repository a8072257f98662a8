//! Metadata of files from the kernel's memory, without waiting for a disk.

use std::os::fd::OwnedFd;
use std::path::Path;

use rustix::fs::{
    makedev, openat2, statx, AtFlags, Mode, OFlags, ResolveFlags, StatxFlags, StatxTimestamp, CWD,
};

use super::file::Stamp;
use super::path_walk::Device;

/// Returns the stamp of the file at `path`, on the local file system `device`. Returns
/// `None` if the kernel would have to read the disk or follow a link, or is older than
/// 5.12.
pub fn stamp(path: &Path, device: Device) -> Option<Stamp> {
    let file = open(path)?;
    let flags = AtFlags::EMPTY_PATH | AtFlags::STATX_DONT_SYNC;
    let about = statx(&file, c"", flags, StatxFlags::BASIC_STATS).ok()?;
    let here = about.stx_dev_major == device.major && about.stx_dev_minor == device.minor;
    let known = StatxFlags::from_bits_retain(about.stx_mask);
    let whole = known.contains(StatxFlags::BASIC_STATS);
    let time = |time: StatxTimestamp| (time.tv_sec, i64::from(time.tv_nsec));
    (here && whole).then(|| Stamp {
        device: makedev(device.major, device.minor),
        inode: about.stx_ino,
        size: about.stx_size,
        modified: time(about.stx_mtime),
        changed: time(about.stx_ctime),
        mode: about.stx_mode.into(),
    })
}

/// Returns a descriptor that refers to the file without opening it.
fn open(path: &Path) -> Option<OwnedFd> {
    let flags = OFlags::PATH | OFlags::CLOEXEC;
    let resolve = ResolveFlags::CACHED | ResolveFlags::NO_SYMLINKS;
    openat2(CWD, path, flags, Mode::empty(), resolve).ok()
}
