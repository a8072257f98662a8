//! Entries judged by the module's code: lists from files, slow hashes, lockouts.

use std::cell::RefCell;
use std::collections::HashMap;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicBool, Ordering::Relaxed};
use std::sync::{Arc, Weak};
use std::thread::available_parallelism;
use std::time::{Duration, Instant, SystemTime};

use parking_lot::{Condvar, Mutex};
use pinset::cache::{Cache, Progress, Rebuild, Report, RowList, RowProgress, RowReading, Rules};
use pinset::config::{Source, Times};
use pinset::credential::table::Rows;
use pinset::external::Keyed;
use pinset::list::format::csv::Column;
use pinset::list::{open, Stamp};
use pinset::lockout::{Lock, Lockouts, Standing};
use pinset::verify::{
    Answer, Asked, BackEnd, Calling, FileQuery, LockoutContext, NoChannel, Notice, Outcome,
    QueryContext, ServiceChannel, Use, Verification, Verifier, Work,
};
use pinset::{Pepper, Pin, PinSet};
use tokio::sync::oneshot;

use crate::serve::checks::{Check, CheckError, Warnings};
use crate::serve::config::{Config, Service};
use crate::serve::metrics::Metrics;
use crate::serve::state::State;
use crate::serve::workers::{BusyError, Workers};

/// The most threads that verify entries by one list, and the most entries that
/// wait for one.
const MAX_THREADS: usize = 64;
const MAX_WAITING: usize = 1000;

/// So long an entry waits for its hash: a PBX asks no longer.
const PATIENCE: Duration = Duration::from_secs(10);

const NO_USES: &str = "pinset serve counts no uses: that is the module's";
const NO_CONTEXTS: &str = "pinset serve sends calls where the service's actions say, and nowhere \
                           else";

/// What judging needs beside the configuration.
pub struct Bench {
    cache: Cache,
    /// By their paths.
    lists: Mutex<HashMap<PathBuf, Arc<ListThreads>>>,
    /// By the names of their services.
    checks: Mutex<HashMap<String, Arc<Check>>>,
    hashing: Slots,
}

/// The threads that verify entries by one list.
struct ListThreads {
    workers: Workers,
    /// What was read last. Held by who reads rows: who wants the same ones
    /// waits for them.
    last: Mutex<Option<Read>>,
}

impl Bench {
    pub fn new() -> Self {
        let processors = available_parallelism().map_or(1, usize::from);
        Self {
            cache: Cache::new(),
            lists: Mutex::default(),
            checks: Mutex::default(),
            hashing: Slots {
                free: Mutex::new(processors),
                freed: Condvar::new(),
            },
        }
    }

    fn threads(&self, path: &Path) -> Arc<ListThreads> {
        let mut lists = self.lists.lock();
        let threads = lists.entry(path.to_owned()).or_insert_with(|| {
            Arc::new(ListThreads {
                workers: Workers::new(MAX_THREADS, MAX_WAITING),
                last: Mutex::new(None),
            })
        });
        Arc::clone(threads)
    }

    fn check(&self, service: &str) -> Arc<Check> {
        let mut checks = self.checks.lock();
        let check = checks.entry(service.to_owned());
        Arc::clone(check.or_insert_with(|| Arc::new(Check::new())))
    }

    /// Drops the threads of lists and services that a configuration has no more.
    pub fn keep(&self, config: &Config) {
        let services = || config.services.values();
        self.lists
            .lock()
            .retain(|path, _| services().any(|service| list(service) == Some(path.as_path())));
        self.checks
            .lock()
            .retain(|name, _| services().any(|service| service.name == *name));
    }
}

fn list(service: &Service) -> Option<&Path> {
    match &service.set.source {
        Some(Source::File(path)) => Some(path),
        _ => None,
    }
}

/// Rows that were read.
struct Read {
    began: Instant,
    list: RowList,
    rules: Weak<Rules>,
    rows: Weak<Rows>,
}

/// So many do something at once, the others wait.
struct Slots {
    free: Mutex<usize>,
    freed: Condvar,
}

impl Slots {
    /// Does it when there is a slot; `None`: there was none in time.
    fn with<T>(&self, what: impl FnOnce() -> T) -> Option<T> {
        let mut free = self.free.lock();
        let late = self
            .freed
            .wait_while_for(&mut free, |free| *free == 0, PATIENCE);
        if late.timed_out() && *free == 0 {
            return None;
        }
        *free -= 1;
        drop(free);
        let _slot = Slot(self);
        Some(what())
    }
}

/// A slot that is taken, until it is dropped: also by a panic.
struct Slot<'a>(&'a Slots);

impl Drop for Slot<'_> {
    fn drop(&mut self) {
        *self.0.free.lock() += 1;
        self.0.freed.notify_one();
    }
}

/// What lists are read by.
#[derive(Clone)]
pub struct Lists {
    pub config: Arc<Config>,
    pub bench: Arc<Bench>,
    pub metrics: Arc<Metrics>,
}

