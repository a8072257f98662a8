//! Mounts, read from the kernel again when they change.

use std::fs::File;
use std::io::{self, Read, Seek};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use rustix::event::{poll, PollFd, PollFlags, Timespec};

use super::path_walk::Mounts;

const MOUNTINFO: &str = "/proc/self/mountinfo";

/// The mounts of this machine, as the process sees them.
#[derive(Default)]
pub struct MountTable(Mutex<Option<KnownMounts>>);

struct KnownMounts {
    file: File,
    mounts: Arc<Mounts>,
}

impl MountTable {
    /// Reads nothing yet.
    pub const fn new() -> Self {
        Self(Mutex::new(None))
    }

    /// Returns the current mounts. Without `/proc`, all is one file system.
    pub fn current(&self) -> Arc<Mounts> {
        let mut known = self.lock();
        match &mut *known {
            Some(known) if !has_changed(&known.file) => return Arc::clone(&known.mounts),
            Some(known) => {
                if let Ok(mounts) = read(&mut known.file) {
                    known.mounts = Arc::new(mounts);
                    return Arc::clone(&known.mounts);
                }
            }
            None => {}
        }
        *known = File::open(MOUNTINFO).ok().and_then(|mut file| {
            let mounts = Arc::new(read(&mut file).ok()?);
            Some(KnownMounts { file, mounts })
        });
        known
            .as_ref()
            .map(|known| Arc::clone(&known.mounts))
            .unwrap_or_default()
    }

    /// Closes the file.
    pub fn close(&self) {
        *self.lock() = None;
    }

    fn lock(&self) -> MutexGuard<'_, Option<KnownMounts>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

fn read(file: &mut File) -> io::Result<Mounts> {
    let mut text = Vec::new();
    file.rewind()?;
    file.read_to_end(&mut text)?;
    Ok(Mounts::parse(&text))
}

/// Returns whether the mounts have changed since the file was opened or last polled
/// (proc(5), mounts). The kernel answers at once.
fn has_changed(file: &File) -> bool {
    let mut polled = [PollFd::new(file, PollFlags::PRI)];
    poll(&mut polled, Some(&Timespec::default())) != Ok(0)
}
