//! Verification of entries by the module's code: PIN files, slow hashes, lockouts.

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
use pinset::database::DatabaseError;
use pinset::external::EnteredDigits;
use pinset::list::format::csv::Column;
use pinset::list::{open, Stamp};
use pinset::lockout::{Lock, Lockouts, Standing};
use pinset::verify::{
    Answer, BackEnd, CallOrigin, FileAnswer, FileQuery, LockoutContext, NoChannel, Notice, Outcome,
    QueryContext, RowQuery, ServiceChannel, SharedLockouts, Use, UseError, Verification, Verifier,
    Work,
};
use pinset::{Pepper, Pin, PinSet};
use tokio::sync::oneshot;
use tokio::time::timeout_at;

use crate::common::workers::{BusyError, Workers};
use crate::serve::checks::{CheckError, ServiceChecks, Warnings};
use crate::serve::config::{Config, Service};
use crate::serve::metrics::Metrics;
use crate::serve::state::State;
use crate::serve::stored::AttemptDatabase;

/// Maximum number of threads that verify entries by one PIN file, and of entries that
/// wait for one.
const MAX_FILE_THREADS: usize = 64;
const MAX_WAITING_ENTRIES: usize = 1000;

/// Longest wait of an entry for its hash. A PBX does not wait longer for the answer.
const HASH_TIMEOUT: Duration = Duration::from_secs(10);

const NO_USES: &str = "pinset serve counts no uses: only the module does";
const NO_CONTEXTS: &str = "pinset serve sends calls only where the service's actions send them";

/// Everything that verification needs besides the configuration.
pub(super) struct VerifyResources {
    cache: Cache,
    /// By path.
    files: Mutex<HashMap<PathBuf, Arc<FileThreads>>>,
    /// By name of the service.
    checks: Mutex<HashMap<String, Arc<ServiceChecks>>>,
    hashing: Slots,
}

/// The threads that verify entries by one PIN file.
struct FileThreads {
    workers: Arc<Workers>,
    /// The rows that were read last. Locked while rows are read, so that an entry that
    /// needs the same rows waits for them.
    last: Mutex<Option<LoadedRows>>,
}

impl VerifyResources {
    pub(super) fn new() -> Self {
        let processors = available_parallelism().map_or(1, usize::from);
        Self {
            cache: Cache::new(),
            files: Mutex::default(),
            checks: Mutex::default(),
            hashing: Slots {
                free: Mutex::new(processors),
                freed: Condvar::new(),
            },
        }
    }

    fn threads(&self, path: &Path) -> Arc<FileThreads> {
        let mut files = self.files.lock();
        let threads = files.entry(path.to_owned()).or_insert_with(|| {
            Arc::new(FileThreads {
                workers: Arc::new(Workers::new(MAX_FILE_THREADS, MAX_WAITING_ENTRIES)),
                last: Mutex::new(None),
            })
        });
        Arc::clone(threads)
    }

    fn check(&self, service: &str) -> Arc<ServiceChecks> {
        let mut checks = self.checks.lock();
        let check = checks.entry(service.to_owned());
        Arc::clone(check.or_insert_with(|| Arc::new(ServiceChecks::new())))
    }

    /// Drops the threads of PIN files and services that the configuration lacks.
    pub(super) fn retain(&self, config: &Config) {
        let services = || config.services.values();
        self.files
            .lock()
            .retain(|path, _| services().any(|service| list(service) == Some(path.as_path())));
        self.checks
            .lock()
            .retain(|name, _| services().any(|service| service.name == *name));
    }
}

/// Returns the key of the threads that verify entries of a service.
fn list(service: &Service) -> Option<&Path> {
    match &service.set.source {
        Some(Source::File(path)) => Some(path),
        Some(Source::Database(_)) => Some(Path::new(DATABASE)),
        _ => None,
    }
}

/// Stands for the database where threads are kept by path: no PIN file has it, as theirs
/// are absolute.
const DATABASE: &str = "database";

/// Rows that were read.
struct LoadedRows {
    began: Instant,
    list: RowList,
    rules: Weak<Rules>,
    rows: Weak<Rows>,
}

/// A semaphore: a limited number of threads run at once, the others wait.
struct Slots {
    free: Mutex<usize>,
    freed: Condvar,
}

