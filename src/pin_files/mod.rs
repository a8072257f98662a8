//! PIN lists in files, asked on behalf of a call.
//!
//! A file system may hang, and a channel's thread must not hang with it. So it
//! asks memory alone: what is known of the list, if what the kernel knows of the
//! file says that it is current. All else is a question to a `desk`.

mod device_worker;
mod lookup;

use std::ffi::OsStr;
use std::os::unix::ffi::OsStrExt;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::{Duration, Instant, SystemTime};

use pinset::cache::{Cache, List, Recalled, Report};
use pinset::list::{Format, Mounts};
use pinset::verify::{Answer, Doubt, Entries, QueryContext, ServiceChannel};
use pinset::{Entry, Pin, PinSource, Settings, Verdict};

use crate::asterisk::call::Call;
use crate::asterisk::log::{log, log_once};
use crate::linux::{cached_stat, mounts};
use crate::sync::oneshot::Awaited;
use lookup::Question;

pub use lookup::LookupKind;

static CACHE: Cache = Cache::new();

/// A list in a file.
pub struct FileSource {
    path: PathBuf,
    format: Format,
    limits: QueryLimits,
}

/// Limits of a lookup.
#[derive(Clone, Copy)]
pub struct QueryLimits {
    /// How long a caller waits for it (`source_timeout`).
    pub timeout: Duration,
    /// How much memory all PIN files may take, in bytes (`max_list_memory`).
    pub memory: u64,
}

impl QueryLimits {
    /// Returns the limits that `[general]` sets.
    pub fn of(settings: &Settings) -> Self {
        Self {
            timeout: settings.source_timeout,
            memory: settings.max_list_memory,
        }
    }
}

impl FileSource {
    /// Returns the PIN file at `path`, which is touched only when a PIN is verified.
    pub fn new(path: &[u8], format: Format, limits: QueryLimits) -> Self {
        Self {
            path: PathBuf::from(OsStr::from_bytes(path)),
            format,
            limits,
        }
    }
}

impl PinSource<Call<'_>> for FileSource {
    fn judge(&mut self, call: &mut Call<'_>, entry: Entry<'_>) -> Option<Verdict> {
        let kind = LookupKind::Entry(self.format);
        let answer = ask(call, &self.path, &kind, entry.pin, self.limits)?;
        Some(match answer {
            Answer::Entry(verdict, _) => verdict,
            Answer::Rows(..) | Answer::Family(_) => Verdict::Unavailable,
            Answer::Refused(why) => {
                log!(Warning, "'{}' admits nobody: {why}", self.path.display());
                Verdict::Unavailable
            }
        })
    }
}

/// Asks the list at `path`. What takes long looks after the caller meanwhile.
/// `None`: the caller is gone.
pub fn ask<H: ServiceChannel>(
    host: &mut H,
    path: &Path,
    about: &LookupKind,
    pin: &Pin,
    limits: QueryLimits,
) -> Option<Answer> {
    let mounts = mounts::mounts();
    if let Some(answer) = known(path, about, &mounts, pin) {
        return Some(answer);
    }
    let question = put(path, about, pin, limits.memory, &mounts);
    match question
        .answer
        .wait_while_servicing(host, Instant::now() + limits.timeout)
    {
        Awaited::Value(answer) => Some(answer),
        Awaited::HungUp => {
            device_worker::cancel(&question);
            None
        }
        Awaited::Timeout => {
            device_worker::cancel(&question);
            Some(Answer::Refused(late(limits.timeout)))
        }
    }
}

/// What is wrong with the list of a PIN set.
#[derive(Default)]
pub struct Checked {
    /// Why it can't be used.
    pub objection: Option<String>,
    /// Why it may admit nobody.
    pub doubts: Vec<Doubt>,
}

/// Checks whether each of these lists, a PIN set's, can be read, and is what its PIN
/// set needs. Takes no longer than one lookup may: what is wrong with the rows of a
/// list that takes longer is logged when it is found.
pub fn check(lists: &[(PathBuf, LookupKind)], limits: QueryLimits) -> Vec<Checked> {
    let timeout = limits.timeout;
    let until = Instant::now() + timeout;
    let mounts = mounts::mounts();
    let nothing = Pin::new();
    let questions: Vec<_> = lists
        .iter()
        .map(|(path, about)| put(path, about, &nothing, limits.memory, &mounts))
        .collect();
    let answers = questions.iter().map(|question| {
        let left = until.saturating_duration_since(Instant::now());
        match question.answer.wait(left) {
            Some(answer) => Checked {
                objection: question.objection(&answer),
                doubts: question.doubts(&answer),
            },
            None => Checked {
                objection: match question.kind() {
                    Some(kind) => question.kind_objection(kind),
                    None => Some(late(timeout)),
                },
                doubts: Vec::new(),
            },
        }
    });
    answers.collect()
}

fn late(timeout: Duration) -> String {
    let seconds = timeout.as_secs_f64();
    format!("the disk has not answered within {seconds} s")
}

/// What is in memory says, if it is current.
fn known(path: &Path, about: &LookupKind, mounts: &Mounts, pin: &Pin) -> Option<Answer> {
    let now = SystemTime::now();
    let stamp = cached_stat::stamp(path, mounts.local(path)?)?;
    let format = match about {
        LookupKind::Entry(format) => *format,
        LookupKind::PinSet(wanted) => {
            let asking = QueryContext {
                cache: &CACHE,
                path,
                pin,
                now,
            };
            return wanted.known(&asking, stamp, log_report);
        }
    };
    let path = path.to_owned();
    let judged = CACHE.ask(&List { path, format }, stamp, pin, now)?;
    judged.reports.iter().for_each(log_report);
    Some(Answer::Entry(judged.verdict, Entries::Lines(format)))
}

fn put(path: &Path, about: &LookupKind, pin: &Pin, limit: u64, mounts: &Mounts) -> Arc<Question> {
    let question = Arc::new(Question::new(path, about.clone(), pin, limit, mounts));
    device_worker::ask(&question);
    question
}

fn log_report(report: &Report) {
    match report {
        Report::TooLarge(..) => log!(Error, "{report}"),
        Report::WorldWritable(_) | Report::LineEnd(..) => log_once!(Warning, "{report}"),
        _ => log!(Warning, "{report}"),
    }
}

/// What memory holds of the list at `path`.
pub fn recall(path: &Path) -> Option<Recalled> {
    CACHE.recall(path)
}

/// Lets go of all lists: they are read anew when they are asked.
pub fn clear() {
    CACHE.clear();
}
