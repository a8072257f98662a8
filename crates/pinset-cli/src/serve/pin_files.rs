//! The PIN files of services: answers from memory, from the disk, and checks.

use std::collections::HashMap;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Weak};
use std::thread::available_parallelism;
use std::time::{Duration, Instant, SystemTime};

use parking_lot::Mutex;
use pinset::cache::{Cache, Progress, Rebuild, Report, RowList, RowProgress, RowReading, Rules};
use pinset::config::Source;
use pinset::credential::table::Rows;
use pinset::database::DatabaseError;
use pinset::list::format::csv::Column;
use pinset::list::open::cached_stat;
use pinset::list::{open, MountTable, Stamp};
use pinset::verify::{Answer, FileAnswer, FileQuery, QueryContext, RowQuery};
use pinset::{Pin, PinSet};

use crate::common::workers::Workers;
use crate::serve::checks::{CheckError, ServiceChecks, Warnings};
use crate::serve::config::{Config, Service};
use crate::serve::metrics::Metrics;
use crate::serve::slots::Slots;
use crate::serve::stored::AttemptDatabase;

/// Maximum number of threads that verify entries by one PIN file, and of entries that
/// wait for one.
const MAX_FILE_THREADS: usize = 64;
const MAX_WAITING_ENTRIES: usize = 1000;

pub(super) const NO_USES: &str = "pinset serve counts no uses: only the module does";
const NO_CONTEXTS: &str = "pinset serve sends calls only where the service's actions send them";

/// Everything that verification needs besides the configuration.
pub(super) struct VerifyResources {
    cache: Cache,
    mounts: MountTable,
    /// By path.
    files: Mutex<HashMap<PathBuf, Arc<FileThreads>>>,
    /// By name of the service.
    checks: Mutex<HashMap<String, Arc<ServiceChecks>>>,
    pub hashing: Slots,
}

/// The threads that verify entries by one PIN file.
pub(super) struct FileThreads {
    pub workers: Arc<Workers>,
    /// The rows that were read last. Locked while rows are read, so that an entry that
    /// needs the same rows waits for them.
    last: Mutex<Option<LoadedRows>>,
}

impl VerifyResources {
    pub(super) fn new() -> Self {
        let processors = available_parallelism().map_or(1, usize::from);
        Self {
            cache: Cache::new(),
            mounts: MountTable::new(),
            files: Mutex::default(),
            checks: Mutex::default(),
            hashing: Slots::new(processors),
        }
    }