impl Slots {
    /// Runs `what` when a slot is free. Returns `None` if none was free in time.
    fn with<T>(&self, what: impl FnOnce() -> T) -> Option<T> {
        let mut free = self.free.lock();
        let late = self
            .freed
            .wait_while_for(&mut free, |free| *free == 0, HASH_TIMEOUT);
        if late.timed_out() && *free == 0 {
            return None;
        }
        *free -= 1;
        drop(free);
        let _slot = Slot(self);
        Some(what())
    }
}

/// A taken slot. Dropping it, even during a panic, frees the slot.
struct Slot<'a>(&'a Slots);

impl Drop for Slot<'_> {
    fn drop(&mut self) {
        *self.0.free.lock() += 1;
        self.0.freed.notify_one();
    }
}

/// The means by which PIN files are read.
#[derive(Clone)]
pub(super) struct PinFiles {
    pub config: Arc<Config>,
    pub resources: Arc<VerifyResources>,
    pub metrics: Arc<Metrics>,
}

/// An attempt of a caller, and everything that it is verified by.
#[derive(Clone)]
pub(super) struct Attempt {
    pub pin_files: PinFiles,
    pub service: Arc<Service>,
    pub state: Arc<State>,
    /// The caller number, in any spelling.
    pub caller: Option<String>,
    /// Set once the PIN file has been read: the time for the rest is bounded.
    pub file_read: Arc<AtomicBool>,
    /// When a database is not waited for any more.
    pub until: Instant,
}

/// The identity of a caller before anything is entered.
pub(super) struct CallerState {
    /// The caller matches no row, whatever is entered.
    pub refuses: bool,
    pub asks_account: bool,
    /// The normalized caller number; empty if there is none.
    pub number: String,
}

/// The result of an attempt.
pub(super) struct Verified {
    pub outcome: Outcome,
    /// The account of the PIN; empty if it is unknown.
    pub account: Vec<u8>,
}

impl Attempt {
    fn verifier<'a>(
        &'a self,
        database: Option<&'a AttemptDatabase>,
    ) -> Verifier<AttemptSource<'a>, AttemptContext<'a>> {
        let service = &self.service;
        // All callers of a service share one endpoint: the service itself.
        let channel = format!("{}-0", service.name);
        let calling = CallOrigin {
            number: self.caller.as_deref().map(str::as_bytes),
            channel: &channel,
        };
        let trail = AttemptContext {
            attempt: self,
            database,
            account: RefCell::default(),
        };
        let source = AttemptSource {
            attempt: self,
            database,
        };
        // The name by which PBXs have the lockouts of the same PIN set.
        let name = self.stored_name().unwrap_or(&service.name);
        let set = Arc::clone(&service.set);
        let numbering = &self.pin_files.config.settings.numbering;
        Verifier::new(name, set, calling, numbering, source, trail)
    }

    /// Returns the name of its PIN set in the database.
    fn stored_name(&self) -> Option<&str> {
        match &self.service.set.source {
            Some(Source::Database(Some(name))) => Some(name),
            _ => None,
        }
    }

    /// Returns what it asks the database by, if its PIN set is there.
    fn database(&self) -> Option<AttemptDatabase> {
        self.stored_name()?;
        let left = self.until.saturating_duration_since(Instant::now());
        let workers = Arc::clone(&self.threads().workers);
        self.pin_files.database(left, workers)
    }

    fn threads(&self) -> Arc<FileThreads> {
        let path = list(&self.service).unwrap_or(Path::new(""));
        self.pin_files.resources.threads(path)
    }

    /// Returns who calls, before anything is entered.
    pub(super) fn caller_state(&self) -> CallerState {
        let verifier = self.verifier(None);
        let caller = verifier.counter().caller();
        CallerState {
            refuses: verifier.refuses(),
            asks_account: verifier.asks_account(),
            number: caller.number().unwrap_or_default().to_owned(),
        }
    }

    /// Returns what the caller may do, by the lockouts alone. Those in a database are
    /// looked up on a thread of it.
    pub(super) async fn standing(&self) -> Standing {
        if self.stored_name().is_none() {
            return self.standing_blocking();
        }
        let attempt = self.clone();
        let look = self
            .threads()
            .workers
            .run(move || attempt.standing_blocking());
        let why = match look {
            Ok(standing) => match timeout_at(self.until.into(), standing).await {
                Ok(standing) => return standing.unwrap_or(Standing::Unknown),
                Err(_) => "the database did not respond in time",
            },
            Err(BusyError) => "too many calls wait for the database",
        };
        let name = &self.service.name;
        let why = format!("service '{name}': call rejected: {why}");
        self.pin_files.metrics.warn(&why);
        Standing::Unknown
    }

    fn standing_blocking(&self) -> Standing {
        let database = self.database();
        let verifier = self.verifier(database.as_ref());
        verifier.counter().look(&mut NoChannel)
    }

    /// Verifies an entry on a thread of its PIN file.
    ///
    /// # Errors
    ///
    /// Fails if too many entries wait for that file.
    pub(super) fn verify(
        self,
        account: Option<EnteredDigits>,
        pin: EnteredDigits,
    ) -> Result<oneshot::Receiver<Verified>, BusyError> {
        let threads = self.threads();
        let work = move || self.verify_blocking(account.as_ref(), &pin);
        threads.workers.run(work)
    }

    /// Verifies an entry. Blocks on the disk and for hashes.
    fn verify_blocking(&self, account: Option<&EnteredDigits>, pin: &EnteredDigits) -> Verified {
        let database = self.database();
        let mut verifier = self.verifier(database.as_ref());
        let account = account.map(EnteredDigits::as_str).unwrap_or_default();
        let mut entry = Pin::new();
        // An entry that is too long is the PIN of nobody.
        pin.as_str().bytes().for_each(|key| entry.push(key));
        let fits = pin.as_str().len() == entry.len();
        let outcome = verifier.outcome(&mut NoChannel, account.as_bytes(), fits.then_some(&entry));
        let account = verifier.counter().keeper().account.take();
        Verified { outcome, account }
    }
}