/// An entry to be judged, and all that it is judged by.
pub struct Case {
    pub lists: Lists,
    pub service: Arc<Service>,
    pub state: Arc<State>,
    /// The number that calls, however it is spelled.
    pub caller: Option<String>,
    /// Set once the list has said what it knows: what is left is bounded.
    pub listed: Arc<AtomicBool>,
}

/// What is known of a caller before anything is asked.
pub struct Look {
    pub standing: Standing,
    /// The caller can't be anybody in the list, whatever is entered.
    pub refuses: bool,
    pub asks_account: bool,
    /// The caller number in its one spelling; empty if there is none.
    pub number: String,
}

/// What has come of it.
pub struct Judged {
    pub outcome: Outcome,
    /// Whose PIN it was, as far as it is known.
    pub account: Vec<u8>,
}

impl Case {
    fn judge(&self) -> Verifier<&Self, Trail<'_>> {
        let service = &self.service;
        // The endpoint of all its callers is the service itself.
        let channel = format!("{}-0", service.name);
        let calling = Calling {
            number: self.caller.as_deref().map(str::as_bytes),
            channel: &channel,
        };
        let trail = Trail {
            case: self,
            account: RefCell::default(),
        };
        let set = Arc::clone(&service.set);
        let numbering = &self.lists.config.settings.numbering;
        Verifier::new(&service.name, set, calling, numbering, self, trail)
    }

    /// What is known of the caller before anything is asked.
    pub fn look(&self) -> Look {
        let judge = self.judge();
        let caller = judge.counter().caller();
        Look {
            standing: judge.counter().look(),
            refuses: judge.refuses(),
            asks_account: judge.asks_account(),
            number: caller.number().unwrap_or_default().to_owned(),
        }
    }

    /// Verifies an entry on a thread of its list.
    ///
    /// # Errors
    ///
    /// Too many wait for that list.
    pub fn verify(
        self,
        account: Option<Keyed>,
        pin: Keyed,
    ) -> Result<oneshot::Receiver<Judged>, BusyError> {
        let path = list(&self.service).unwrap_or(Path::new(""));
        let threads = self.lists.bench.threads(path);
        let work = move || self.decide(account.as_ref(), &pin);
        threads.workers.run(work)
    }

    /// Judges an entry. It blocks: on the disk, and for hashes.
    fn decide(&self, account: Option<&Keyed>, pin: &Keyed) -> Judged {
        let mut judge = self.judge();
        let account = account.map(Keyed::as_str).unwrap_or_default();
        let mut entry = Pin::new();
        // One key too many makes it one that nobody has.
        pin.as_str().bytes().for_each(|key| entry.push(key));
        let fits = pin.as_str().len() == entry.len();
        let outcome = judge.outcome(&mut NoChannel, account.as_bytes(), fits.then_some(&entry));
        let account = judge.counter().keeper().account.take();
        Judged { outcome, account }
    }
}

/// What becomes known of a call.
struct Trail<'a> {
    case: &'a Case,
    account: RefCell<Vec<u8>>,
}

impl LockoutContext for Trail<'_> {
    fn lockouts<T>(&self, what: impl FnOnce(&mut Lockouts, Duration) -> T) -> T {
        self.case.state.lockouts(what)
    }

    fn changed(&self) {
        self.case.state.changed();
    }

    fn locked(&self, lock: Lock, _: Option<Duration>) {
        self.case
            .lists
            .metrics
            .locked(&self.case.service.name, lock.kind);
    }

    fn identified(&self, account: &[u8]) {
        *self.account.borrow_mut() = account.to_vec();
    }

    fn notice(&self, notice: &Notice<'_>) {
        self.case.lists.metrics.say(notice);
    }
}

impl BackEnd for &Case {
    fn ask<H: ServiceChannel>(&self, _: &mut H, set: &Arc<PinSet>, pin: &Pin) -> Option<Answer> {
        let answer = match &set.source {
            Some(Source::File(path)) => self.lists.file(path, set, pin),
            _ => Answer::Refused(CheckError::NotAFile.to_string()),
        };
        self.listed.store(true, Relaxed);
        Some(answer)
    }

    fn verify<H: ServiceChannel>(&self, _: &mut H, work: Work) -> Verification {
        let carried_out = self.lists.bench.hashing.with(|| work.carry_out(|| false));
        match carried_out.flatten() {
            Some(hashed) => Verification::Done(hashed),
            None => Verification::Late("too many wait for their hash to be computed".to_owned()),
        }
    }

    fn take<H: ServiceChannel>(&self, _: &mut H, _: Use<'_>) -> Option<Result<bool, String>> {
        Some(Err(NO_USES.to_owned()))
    }

    fn is_time(&self, _: &Times) -> bool {
        false
    }

    fn pepper(&self) -> &Pepper {
        &self.lists.config.pepper
    }
}

