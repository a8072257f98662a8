//! A question to a list, and how it is answered once the file is open.

use std::fs::File;
use std::io;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::SystemTime;

use pinset::list::{Format, Kind, List, Mounts, Rebuild, RowAnswer, RowReading, Rules, Stamp, Way};
use pinset::settings::Identify;
use pinset::{Pin, PinSet};

use super::{log_report, row_list, Answer, CACHE};
use crate::patience::Promise;

/// What is asked of a list.
#[derive(Clone)]
pub enum About {
    /// Whether an entry is in it; its lines are of this format.
    Entry(Format),
    /// What a PIN set needs.
    PinSet(Arc<Wanted>),
}

/// What a PIN set needs of its list.
pub struct Wanted {
    /// Its options.
    pub set: Arc<PinSet>,
    /// What the values of rows mean.
    pub rules: Arc<Rules>,
}

impl Wanted {
    /// Whether a list of this kind is asked for entries alone, and of which
    /// format; `None`: for rows.
    pub fn entries(&self, kind: Kind) -> Option<Format> {
        match kind {
            Kind::Lines(format) if self.set.identify == Identify::Pin => Some(format),
            Kind::Lines(_) | Kind::Csv => None,
        }
    }

    /// What the list is; or why it can't be the list of this PIN set.
    fn examine(&self, path: &Path, file: &File, now: SystemTime) -> Result<Kind, String> {
        let about = file.metadata().map_err(|error| error.to_string())?;
        if Stamp::of(&about).is_world_writable() {
            return Err(format!(
                "'{}' can be written to by everybody on this machine: chmod o-w takes that away",
                path.display()
            ));
        }
        let kind = match self.set.format {
            Some(kind) => kind,
            None => {
                let kind = CACHE.sniff(path, file, now);
                kind.map_err(|error| unreadable(path, &error))?
            }
        };
        match self.set.conflicts_with(kind).first() {
            Some(conflict) => Err(format!("'{}' can't be used: {conflict}", path.display())),
            None => Ok(kind),
        }
    }
}

fn unreadable(path: &Path, error: &io::Error) -> String {
    format!("'{}' can't be read: {error}", path.display())
}

/// A question, until it is answered or withdrawn.
pub struct Question {
    pub path: PathBuf,
    about: About,
    pin: Pin,
    /// How far the worker is on its way to the file.
    way: Mutex<Way>,
    /// What the lists may take of memory, in bytes.
    limit: u64,
    /// The file is open, and it is what is needed.
    examined: AtomicBool,
    pub answer: Promise<Answer>,
}

/// What is left to be done once a question has been attended to.
pub enum Left {
    /// Nothing.
    Nothing,
    /// It is answered, and an index is still to be made.
    Index(Box<Rebuild>),
    /// Its answer are rows that are still to be read.
    Rows(Box<RowReading>),
}

impl Question {
    pub fn new(path: &Path, about: About, pin: &Pin, limit: u64, mounts: &Mounts) -> Self {
        Self {
            path: path.to_owned(),
            about,
            pin: pin.clone(),
            way: Mutex::new(Way::new(path, mounts)),
            limit,
            examined: AtomicBool::new(false),
            answer: Promise::new(),
        }
    }

    pub fn way(&self) -> MutexGuard<'_, Way> {
        self.way.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Whether one reading of a list answers both: what a PIN set needs of the
    /// same list, read by the same rules.
    pub fn is_like(&self, other: &Self) -> bool {
        match (&self.about, &other.about) {
            (About::PinSet(one), About::PinSet(two)) => {
                self.path == other.path
                    && Arc::ptr_eq(&one.rules, &two.rules)
                    && one.set.format == two.set.format
                    && one.set.identify == two.set.identify
            }
            _ => false,
        }
    }

    /// Whether the list is there and can be the list of its PIN set.
    pub fn is_examined(&self) -> bool {
        self.examined.load(Ordering::Relaxed)
    }

    /// Whether its answer may be rows.
    pub fn is_about_rows(&self) -> bool {
        matches!(self.about, About::PinSet(_))
    }

    /// Answers by what is in the file, as far as that can be done at once.
    pub fn attend(&self, file: io::Result<File>, now: SystemTime) -> Left {
        let wanted = match &self.about {
            About::Entry(format) => return self.judge(*format, file, now),
            About::PinSet(wanted) => wanted,
        };
        let examined = match file {
            Err(error) => Err(unreadable(&self.path, &error)),
            Ok(file) => wanted
                .examine(&self.path, &file, now)
                .map(|kind| (file, kind)),
        };
        let (file, kind) = match examined {
            Ok(examined) => examined,
            Err(why) => return self.refuse(why),
        };
        self.examined.store(true, Ordering::Relaxed);
        if let Some(format) = wanted.entries(kind) {
            return self.judge(format, Ok(file), now);
        }
        let (list, rules) = (row_list(&self.path, kind), Arc::clone(&wanted.rules));
        match CACHE.read_rows(list, file, rules, self.limit, now) {
            Ok(RowAnswer::Unread(reading)) => Left::Rows(reading),
            Ok(RowAnswer::Known(Ok(rows))) => {
                self.answer.keep(Answer::Rows(rows, kind));
                Left::Nothing
            }
            Ok(RowAnswer::Known(Err(report))) => self.refuse(report.to_string()),
            Err(error) => self.refuse(unreadable(&self.path, &error)),
        }
    }

    fn refuse(&self, why: String) -> Left {
        self.answer.keep(Answer::Refused(why));
        Left::Nothing
    }

    fn judge(&self, format: Format, file: io::Result<File>, now: SystemTime) -> Left {
        let path = self.path.clone();
        let judged = CACHE.judge(&List { path, format }, file, &self.pin, self.limit, now);
        judged.reports.iter().for_each(log_report);
        self.answer.keep(Answer::Verdict(judged.verdict, format));
        judged
            .rebuild
            .map_or(Left::Nothing, |rebuild| Left::Index(Box::new(rebuild)))
    }
}
