//! A lookup in a PIN file, and its answer once the file is open.

use std::fs::File;
use std::io;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, MutexGuard, OnceLock};
use std::time::SystemTime;

use pinset::cache::{List, Rebuild, RowReading};
use pinset::list::{FileKind, Format, Mounts, PathWalk};
use pinset::permission::explain;
use pinset::verify::{Answer, Doubt, Entries, FileAnswer, FileQuery, QueryContext};
use pinset::Pin;

use super::cache::{log_report, CACHE};
use crate::asterisk::process;
use crate::sync::lock::lock;
use crate::sync::oneshot::Oneshot;

/// The kind of a lookup.
#[derive(Clone)]
pub(crate) enum LookupKind {
    /// Whether a PIN is in a PIN file of this format.
    Lines(Format),
    /// The query of a PIN set.
    PinSet(Arc<FileQuery>),
}

impl LookupKind {
    /// Returns the folder that the PIN file must be below, if there is one.
    fn folder(&self) -> Option<&Path> {
        match self {
            Self::Lines(_) => None,
            Self::PinSet(query) => query.set.confined_to.as_deref(),
        }
    }
}

/// A lookup, until it is answered or canceled.
pub(super) struct Lookup {
    pub path: PathBuf,
    kind: LookupKind,
    pin: Pin,
    /// The progress of the workers in opening the path.
    walk: Mutex<PathWalk>,
    /// How much memory all PIN files may take, in bytes.
    limit: u64,
    /// The format of the file, once it is open.
    format: OnceLock<FileKind>,
    pub answer: Oneshot<Answer>,
}

/// Work that is left after a lookup.
pub(super) enum FollowUp {
    /// Nothing.
    Nothing,
    /// It is answered, and an index is still to be built.
    Index(Box<Rebuild>),
    /// It is answered by rows that are still to be read.
    Rows(Box<RowReading>),
}

impl Lookup {
    pub(super) fn new(
        path: &Path,
        kind: LookupKind,
        pin: &Pin,
        limit: u64,
        mounts: &Mounts,
    ) -> Self {
        Self {
            path: path.to_owned(),
            walk: Mutex::new(PathWalk::new(path, kind.folder(), mounts)),
            kind,
            pin: pin.clone(),
            limit,
            format: OnceLock::new(),
            answer: Oneshot::new(),
        }
    }

    pub(super) fn walk(&self) -> MutexGuard<'_, PathWalk> {
        lock(&self.walk)
    }

    /// Returns whether one reading of a PIN file answers both: what PIN sets need of
    /// the same file, read by the same rules.
    pub(super) fn shares_reading_with(&self, other: &Self) -> bool {
        match (&self.kind, &other.kind) {
            (LookupKind::PinSet(one), LookupKind::PinSet(two)) => {
                self.path == other.path
                    && Arc::ptr_eq(&one.rules, &two.rules)
                    && one.set.format == two.set.format
                    && one.set.identify == two.set.identify
                    && one.set.confined_to == two.set.confined_to
            }
            _ => false,
        }
    }

    /// Returns the format of the file, once it is open.
    pub(super) fn format(&self) -> Option<FileKind> {
        self.format.get().copied()
    }

    /// Returns why its PIN set can't use this answer.
    pub(super) fn objection(&self, answer: &Answer) -> Option<String> {
        match &self.kind {
            LookupKind::PinSet(query) => query.objection(answer),
            LookupKind::Lines(_) => None,
        }
    }

    /// Returns why its PIN set may admit nobody by this answer.
    pub(super) fn doubts(&self, answer: &Answer) -> Vec<Doubt> {
        match &self.kind {
            LookupKind::PinSet(query) => query.doubts(answer),
            LookupKind::Lines(_) => Vec::new(),
        }
    }

    /// Returns why its PIN set can't use a PIN file of this format.
    pub(super) fn format_objection(&self, format: FileKind) -> Option<String> {
        match &self.kind {
            LookupKind::PinSet(query) => query.set.kind_objection(format),
            LookupKind::Lines(_) => None,
        }
    }

    /// Returns whether its answer may be rows.
    pub(super) fn wants_rows(&self) -> bool {
        matches!(self.kind, LookupKind::PinSet(_))
    }

    /// Answers from the opened file, as far as that can be done at once.
    pub(super) fn answer_from(&self, file: io::Result<File>, now: SystemTime) -> FollowUp {
        let file = file.map_err(|error| explain(error, &self.path, &process::account()));
        let query = match &self.kind {
            LookupKind::Lines(format) => return self.answer_from_lines(*format, file, now),
            LookupKind::PinSet(query) => query,
        };
        let context = QueryContext {
            cache: &CACHE,
            path: &self.path,
            pin: &self.pin,
            now,
        };
        let examined = match query.examine(&context, file) {
            Ok(examined) => examined,
            Err(why) => {
                self.answer.set(Answer::Refused(why.to_string()));
                return FollowUp::Nothing;
            }
        };
        // Set once: the file of a lookup is opened once.
        let _ = self.format.set(examined.1);
        match query.read(&context, examined, self.limit, log_report) {
            FileAnswer::Answered(answer, rebuild) => {
                self.answer.set(answer);
                rebuild.map_or(FollowUp::Nothing, FollowUp::Index)
            }
            FileAnswer::Unread(reading) => FollowUp::Rows(reading),
        }
    }

    fn answer_from_lines(
        &self,
        format: Format,
        file: io::Result<File>,
        now: SystemTime,
    ) -> FollowUp {
        let path = self.path.clone();
        let judged = CACHE.verify(&List { path, format }, file, &self.pin, self.limit, now);
        judged.reports.iter().for_each(log_report);
        let entries = Entries::Lines(format);
        self.answer.set(Answer::Entry(judged.verdict, entries));
        judged.rebuild.map_or(FollowUp::Nothing, |rebuild| {
            FollowUp::Index(Box::new(rebuild))
        })
    }
}
