//! The state of a list in memory, for CLI and AMI: does not touch the disk.

use std::path::Path;
use std::sync::Arc;
use std::time::SystemTime;

use super::{Cache, CacheEntry, CacheKey, EntryState};
use crate::credential::table::Rows;
use crate::list::FileKind;

/// The memory of a list, which may be something else by now.
#[derive(Clone)]
pub struct Recalled {
    /// When it was read, or that was begun.
    pub read: SystemTime,
    /// The result of reading it.
    pub contents: Contents,
    /// The format it was read as.
    pub kind: FileKind,
    /// Its rows; a list that is asked for entries alone has none.
    pub rows: Option<Arc<Rows>>,
}

/// The result of reading a list.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum Contents {
    /// It has this many entries: lines that assign a PIN, or rows.
    Entries(u64),
    /// It is still being read.
    Reading,
    /// It takes more than this many bytes of memory.
    TooLarge(u64),
    /// Nothing of it counts, for this reason.
    Broken(String),
}

impl Cache {
    /// What is remembered of the list at `path`, whatever it was read as: what
    /// was asked last.
    pub fn recall(&self, path: &Path) -> Option<Recalled> {
        let kept = self.lock();
        let lists = kept.lists.iter().filter(|(key, _)| key.path() == path);
        let (key, CacheEntry { seen, state, .. }) = lists.max_by_key(|(_, entry)| entry.asked)?;
        let rows = match state {
            EntryState::Rows(rows, _) => Some(Arc::clone(rows)),
            _ => None,
        };
        let contents = match state {
            EntryState::Index(index) => Contents::Entries(index.len()),
            EntryState::Rows(rows, _) => Contents::Entries(rows.len()),
            // An abandoned rebuild counts as no lookup.
            EntryState::Rebuilding(token) if token.strong_count() == 0 => return None,
            EntryState::Rebuilding(_) => Contents::Reading,
            EntryState::TooLarge(limit) => Contents::TooLarge(*limit),
            EntryState::Broken(report, _) => Contents::Broken(report.to_string()),
        };
        Some(Recalled {
            read: seen.at,
            contents,
            kind: key.kind(),
            rows,
        })
    }
}

impl CacheKey {
    fn kind(&self) -> FileKind {
        match self {
            Self::Pins(list) => FileKind::Lines(list.format),
            Self::Rows(list) => list.kind,
        }
    }

    fn path(&self) -> &Path {
        match self {
            Self::Pins(list) => &list.path,
            Self::Rows(list) => &list.path,
        }
    }
}

#[cfg(test)]
mod tests {
    use std::fs::{self, File};

    use super::*;
    use crate::cache::List;
    use crate::list::Format;
    use crate::pin::Pin;

    #[test]
    fn contents_are_remembered_by_path() {
        let dir = tempfile::tempdir().expect("a directory");
        let path = dir.path().join("pins");
        fs::write(&path, "1234\n5678\n1234\n\n99999999999999999999\n").expect("written");
        let cache = Cache::new();
        assert!(cache.recall(&path).is_none());
        let list = List {
            path: path.clone(),
            format: Format::Plain,
        };
        let mut pin = Pin::new();
        pin.push(b'1');
        let now = SystemTime::now();
        let verify = |limit| cache.verify(&list, File::open(&path), &pin, limit, now);
        verify(1 << 20);
        let recalled = cache.recall(&path).expect("remembered");
        assert_eq!(recalled.read, now);
        assert_eq!(recalled.contents, Contents::Entries(4));
        assert_eq!(recalled.kind, FileKind::Lines(Format::Plain));
        assert!(recalled.rows.is_none());
        assert!(cache.recall(dir.path()).is_none());
        cache.clear();
        assert!(cache.recall(&path).is_none());
        verify(1);
        let recalled = cache.recall(&path).map(|recalled| recalled.contents);
        assert_eq!(recalled, Some(Contents::TooLarge(1)));
    }
}
