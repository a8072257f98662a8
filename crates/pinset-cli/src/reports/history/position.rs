//! How far a followed file is read.

use std::fs::{File, Metadata};
use std::io;
use std::os::unix::fs::{FileExt, MetadataExt};

use rusqlite::{params, Connection, OptionalExtension};
use sha2::{Digest, Sha256};

/// Number of bytes by which a file is recognized. The end of a record is longer from its
/// start time on, and has no PIN.
const MARK_BYTES: usize = 48;

/// A followed file.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum HistorySource {
    /// Asterisk's `Master.csv`.
    Cdr,
    AuditLog,
}

impl HistorySource {
    pub(super) fn name(self) -> &'static str {
        match self {
            Self::Cdr => "cdr",
            Self::AuditLog => "audit_log",
        }
    }
}

/// The part of a file that is read.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(crate) struct FilePosition {
    pub device: u64,
    pub inode: u64,
    /// Where the next line begins.
    pub offset: u64,
    /// The end of the last line that was of use, or 0, and a digest of what is in front of
    /// it. Inode numbers are used again.
    mark: u64,
    digest: Vec<u8>,
}

impl FilePosition {
    /// Returns the start of a file.
    pub(crate) fn start(metadata: &Metadata) -> Self {
        Self {
            device: metadata.dev(),
            inode: metadata.ino(),
            offset: 0,
            mark: 0,
            digest: Vec::new(),
        }
    }

    /// Returns whether the position is in this file, by device and inode.
    pub(crate) fn is_of(&self, metadata: &Metadata) -> bool {
        (self.device, self.inode) == (metadata.dev(), metadata.ino())
    }

    /// Returns whether both are in the same file.
    pub(crate) fn is_same_file(&self, other: &Self) -> bool {
        (self.device, self.inode) == (other.device, other.inode)
    }

    /// Returns whether this file begins with what was read.
    ///
    /// # Errors
    ///
    /// Fails if it can't be read.
    pub(crate) fn is_within(&self, file: &File, metadata: &Metadata) -> io::Result<bool> {
        if metadata.len() < self.offset {
            return Ok(false);
        }
        if self.mark == 0 {
            return Ok(self.is_of(metadata));
        }
        let length = usize::try_from(self.mark).map_or(MARK_BYTES, |mark| mark.min(MARK_BYTES));
        let mut bytes = vec![0; length];
        file.read_exact_at(&mut bytes, self.mark - length as u64)?;
        Ok(Sha256::digest(&bytes)[..] == self.digest)
    }

    /// Returns the same place in another file, which begins with what was read.
    pub(crate) fn moved_to(&self, metadata: &Metadata) -> Self {
        Self {
            device: metadata.dev(),
            inode: metadata.ino(),
            ..self.clone()
        }
    }

    /// Returns the place after these lines, of which the last one of use ends at `mark`.
    pub(super) fn after(&self, lines: &[u8], mark: Option<usize>) -> Self {
        let mut next = self.clone();
        next.offset += lines.len() as u64;
        let useful = mark.and_then(|mark| lines.get(..mark));
        if let Some(useful) = useful.filter(|useful| useful.len() >= MARK_BYTES) {
            let tail = useful.get(useful.len() - MARK_BYTES..).unwrap_or_default();
            next.mark = self.offset + useful.len() as u64;
            next.digest = Sha256::digest(tail).to_vec();
        }
        next
    }

    /// Returns the stored position in a followed file.
    pub(super) fn load(
        database: &Connection,
        source: HistorySource,
    ) -> rusqlite::Result<Option<Self>> {
        let select = "SELECT device, inode, offset, mark, digest FROM file WHERE source = ?";
        let position = database.query_row(select, [source.name()], |row| {
            // As stored.
            let number = |at| row.get::<_, i64>(at).map(|number| number as u64);
            Ok(Self {
                device: number(0)?,
                inode: number(1)?,
                offset: number(2)?,
                mark: number(3)?,
                digest: row.get(4)?,
            })
        });
        position.optional()
    }

    /// Stores the position in a followed file.
    pub(super) fn store(
        &self,
        database: &Connection,
        source: HistorySource,
    ) -> rusqlite::Result<()> {
        let numbers = [self.device, self.inode, self.offset, self.mark];
        let mut upsert = database.prepare_cached(
            "INSERT INTO file VALUES (?1, ?2, ?3, ?4, ?5, ?6, 0, 0, 1, NULL) ON CONFLICT DO \
             UPDATE SET device = ?2, inode = ?3, offset = ?4, mark = ?5, digest = ?6",
        )?;
        // SQLite has signed numbers only.
        let [device, inode, offset, mark] = numbers.map(|number| number as i64);
        let row = params![source.name(), device, inode, offset, mark, self.digest];
        upsert.execute(row).map(|_| ())
    }
}
