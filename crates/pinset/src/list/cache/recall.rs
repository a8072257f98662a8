//! What memory holds of a list, for who operates it: the disk is not touched.

use std::path::Path;
use std::time::SystemTime;

use super::{Cache, Entry, Key, State};
use crate::rows::SignedRows;

/// What is remembered of a list, which may be something else by now.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Recalled {
    /// When it was read, or that was begun.
    pub read: SystemTime,
    /// What came of it.
    pub contents: Contents,
    /// The rows of each key of the pepper file; lists without rows have none.
    pub signed: Vec<SignedRows>,
}

/// What came of reading a list.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum Contents {
    /// It has so many entries: lines that give somebody a PIN, or rows.
    Entries(u64),
    /// Somebody is still at it.
    Reading,
    /// It takes more than so many bytes of memory.
    TooLarge(u64),
    /// Nothing of it counts, and why.
    Broken(String),
}

impl Cache {
    /// What is remembered of the list at `path`, whatever it was read as: what
    /// was asked last.
    pub fn recall(&self, path: &Path) -> Option<Recalled> {
        let kept = self.kept();
        let lists = kept.lists.iter().filter(|(key, _)| key.path() == path);
        let (_, Entry { seen, state, .. }) = lists.max_by_key(|(_, entry)| entry.asked)?;
        let signed = match state {
            State::Rows(rows, _) => rows.signed().to_vec(),
            _ => Vec::new(),
        };
        let contents = match state {
            State::Index(index) => Contents::Entries(index.len()),
            State::Rows(rows, _) => Contents::Entries(rows.len()),
            // Given up: it is as if nobody had asked.
            State::Rebuilding(token) if token.strong_count() == 0 => return None,
            State::Rebuilding(_) => Contents::Reading,
            State::TooLarge(limit) => Contents::TooLarge(*limit),
            State::Broken(report, _) => Contents::Broken(report.to_string()),
        };
        Some(Recalled {
            read: seen.at,
            contents,
            signed,
        })
    }
}

impl Key {
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
    use crate::list::{Format, List};
    use crate::pin::Pin;

    #[test]
    fn what_was_read_is_remembered_by_its_path() {
        let dir = tempfile::tempdir().expect("a directory");
        let path = dir.path().join("pins");
        fs::write(&path, "1234\n5678\n1234\n\n99999999999999999999\n").expect("written");
        let cache = Cache::new();
        assert_eq!(cache.recall(&path), None);
        let list = List {
            path: path.clone(),
            format: Format::Plain,
        };
        let mut pin = Pin::new();
        pin.push(b'1');
        let now = SystemTime::now();
        let judge = |limit| cache.judge(&list, File::open(&path), &pin, limit, now);
        judge(1 << 20);
        let entries = |count| {
            Some(Recalled {
                read: now,
                contents: Contents::Entries(count),
                signed: Vec::new(),
            })
        };
        assert_eq!(cache.recall(&path), entries(4));
        assert_eq!(cache.recall(dir.path()), None);
        cache.clear();
        assert_eq!(cache.recall(&path), None);
        judge(1);
        let recalled = cache.recall(&path).map(|recalled| recalled.contents);
        assert_eq!(recalled, Some(Contents::TooLarge(1)));
    }
}