    pub(super) fn threads(&self, path: &Path) -> Arc<FileThreads> {
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
pub(super) fn list(service: &Service) -> Option<&Path> {
    match &service.set.source {
        Some(Source::File(path)) => Some(path),
        Some(Source::Database(_)) => Some(Path::new(DATABASE)),
        _ => None,
    }
}

/// Stands for the database where threads are kept by path: no PIN file has it, as theirs
/// are absolute.
const DATABASE: &str = "database";

/// The means by which PIN files are read.
#[derive(Clone)]
pub(super) struct PinFiles {
    pub config: Arc<Config>,
    pub resources: Arc<VerifyResources>,
    pub metrics: Arc<Metrics>,
}

/// Rows that were read.
struct LoadedRows {
    began: Instant,
    list: RowList,
    rules: Weak<Rules>,
    rows: Weak<Rows>,
}

impl PinFiles {
    /// Returns the answer of a PIN file.
    pub(super) fn file(&self, path: &Path, set: &Arc<PinSet>, pin: &Pin) -> Answer {
        usable(path, self.read(path, set, pin))
    }

    /// Returns the answer of a PIN file that has not changed since it was read, if no entry
    /// takes long to verify by it. Neither waits for a disk.
    pub(super) fn at_once(&self, set: &Arc<PinSet>, pin: &Pin) -> Option<Answer> {
        let Some(Source::File(path)) = &set.source else {
            return None;
        };
        let mounts = self.resources.mounts.current();
        let stamp = cached_stat::stamp(path, mounts.local(path)?)?;
        let answer = self.known(path, set, pin, stamp)?;
        let is_fast = match &answer {
            Answer::Rows(rows, _) => rows.argon2id() == 0,
            answer => matches!(answer, Answer::Entry(..)),
        };
        is_fast.then(|| usable(path, answer))
    }

    /// Returns what the database is asked by, for as long as `timeout`.
    pub(super) fn database(
        &self,
        timeout: Duration,
        workers: Arc<Workers>,
    ) -> Option<AttemptDatabase> {
        let pool = self.config.database.as_ref()?;
        let (pool, metrics) = (Arc::clone(pool), Arc::clone(&self.metrics));
        Some(AttemptDatabase::new(pool, timeout, workers, metrics))
    }

    /// Returns what memory says, if the file has this stamp and was read with it.
    fn known(&self, path: &Path, set: &Arc<PinSet>, pin: &Pin, stamp: Stamp) -> Option<Answer> {
        let (wanted, asking) = self.query(path, set, pin);
        wanted.known(&asking, stamp, |report| self.metrics.warn(report))
    }

    fn query<'a>(
        &'a self,
        path: &'a Path,
        set: &Arc<PinSet>,
        pin: &'a Pin,
    ) -> (FileQuery, QueryContext<'a>) {
        let query = FileQuery {
            set: Arc::clone(set),
            rules: Arc::clone(&self.config.rules),
        };
        let context = QueryContext {
            cache: &self.resources.cache,
            path,
            pin,
            now: SystemTime::now(),
        };
        (query, context)
    }

    /// Returns the answer of a PIN file, from memory if the file has not changed.
    fn read(&self, path: &Path, set: &Arc<PinSet>, pin: &Pin) -> Answer {
        let came = Instant::now();
        let about = std::fs::metadata(path);
        let known = about.ok().map(|about| Stamp::of(&about));
        if let Some(answer) = known.and_then(|stamp| self.known(path, set, pin, stamp)) {
            return answer;
        }
        let (wanted, asking) = self.query(path, set, pin);
        let hear = |report: &Report| self.metrics.warn(report);
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

/// Returns an answer of a PIN file, or a refusal if it has columns that only the module
/// supports.
fn usable(path: &Path, answer: Answer) -> Answer {
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

#[cfg(test)]
mod tests {
    use std::fs;

    use super::*;

    const ARGON2ID: &str = "\"$argon2id$v=19$m=8,t=1,p=1$c2FsdHNhbHQ\
                            $0T8Xv9HzSgy6rOF4gFCBxE5T96ltUdQKB791KA9XTaQ\"";

    /// Slow hashes would keep other requests waiting.
    #[test]
    fn rows_with_slow_hashes_are_not_verified_at_once() {
        let folder = tempfile::tempdir().expect("a folder");
        let path = |name: &str| folder.path().join(name);
        let lists = [("fast", "1234"), ("slow", ARGON2ID)];
        let mut toml = format!("state = {:?}\n", path("state.db"));
        for (name, secret) in lists {
            let row = format!("account,secret,caller\none,{secret},+905060508161\n");
            fs::write(path(name), row).expect("a list");
            toml.push_str(&format!(
                "[service.{name}]\npath = \"/{name}\"\nlist = {:?}\n\
                 success = [{{ connect = \"1\" }}]\nfailure = [{{ connect = \"2\" }}]\n\
                 gather.ask = \"https://example.com/a.mp3\"\n",
                path(name)
            ));
        }
        fs::write(path("serve.toml"), toml).expect("a configuration");
        let config = Config::read(&path("serve.toml"), None).expect("a valid configuration");
        let pin_files = PinFiles {
            config: Arc::new(config),
            resources: Arc::new(VerifyResources::new()),
            metrics: Arc::new(Metrics::new()),
        };
        let pin = Pin::parse(b"1234").expect("a PIN");
        let [fast, slow] = lists.map(|(name, _)| {
            let mut services = pin_files.config.services.values();
            let service = services.find(|service| service.name == name);
            Arc::clone(&service.expect("a service").set)
        });
        // A change within the last two seconds may not be visible in the stamp.
        let began = Instant::now();
        while pin_files.at_once(&fast, &pin).is_none() {
            assert!(began.elapsed() < Duration::from_secs(60), "never known");
            for set in [&fast, &slow] {
                let Some(Source::File(path)) = &set.source else {
                    panic!("a file");
                };
                pin_files.file(path, set, &pin);
            }
            std::thread::sleep(Duration::from_millis(20));
        }
        let stamp = Stamp::of(&fs::metadata(path("slow")).expect("a list"));
        assert!(pin_files.known(&path("slow"), &slow, &pin, stamp).is_some());
        assert!(pin_files.at_once(&slow, &pin).is_none());
    }
}