/// The lockouts of an attempt, and the account that it identifies.
struct AttemptContext<'a> {
    attempt: &'a Attempt,
    /// The database with the lockouts, if they are not those of [`State`].
    database: Option<&'a AttemptDatabase>,
    account: RefCell<Vec<u8>>,
}

impl LockoutContext for AttemptContext<'_> {
    fn lockouts<T>(&self, what: impl FnOnce(&mut Lockouts, Duration) -> T) -> T {
        self.attempt.state.lockouts(what)
    }

    fn changed(&self) {
        self.attempt.state.changed();
    }

    fn shared(&self) -> Option<&dyn SharedLockouts> {
        let database: &AttemptDatabase = self.database?;
        Some(database)
    }

    fn locked(&self, lock: Lock, _: Option<Duration>) {
        self.attempt
            .pin_files
            .metrics
            .locked(&self.attempt.service.name, lock.kind);
    }

    fn identified(&self, account: &[u8]) {
        *self.account.borrow_mut() = account.to_vec();
    }

    fn notice(&self, notice: &Notice<'_>) {
        self.attempt.pin_files.metrics.warn(notice);
    }
}

/// The PIN set of an attempt.
struct AttemptSource<'a> {
    attempt: &'a Attempt,
    database: Option<&'a AttemptDatabase>,
}

impl BackEnd for AttemptSource<'_> {
    fn ask<H: ServiceChannel>(
        &self,
        _: &mut H,
        _: &str,
        set: &Arc<PinSet>,
        query: &RowQuery<'_>,
        pin: &Pin,
    ) -> Option<Answer> {
        let Attempt {
            pin_files,
            file_read,
            ..
        } = self.attempt;
        let answer = match &set.source {
            Some(Source::File(path)) => pin_files.file(path, set, pin),
            Some(Source::Database(Some(name))) => match self.database {
                Some(database) => database.look_up(name, query, pin, self.pepper()),
                None => Answer::Refused(DatabaseError::Unusable.to_string()),
            },
            _ => Answer::Refused(CheckError::NotAFile.to_string()),
        };
        file_read.store(true, Relaxed);
        Some(answer)
    }

    fn run_work<H: ServiceChannel>(&self, _: &mut H, work: Work) -> Verification {
        let hashing = &self.attempt.pin_files.resources.hashing;
        let carried_out = hashing.with(|| work.carry_out(|| false));
        match carried_out.flatten() {
            Some(hashed) => Verification::Done(hashed),
            None => Verification::Late("too many hashes wait to be computed".to_owned()),
        }
    }

    fn take<H: ServiceChannel>(&self, _: &mut H, what: Use<'_>) -> Option<Result<bool, UseError>> {
        match (what, self.database) {
            (
                Use::Stored {
                    id,
                    secret,
                    limit,
                    clock,
                    ..
                },
                Some(database),
            ) => database.take((id, secret), limit, clock),
            _ => Some(Err(UseError::Unsupported(NO_USES))),
        }
    }

    fn is_time(&self, _: &Times) -> bool {
        false
    }

    fn pepper(&self) -> &Pepper {
        &self.attempt.pin_files.config.pepper
    }
}