impl Lists {
    /// What the list says, unless some of it can't be honoured here.
    fn file(&self, path: &Path, set: &Arc<PinSet>, pin: &Pin) -> Answer {
        let answer = self.read(path, set, pin);
        let limited = match &answer {
            Answer::Rows(rows, _) => rows.limited(),
            _ => None,
        };
        let why = |column| match column {
            Column::MaxUses => NO_USES,
            _ => NO_CONTEXTS,
        };
        limited.map_or(answer, |(line, column)| {
            let (path, name, why) = (path.display(), column.name(), why(column));
            Answer::Refused(format!("'{path}', line {line}: {name}: {why}"))
        })
    }

    /// What the list says: from memory, if it is what is on the disk.
    fn read(&self, path: &Path, set: &Arc<PinSet>, pin: &Pin) -> Answer {
        let came = Instant::now();
        let wanted = FileQuery {
            set: Arc::clone(set),
            rules: Arc::clone(&self.config.rules),
        };
        let hear = |report: &Report| self.metrics.say(report);
        let asking = QueryContext {
            cache: &self.bench.cache,
            path,
            pin,
            now: SystemTime::now(),
        };
        let about = std::fs::metadata(path);
        let known = about.ok().map(|about| Stamp::of(&about));
        let known = known.and_then(|stamp| wanted.known(&asking, stamp, hear));
        if let Some(answer) = known {
            return answer;
        }
        let examined = match wanted.examine(&asking, open(path)) {
            Ok(examined) => examined,
            Err(why) => return Answer::Refused(why),
        };
        let limit = self.config.settings.max_list_memory;
        let threads = self.bench.threads(path);
        match wanted.read(&asking, examined, limit, hear) {
            Asked::Answered(answer, rebuild) => {
                if let Some(rebuild) = rebuild {
                    let lists = self.clone();
                    // If too much waits, a later entry has it made.
                    let _ = threads.workers.spawn(move || lists.index(rebuild));
                }
                answer
            }
            Asked::Unread(reading) => self.rows(&threads, reading, came),
        }
    }

    /// Reads the rows of a list, or takes those that another began to read after
    /// this one `came`.
    fn rows(&self, threads: &ListThreads, mut reading: Box<RowReading>, came: Instant) -> Answer {
        let mut last = threads.last.lock();
        let list = reading.list().clone();
        let rules = Arc::as_ptr(&self.config.rules);
        let read = last.as_ref().filter(|read| {
            read.began > came && read.list == list && Weak::as_ptr(&read.rules) == rules
        });
        if let Some(rows) = read.and_then(|read| read.rows.upgrade()) {
            return Answer::Rows(rows, list.kind);
        }
        let began = Instant::now();
        let (rows, reports) = loop {
            if let RowProgress::Over(rows, reports) = reading.step(&self.bench.cache) {
                break (rows, reports);
            }
        };
        reports.iter().for_each(|report| self.metrics.say(report));
        *last = rows.as_ref().ok().map(|rows| Read {
            began,
            list: list.clone(),
            rules: Arc::downgrade(&self.config.rules),
            rows: Arc::downgrade(rows),
        });
        Answer::of_rows(&rows, list.kind)
    }

    /// Makes the index of a long list.
    fn index(&self, mut rebuild: Box<Rebuild>) {
        loop {
            if let Progress::Over(reports) = rebuild.step(&self.bench.cache) {
                reports.iter().for_each(|report| self.metrics.say(report));
                return;
            }
        }
    }
}

impl Lists {
    /// Whether the list of a service can be used, by one check for all who ask.
    ///
    /// # Errors
    ///
    /// Why not.
    pub async fn health(self, service: Arc<Service>) -> Result<Warnings, CheckError> {
        let check = self.bench.check(&service.name);
        let config = Arc::clone(&self.config);
        let read = move |service: &Service| self.check(service);
        check.result(&config, service, read).await
    }

    /// Whether the list of a service can be used as it is now: if so, returns
    /// warnings about it. It blocks.
    ///
    /// # Errors
    ///
    /// Why not.
    pub fn check(&self, service: &Service) -> Result<Warnings, CheckError> {
        let Some(Source::File(path)) = &service.set.source else {
            return Err(CheckError::NotAFile);
        };
        // Nobody's PIN: an empty one is looked up nowhere.
        let answer = self.file(path, &service.set, &Pin::new());
        let has_key = &|key| self.config.rules.has_key(key);
        match service.set.objection(&answer, has_key) {
            Some(why) => Err(CheckError::Unusable(why)),
            None => Ok(match answer {
                Answer::Rows(rows, _) => {
                    let numbering = &self.config.rules.numbering;
                    let doubts = service.set.doubts(&rows.profile(), numbering);
                    let unchecked = rows.unchecked(has_key).map(ToString::to_string);
                    let doubts = doubts.iter().map(ToString::to_string);
                    unchecked.chain(doubts).collect()
                }
                _ => Warnings::new(),
            }),
        }
    }
}
