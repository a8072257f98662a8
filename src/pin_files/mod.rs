//! Lookups in PIN files, for a call.
//!
//! A file system may hang, and a channel's thread must not hang with it. So that thread
//! looks only into memory: into the cache, if what the kernel knows of the file shows
//! that the cache is current. Any other lookup goes to the worker of a file system.

mod cache;
mod device_worker;
mod lookup;

use std::ffi::OsStr;
use std::os::unix::ffi::OsStrExt;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::{Duration, Instant, SystemTime};

use pinset::cache::{List, Recalled};
use pinset::list::open::cached_stat;
use pinset::list::{Format, MountTable, Mounts};
use pinset::verify::{Answer, Doubt, Entries, QueryContext, ServiceChannel};
use pinset::{Entry, Pin, PinSource, Settings, Verdict};

use crate::asterisk::call::Call;
use crate::asterisk::log::log;
use crate::sync::oneshot::Awaited;
use cache::{log_report, CACHE};
use lookup::Lookup;

pub(crate) use lookup::LookupKind;

/// The mounts, by which the file system of a PIN file is known.
static MOUNTS: MountTable = MountTable::new();

/// A PIN file as the source of PINs.
pub(crate) struct FileSource {
    path: PathBuf,
    format: Format,
    limits: QueryLimits,
}

/// Limits of a lookup.
#[derive(Clone, Copy)]
pub(crate) struct QueryLimits {
    /// How long a caller waits for it (`source_timeout`).
    pub timeout: Duration,
    /// How much memory all PIN files may take, in bytes (`max_list_memory`).
    pub memory: u64,
}

impl QueryLimits {
    /// Returns the limits that `[general]` sets.
    pub(crate) fn of(settings: &Settings) -> Self {
        Self {
            timeout: settings.source_timeout,
            memory: settings.max_list_memory,
        }
    }
}

impl FileSource {
    /// Returns the PIN file at `path`, which is touched only when a PIN is verified.
    pub(crate) fn new(path: &[u8], format: Format, limits: QueryLimits) -> Self {
        Self {
            path: PathBuf::from(OsStr::from_bytes(path)),
            format,
            limits,
        }
    }
}

impl PinSource<Call<'_>> for FileSource {
    fn verify(&mut self, call: &mut Call<'_>, entry: Entry<'_>) -> Option<Verdict> {
        let kind = LookupKind::Lines(self.format);
        let answer = look_up(call, &self.path, &kind, entry.pin, self.limits)?;
        Some(match answer {
            Answer::Entry(verdict, _) => verdict,
            Answer::Rows(..) | Answer::Family(_) | Answer::Stored(_) => Verdict::Unavailable,
            Answer::Refused(why) => {
                log!(Warning, "'{}' admits nobody: {why}", self.path.display());
                Verdict::Unavailable
            }
        })
    }
}

/// Does a lookup in the PIN file at `path`, while servicing the channel if that takes
/// long. Returns `None` if the caller has hung up.
pub(crate) fn look_up<H: ServiceChannel>(
    host: &mut H,
    path: &Path,
    kind: &LookupKind,
    pin: &Pin,
    limits: QueryLimits,
) -> Option<Answer> {
    let mounts = MOUNTS.current();
    if let Some(answer) = from_memory(path, kind, &mounts, pin) {
        return Some(answer);
    }
    let lookup = submit(path, kind, pin, limits.memory, &mounts);
    match lookup
        .answer
        .wait_while_servicing(host, Instant::now() + limits.timeout)
    {
        Awaited::Value(answer) => Some(answer),
        Awaited::HungUp => {
            device_worker::cancel(&lookup);
            None
        }
        Awaited::Timeout => {
            device_worker::cancel(&lookup);
            Some(Answer::Refused(late(limits.timeout)))
        }
    }
}

/// Result of the check of a PIN set's source.
#[derive(Default)]
pub(crate) struct SourceState {
    /// Why it can't be used.
    pub objection: Option<String>,
    /// Why it may admit nobody.
    pub doubts: Vec<Doubt>,
}

/// Checks whether the PIN files of PIN sets can be read, and are what the PIN sets
/// need. Takes no longer than one lookup may: errors in the rows of a file that takes
/// longer are logged when they are found.
pub(crate) fn check(files: &[(PathBuf, LookupKind)], limits: QueryLimits) -> Vec<SourceState> {
    let timeout = limits.timeout;
    let until = Instant::now() + timeout;
    let mounts = MOUNTS.current();
    let nothing = Pin::new();
    let lookups: Vec<_> = files
        .iter()
        .map(|(path, kind)| submit(path, kind, &nothing, limits.memory, &mounts))
        .collect();
    let answers = lookups.iter().map(|lookup| {
        let left = until.saturating_duration_since(Instant::now());
        match lookup.answer.wait(left) {
            Some(answer) => SourceState {
                objection: lookup.objection(&answer),
                doubts: lookup.doubts(&answer),
            },
            None => SourceState {
                objection: match lookup.format() {
                    Some(format) => lookup.format_objection(format),
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

/// Answers from the cache, if it is current.
fn from_memory(path: &Path, kind: &LookupKind, mounts: &Mounts, pin: &Pin) -> Option<Answer> {
    let now = SystemTime::now();
    let stamp = cached_stat::stamp(path, mounts.local(path)?)?;
    let format = match kind {
        LookupKind::Lines(format) => *format,
        LookupKind::PinSet(query) => {
            let context = QueryContext {
                cache: &CACHE,
                path,
                pin,
                now,
            };
            return query.known(&context, stamp, log_report);
        }
    };
    let path = path.to_owned();
    let judged = CACHE.ask(&List { path, format }, stamp, pin, now)?;
    judged.reports.iter().for_each(log_report);
    Some(Answer::Entry(judged.verdict, Entries::Lines(format)))
}

fn submit(path: &Path, kind: &LookupKind, pin: &Pin, limit: u64, mounts: &Mounts) -> Arc<Lookup> {
    let lookup = Arc::new(Lookup::new(path, kind.clone(), pin, limit, mounts));
    device_worker::submit(&lookup);
    lookup
}

/// Returns what the cache holds of the PIN file at `path`.
pub(crate) fn recall(path: &Path) -> Option<Recalled> {
    CACHE.recall(path)
}

/// Clears the cache: PIN files are read again at their next lookup. No file stays open.
pub(crate) fn clear() {
    CACHE.clear();
    MOUNTS.close();
}