impl PinFiles {
    /// Returns the answer of a PIN file, or a refusal if it has columns that only the
    /// module supports.
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

    /// Returns what the database is asked by, for as long as `timeout`.
    fn database(&self, timeout: Duration, workers: Arc<Workers>) -> Option<AttemptDatabase> {
        let pool = self.config.database.as_ref()?;
        let (pool, metrics) = (Arc::clone(pool), Arc::clone(&self.metrics));
        Some(AttemptDatabase::new(pool, timeout, workers, metrics))
    }

    /// Returns the answer of a PIN file, from memory if the file has not changed.
    fn read(&self, path: &Path, set: &Arc<PinSet>, pin: &Pin) -> Answer {
        let came = Instant::now();
        let wanted = FileQuery {
            set: Arc::clone(set),
            rules: Arc::clone(&self.config.rules),
        };
        let hear = |report: &Report| self.metrics.warn(report);
        let asking = QueryContext {
            cache: &self.resources.cache,
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
            Err(why) => return Answer::Refused(why.to_string()),
        };
        let limit = self.config.settings.max_list_memory;
        let threads = self.resources.threads(path);
        match wanted.read(&asking, examined, limit, hear) {
            FileAnswer::Answered(answer, rebuild) => {
                if let Some(rebuild) = rebuild {
                    let pin_files = self.clone();
                    // If the queue is full, a later entry starts the rebuild.
                    let _ = threads.workers.spawn(move || pin_files.index(rebuild));
                }
                answer
            }
            FileAnswer::Unread(reading) => self.rows(&threads, reading, came),
        }
    }

    /// Reads the rows of a PIN file, or takes those that another thread began to read
    /// after this entry `came`.
    fn rows(&self, threads: &FileThreads, mut reading: Box<RowReading>, came: Instant) -> Answer {
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
            if let RowProgress::Over(rows, reports) = reading.step(&self.resources.cache) {
                break (rows, reports);
            }
        };
        reports.iter().for_each(|report| self.metrics.warn(report));
        *last = rows.as_ref().ok().map(|rows| LoadedRows {
            began,
            list: list.clone(),
            rules: Arc::downgrade(&self.config.rules),
            rows: Arc::downgrade(rows),
        });
        Answer::of_rows(&rows, list.kind)
    }

    /// Builds the index of a long PIN file.
    fn index(&self, mut rebuild: Box<Rebuild>) {
        loop {
            if let Progress::Over(reports) = rebuild.step(&self.resources.cache) {
                reports.iter().for_each(|report| self.metrics.warn(report));
                return;
            }
        }
    }
}

impl PinFiles {
    /// Checks whether the PIN file of a service can be used. Concurrent callers share
    /// one check.
    ///
    /// # Errors
    ///
    /// Fails if it can't be used.
    pub(super) async fn health(self, service: Arc<Service>) -> Result<Warnings, CheckError> {
        let check = self.resources.check(&service.name);
        let config = Arc::clone(&self.config);
        let read = move |service: &Service| self.check(service);
        check.result(&config, service, read).await
    }

    /// Checks whether the PIN file of a service can be used as it is now, and returns
    /// warnings about it. Blocks on the disk.
    ///
    /// # Errors
    ///
    /// Fails if it can't be used.
    pub(super) fn check(&self, service: &Service) -> Result<Warnings, CheckError> {
        let path = match &service.set.source {
            Some(Source::File(path)) => path,
            Some(Source::Database(Some(name))) => {
                let workers = Arc::clone(&self.resources.threads(Path::new(DATABASE)).workers);
                let timeout = self.config.settings.source_timeout;
                let Some(database) = self.database(timeout, workers) else {
                    return Err(CheckError::Unusable(DatabaseError::Unusable.to_string()));
                };
                // An empty PIN finds no row, so this is whether the database answers.
                let (query, pepper) = (RowQuery::Anybody, &self.config.pepper);
                return match database.look_up(name, &query, &Pin::new(), pepper) {
                    Answer::Refused(why) => Err(CheckError::Unusable(why)),
                    _ => Ok(Warnings::new()),
                };
            }
            _ => return Err(CheckError::NotAFile),
        };
        // An empty PIN is looked up nowhere.
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
