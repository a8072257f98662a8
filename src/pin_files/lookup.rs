//! A question to a list, and how it is answered once the file is open.

use std::fs::File;
use std::io;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, MutexGuard, OnceLock};
use std::time::SystemTime;

use pinset::cache::{List, Rebuild, RowReading};
use pinset::list::{Format, Kind, Mounts, PathWalk};
use pinset::permission::explain;
use pinset::verify::{Answer, Asked, Doubt, Entries, FileQuery, QueryContext};
use pinset::Pin;

use super::{log_report, CACHE};
use crate::asterisk::process;
use crate::sync::lock::lock;
use crate::sync::oneshot::Oneshot;

/// What is asked of a list.
#[derive(Clone)]
pub enum LookupKind {
    /// Whether an entry is in it; its lines are of this format.
    Entry(Format),
    /// What a PIN set needs.
    PinSet(Arc<FileQuery>),
}

/// A question, until it is answered or withdrawn.
pub struct Question {
    pub path: PathBuf,
    about: LookupKind,
    pin: Pin,
    /// How far the worker is on its way to the file.
    way: Mutex<PathWalk>,
    /// What the lists may take of memory, in bytes.
    limit: u64,
    /// What the list is, once its file is open.
    kind: OnceLock<Kind>,
    pub answer: Oneshot<Answer>,
}

/// What is left to be done once a question has been attended to.
pub enum FollowUp {
    /// Nothing.
    Nothing,
    /// It is answered, and an index is still to be made.
    Index(Box<Rebuild>),
    /// Its answer are rows that are still to be read.
    Rows(Box<RowReading>),
}

impl Question {
    pub fn new(path: &Path, about: LookupKind, pin: &Pin, limit: u64, mounts: &Mounts) -> Self {
        Self {
            path: path.to_owned(),
            about,
            pin: pin.clone(),
            way: Mutex::new(PathWalk::new(path, mounts)),
            limit,
            kind: OnceLock::new(),
            answer: Oneshot::new(),
        }
    }

    pub fn way(&self) -> MutexGuard<'_, PathWalk> {
        lock(&self.way)
    }

    /// Whether one reading of a list answers both: what a PIN set needs of the
    /// same list, read by the same rules.
    pub fn is_like(&self, other: &Self) -> bool {
        match (&self.about, &other.about) {
            (LookupKind::PinSet(one), LookupKind::PinSet(two)) => {
                self.path == other.path
                    && Arc::ptr_eq(&one.rules, &two.rules)
                    && one.set.format == two.set.format
                    && one.set.identify == two.set.identify
            }
            _ => false,
        }
    }

    /// What the list is, once its file is open.
    pub fn kind(&self) -> Option<Kind> {
        self.kind.get().copied()
    }

    /// Returns why its PIN set can't use this answer.
    pub fn objection(&self, answer: &Answer) -> Option<String> {
        match &self.about {
            LookupKind::PinSet(wanted) => wanted.objection(answer),
            LookupKind::Entry(_) => None,
        }
    }

    /// Returns why its PIN set may admit nobody by this answer.
    pub fn doubts(&self, answer: &Answer) -> Vec<Doubt> {
        match &self.about {
            LookupKind::PinSet(wanted) => wanted.doubts(answer),
            LookupKind::Entry(_) => Vec::new(),
        }
    }

    /// Returns why its PIN set can't use a list of this kind.
    pub fn kind_objection(&self, kind: Kind) -> Option<String> {
        match &self.about {
            LookupKind::PinSet(wanted) => wanted.set.kind_objection(kind),
            LookupKind::Entry(_) => None,
        }
    }

    /// Whether its answer may be rows.
    pub fn is_about_rows(&self) -> bool {
        matches!(self.about, LookupKind::PinSet(_))
    }

    /// Answers by what is in the file, as far as that can be done at once.
    pub fn attend(&self, file: io::Result<File>, now: SystemTime) -> FollowUp {
        let file = file.map_err(|error| explain(error, &self.path, &process::account()));
        let wanted = match &self.about {
            LookupKind::Entry(format) => return self.judge(*format, file, now),
            LookupKind::PinSet(wanted) => wanted,
        };
        let asking = QueryContext {
            cache: &CACHE,
            path: &self.path,
            pin: &self.pin,
            now,
        };
        let examined = match wanted.examine(&asking, file) {
            Ok(examined) => examined,
            Err(why) => {
                self.answer.set(Answer::Refused(why));
                return FollowUp::Nothing;
            }
        };
        // Set once: a question is attended to once.
        let _ = self.kind.set(examined.1);
        match wanted.read(&asking, examined, self.limit, log_report) {
            Asked::Answered(answer, rebuild) => {
                self.answer.set(answer);
                rebuild.map_or(FollowUp::Nothing, FollowUp::Index)
            }
            Asked::Unread(reading) => FollowUp::Rows(reading),
        }
    }

    fn judge(&self, format: Format, file: io::Result<File>, now: SystemTime) -> FollowUp {
        let path = self.path.clone();
        let judged = CACHE.judge(&List { path, format }, file, &self.pin, self.limit, now);
        judged.reports.iter().for_each(log_report);
        let entries = Entries::Lines(format);
        self.answer.set(Answer::Entry(judged.verdict, entries));
        judged.rebuild.map_or(FollowUp::Nothing, |rebuild| {
            FollowUp::Index(Box::new(rebuild))
        })
    }
}
