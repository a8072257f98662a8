//! A cache of credential tables in memory, checked against the disk at each lookup.

use std::collections::BTreeSet;
use std::fs::File;
use std::io::{self, Seek};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::SystemTime;

use super::{Cache, CacheEntry, CacheKey, EntryState, Known, Seen, MAX_PASSES};
use crate::cache::report::Report;
use crate::credential::pepper::KeyId;
use crate::credential::table::{Reading, Rows};
use crate::list::format::detect::{sniff, FileKind};
use crate::list::index::MAX_REPORTED_LINES;
use crate::list::open::file::Stamp;
use crate::phone_number::Numbering;
use crate::timestamp::Zone;

/// A list that is read as rows.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Debug)]
pub struct RowList {
    /// Its path.
    pub path: PathBuf,
    /// Its kind.
    pub kind: FileKind,
}

/// The rules by which the values of rows are parsed.
#[derive(Debug)]
pub struct Rules {
    /// The time zone of dates without an offset.
    pub zone: Zone,
    /// The rules by which numbers are compared.
    pub numbering: Numbering,
    /// The keys that the pepper file has, to report the rows that lack theirs.
    pub keys: BTreeSet<KeyId>,
}

impl Rules {
    /// Whether the pepper file has this key.
    pub fn has_key(&self, key: KeyId) -> bool {
        self.keys.contains(&key)
    }
}

/// Rows being read, a part at a time, so that others get their turn.
pub struct RowReading {
    list: RowList,
    file: File,
    seen: Seen,
    rules: Arc<Rules>,
    limit: u64,
    /// The broken rows of this file have not been reported yet.
    report: bool,
    /// Nor, by these rules, which rows lack their key.
    report_keys: bool,
    passes: usize,
    reading: Reading<File>,
}

/// The answer that the cache has without reading the list.
pub enum RowAnswer {
    /// Its rows, or why nothing of it counts.
    Known(Result<Arc<Rows>, Report>),
    /// Nothing yet: it has to be read.
    Unread(Box<RowReading>),
}

/// The progress of a reading.
pub enum RowProgress {
    /// There is more to do.
    More,
    /// It is over: the rows, or why nothing of the list counts. What else the
    /// administrator should hear.
    Over(Result<Arc<Rows>, Report>, Vec<Report>),
}

impl Cache {
    /// What a list in a file is that has this stamp, at `now` or after, if it
    /// was found out before.
    pub fn kind(&self, path: &Path, stamp: Stamp, now: SystemTime) -> Option<FileKind> {
        let kept = self.lock();
        let (seen, kind) = kept.kinds.get(path)?;
        seen.is_sure(stamp, now).then_some(*kind)
    }

    /// Finds out what a list is that was opened at `path`, at `now` or after.
    ///
    /// # Errors
    ///
    /// The file can't be read.
    pub fn sniff(&self, path: &Path, mut file: &File, now: SystemTime) -> io::Result<FileKind> {
        let seen = Seen::of(file, now)?;
        let kind = sniff(file, seen.still)?;
        file.rewind()?;
        self.lock().kinds.insert(path.to_owned(), (seen, kind));
        Ok(kind)
    }

    /// The rows of a list from memory, if they are what is on the disk: the
    /// file that it leads to has this stamp, at `now` or after; and if they
    /// were read by the same rules.
    pub fn rows(
        &self,
        list: &RowList,
        rules: &Arc<Rules>,
        stamp: Stamp,
        now: SystemTime,
    ) -> Option<Arc<Rows>> {
        let mut kept = self.lock();
        kept.time += 1;
        let time = kept.time;
        let entry = kept.lists.get_mut(&CacheKey::Rows(list.clone()))?;
        match &entry.state {
            EntryState::Rows(rows, by)
                if entry.seen.is_sure(stamp, now) && Arc::ptr_eq(by, rules) =>
            {
                entry.asked = time;
                Some(Arc::clone(rows))
            }
            _ => None,
        }
    }

