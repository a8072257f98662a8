//! Lookups of a PIN set in its PIN file.

use std::fs::File;
use std::io;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::SystemTime;

use thiserror::Error;

use super::backend::{Answer, Entries};
use super::doubt::Doubt;
use crate::cache::{
    Cache, List, Progress, Rebuild, Report, RowAnswer, RowList, RowProgress, RowReading, Rules,
};
use crate::config::{Identify, PinSet};
use crate::list::{open, FileKind, Format, Stamp};
use crate::pin::Pin;

/// A PIN set's query to its list.
pub struct FileQuery {
    /// Its options.
    pub set: Arc<PinSet>,
    /// The rules by which the values of rows are parsed.
    pub rules: Arc<Rules>,
}

/// The context of a lookup in a list.
#[derive(Clone, Copy)]
pub struct QueryContext<'a> {
    /// The lists in memory.
    pub cache: &'a Cache,
    /// The path of the list.
    pub path: &'a Path,
    /// The entry, for lists that are asked for it alone.
    pub pin: &'a Pin,
    /// The time it is.
    pub now: SystemTime,
}

/// The answer of an opened list, as far as it has been read.
pub enum FileAnswer {
    /// It is answered; there may be an index to be made, when there is time.
    Answered(Answer, Option<Box<Rebuild>>),
    /// The answer are rows that are still to be read: [`Answer::of_rows`].
    Unread(Box<RowReading>),
}

impl FileQuery {
    /// Returns why the PIN set can't use this answer, by the pepper file of these
    /// rules.
    pub fn objection(&self, answer: &Answer) -> Option<String> {
        self.set.objection(answer, &|key| self.rules.has_key(key))
    }

    /// Returns the doubts whether the PIN set can admit its callers by this answer.
    pub fn doubts(&self, answer: &Answer) -> Vec<Doubt> {
        let rows = match answer {
            Answer::Rows(rows, _) => rows.profile(),
            Answer::Family(family) => family.rows.profile(),
            Answer::Entry(..) | Answer::Stored(_) | Answer::Refused(_) => return Vec::new(),
        };
        self.set.doubts(&rows, &self.rules.numbering)
    }

    /// What memory says, if the file that the path leads to has this stamp, at
    /// [`QueryContext::now`] or after, and what is in memory was read from it. No disk
    /// is touched. What the administrator should hear, `hear` hears, here and
    /// below.
    pub fn known(
        &self,
        asking: &QueryContext<'_>,
        stamp: Stamp,
        hear: impl FnMut(&Report),
    ) -> Option<Answer> {
        // What becomes of that, `examine` says.
        if stamp.is_world_writable() {
            return None;
        }
        let QueryContext { cache, now, .. } = *asking;
        let said = self.set.format;
        let kind = said.or_else(|| cache.kind(asking.path, stamp, now))?;
        let path = asking.path.to_owned();
        let Some(format) = self.entries(kind) else {
            let list = RowList { path, kind };
            let rows = cache.rows(&list, &self.rules, stamp, now)?;
            return Some(Answer::Rows(rows, kind));
        };
        let verified = cache.ask(&List { path, format }, stamp, asking.pin, now)?;
        verified.reports.iter().for_each(hear);
        let entries = Entries::Lines(format);
        Some(Answer::Entry(verified.verdict, entries))
    }

    /// What the list is that was opened at the path, at [`QueryContext::now`] or
    /// after. Whether the PIN set can use such a list is for
    /// [`PinSet::objection`] to say.
    ///
    /// # Errors
    ///
    /// It can't be read, or everybody may write to it.
    pub fn examine(
        &self,
        asking: &QueryContext<'_>,
        file: io::Result<File>,
    ) -> Result<(File, FileKind), FileQueryError> {
        let path = asking.path;
        let unreadable = |error| FileQueryError::Unreadable(path.to_owned(), error);
        let file = file.map_err(unreadable)?;
        let about = file.metadata().map_err(FileQueryError::Metadata)?;
        if Stamp::of(&about).is_world_writable() {
            return Err(FileQueryError::WorldWritable(path.to_owned()));
        }
        let kind = match self.set.format {
            Some(kind) => kind,
            None => {
                let kind = asking.cache.sniff(path, &file, asking.now);
                kind.map_err(unreadable)?
            }
        };
        Ok((file, kind))
    }

    /// Asks a list that was examined, as far as that can be done at once. The
    /// lists may take `limit` bytes of memory, each and all together.
    pub fn read(
        &self,
        asking: &QueryContext<'_>,
        (file, kind): (File, FileKind),
        limit: u64,
        hear: impl FnMut(&Report),
    ) -> FileAnswer {
        let QueryContext { cache, now, .. } = *asking;
        let path = asking.path.to_owned();
        if let Some(format) = self.entries(kind) {
            let list = List { path, format };
            let verified = cache.verify(&list, Ok(file), asking.pin, limit, now);
            verified.reports.iter().for_each(hear);
            let answer = Answer::Entry(verified.verdict, Entries::Lines(format));
            return FileAnswer::Answered(answer, verified.rebuild.map(Box::new));
        }
        let (list, rules) = (RowList { path, kind }, Arc::clone(&self.rules));
        match cache.read_rows(list, file, rules, limit, now) {
            Ok(RowAnswer::Unread(reading)) => FileAnswer::Unread(reading),
            Ok(RowAnswer::Known(rows)) => FileAnswer::Answered(Answer::of_rows(&rows, kind), None),
            Err(error) => {
                let why = FileQueryError::Unreadable(asking.path.to_owned(), error).to_string();
                FileAnswer::Answered(Answer::Refused(why), None)
            }
        }
    }

    /// Opens the list and asks it, however long that takes: not for where others
    /// wait. Two who do so at once both read a list that is not in memory.
    pub fn ask(
        &self,
        asking: &QueryContext<'_>,
        limit: u64,
        mut hear: impl FnMut(&Report),
    ) -> Answer {
        let (file, kind) = match self.examine(asking, open(asking.path)) {
            Ok(examined) => examined,
            Err(error) => return Answer::Refused(error.to_string()),
        };
        match self.read(asking, (file, kind), limit, &mut hear) {
            FileAnswer::Answered(answer, rebuild) => {
                if let Some(mut rebuild) = rebuild {
                    let reports = loop {
                        if let Progress::Over(reports) = rebuild.step(asking.cache) {
                            break reports;
                        }
                    };
                    reports.iter().for_each(hear);
                }
                answer
            }
            FileAnswer::Unread(mut reading) => loop {
                if let RowProgress::Over(rows, reports) = reading.step(asking.cache) {
                    reports.iter().for_each(hear);
                    break Answer::of_rows(&rows, kind);
                }
            },
        }
    }

    /// Returns the format of a list of this kind if it is asked for entries alone, and
    /// `None` if it is asked for rows.
    fn entries(&self, kind: FileKind) -> Option<Format> {
        match kind {
            FileKind::Lines(format) if self.set.identify == Identify::Pin => Some(format),
            FileKind::Lines(_) | FileKind::Csv => None,
        }
    }
}

/// Why a PIN file can't be used.
#[derive(Debug, Error)]
pub enum FileQueryError {
    /// The file can't be opened or read.
    #[error("'{path}' can't be read: {1}", path = .0.display())]
    Unreadable(PathBuf, io::Error),
    /// The metadata of the file can't be read.
    #[error("{0}")]
    Metadata(io::Error),
    /// All users may write to the file.
    #[error(
        "'{}' can be written to by everybody on this machine: chmod o-w takes that away",
        .0.display()
    )]
    WorldWritable(PathBuf),
}
