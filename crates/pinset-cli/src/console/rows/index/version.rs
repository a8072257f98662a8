//! What tells that a file has changed.

use std::fs::Metadata;
use std::os::unix::fs::MetadataExt;

use pinset::timestamp::Zone;
use pinset::Numbering;

/// What an index has: another number with each change of it.
const CONTENTS: u32 = 2;

/// The version of a file: device, inode, size and times; and what else its index depends on.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(in crate::console) struct FileVersion(String);

impl FileVersion {
    /// Returns the version of a file whose caller numbers are compared like this.
    pub(in crate::console) fn of(metadata: &Metadata, numbering: &Numbering) -> Self {
        let (device, inode) = (metadata.dev(), metadata.ino());
        let changed = (metadata.mtime(), metadata.mtime_nsec());
        let status_changed = (metadata.ctime(), metadata.ctime_nsec());
        let size = metadata.len();
        // The program, the numbering, and the time zone of dates decide what an index has.
        let program = format!("{} {CONTENTS}", env!("CARGO_PKG_VERSION"));
        let zone = Zone::of_the_machine().digest();
        Self(format!(
            "{program} {device} {inode} {size} {changed:?} {status_changed:?} {numbering:?} {zone:x}"
        ))
    }

    pub(super) fn as_str(&self) -> &str {
        &self.0
    }
}