    /// The rows in `file`, which was opened at the path of `list`, at `now` or
    /// after: what is known, or a reading that has not begun. The lists may
    /// take `limit` bytes of memory, each and all together.
    ///
    /// # Errors
    ///
    /// The file can't be read.
    pub fn read_rows(
        &self,
        list: RowList,
        file: File,
        rules: Arc<Rules>,
        limit: u64,
        now: SystemTime,
    ) -> io::Result<RowAnswer> {
        let seen = Seen::of(&file, now)?;
        let known = self.known(&CacheKey::Rows(list.clone()), seen.stamp, seen.still);
        let (report, report_keys) = match known {
            Known::Current(EntryState::Rows(rows, by), true) if Arc::ptr_eq(&by, &rules) => {
                return Ok(RowAnswer::Known(Ok(rows)))
            }
            Known::Current(EntryState::Broken(report, by), true) if Arc::ptr_eq(&by, &rules) => {
                return Ok(RowAnswer::Known(Err(report)))
            }
            Known::Current(EntryState::Rows(_, by), _) => (false, !Arc::ptr_eq(&by, &rules)),
            Known::Current(..) => (false, true),
            Known::Outdated(_) => (true, true),
        };
        let reading = begin(&list, &file, seen, &rules, limit)?;
        Ok(RowAnswer::Unread(Box::new(RowReading {
            list,
            file,
            seen,
            rules,
            limit,
            report,
            report_keys,
            passes: 1,
            reading,
        })))
    }
}

fn begin(
    list: &RowList,
    mut file: &File,
    seen: Seen,
    rules: &Rules,
    limit: u64,
) -> io::Result<Reading<File>> {
    file.rewind()?;
    let (file, kind) = (file.try_clone()?, list.kind);
    Ok(Reading::new(
        file,
        kind,
        seen.still,
        &rules.zone,
        &rules.numbering,
        limit,
    ))
}

impl RowReading {
    /// The list whose rows they are.
    pub fn list(&self) -> &RowList {
        &self.list
    }

    /// Does a part, of a few milliseconds.
    pub fn step(&mut self, cache: &Cache) -> RowProgress {
        let result = match self.reading.step() {
            Ok(None) => return RowProgress::More,
            Ok(Some(rows)) => Ok(Arc::new(rows)),
            Err(broken) => Err(Report::Broken(self.list.path.clone(), broken.to_string())),
        };
        self.over(result, cache)
            .unwrap_or_else(|error| self.refuse(error.to_string()))
    }

    fn over(
        &mut self,
        result: Result<Arc<Rows>, Report>,
        cache: &Cache,
    ) -> io::Result<RowProgress> {
        // Written to meanwhile: what was read may never have been in it.
        let stamp = Stamp::of(&self.file.metadata()?);
        if stamp != self.seen.stamp {
            if stamp.is_world_writable() {
                let report = Report::WorldWritable(self.list.path.clone());
                return Ok(RowProgress::Over(Err(report), Vec::new()));
            }
            if self.passes == MAX_PASSES {
                let unsteady = Report::Unsteady(self.list.path.clone());
                return Ok(RowProgress::Over(Err(unsteady), Vec::new()));
            }
            self.passes += 1;
            self.seen = Seen::of(&self.file, SystemTime::now())?;
            self.reading = begin(&self.list, &self.file, self.seen, &self.rules, self.limit)?;
            return Ok(RowProgress::More);
        }
        let (state, reports) = match &result {
            Ok(rows) => {
                let state = EntryState::Rows(Arc::clone(rows), Arc::clone(&self.rules));
                (state, self.reports(rows))
            }
            Err(report) => {
                let state = EntryState::Broken(report.clone(), Arc::clone(&self.rules));
                (state, Vec::new())
            }
        };
        let entry: CacheEntry = self.seen.entry(state);
        cache.keep(&CacheKey::Rows(self.list.clone()), entry, self.limit);
        Ok(RowProgress::Over(result, reports))
    }

    fn refuse(&self, why: String) -> RowProgress {
        let report = Report::Unreadable(self.list.path.clone(), why);
        RowProgress::Over(Err(report), Vec::new())
    }

    /// Returns the reports about these rows for the administrator.
    fn reports(&self, rows: &Rows) -> Vec<Report> {
        let mut reports = self.broken_rows(rows);
        if self.report_keys {
            let unchecked = rows.unchecked(|key| self.rules.has_key(key));
            reports.extend(
                unchecked
                    .take(MAX_REPORTED_LINES)
                    .map(|rows| Report::Unchecked(self.list.path.clone(), rows.clone())),
            );
        }
        reports
    }

    fn broken_rows(&self, rows: &Rows) -> Vec<Report> {
        if !self.report {
            return Vec::new();
        }
        let path = &self.list.path;
        let broken = rows.broken();
        let mut reports: Vec<_> = broken
            .iter()
            .take(MAX_REPORTED_LINES)
            .map(|row| Report::BrokenRow(path.clone(), row.to_string()))
            .collect();
        if broken.len() > MAX_REPORTED_LINES {
            reports.push(Report::MoreBrokenLines(path.clone()));
        }
        reports
    }
}

#[cfg(test)]
mod tests;
