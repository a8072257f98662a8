//! Verification of entries by the module's code: PIN files, slow hashes, lockouts.

use std::cell::RefCell;
use std::path::Path;
use std::sync::atomic::{AtomicBool, Ordering::Relaxed};
use std::sync::Arc;
use std::time::{Duration, Instant};

use pinset::config::{Source, Times};
use pinset::database::DatabaseError;
use pinset::external::EnteredDigits;
use pinset::lockout::{Lock, Lockouts, Standing};
use pinset::verify::{
    Answer, BackEnd, CallOrigin, LockoutContext, NoChannel, Notice, Outcome, RowQuery,
    ServiceChannel, SharedLockouts, Use, UseError, Verification, Verifier, Work,
};
use pinset::{Pepper, Pin, PinSet};
use tokio::sync::oneshot;
use tokio::time::timeout_at;

use crate::common::workers::BusyError;
use crate::serve::checks::CheckError;
use crate::serve::config::Service;
use crate::serve::pin_files::{list, FileThreads, PinFiles, NO_USES};
use crate::serve::state::State;
use crate::serve::stored::AttemptDatabase;

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

/// A caller before anything is entered.
pub(super) struct CallerState {
    /// What the caller may do, by the lockouts alone.
    pub standing: Standing,
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
        known: Option<Answer>,
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
            known: RefCell::new(known),
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

    /// Returns who calls, before anything is entered, or `None` if the lockouts are not
    /// known. Those in a database are looked up on a thread of it.
    pub(super) async fn caller_state(&self) -> Option<CallerState> {
        if self.stored_name().is_none() {
            return Some(self.caller_state_blocking());
        }
        let attempt = self.clone();
        let look = self
            .threads()
            .workers
            .run(move || attempt.caller_state_blocking());
        let why = match look {
            Ok(state) => match timeout_at(self.until.into(), state).await {
                Ok(state) => return state.ok(),
                Err(_) => "the database did not respond in time",
            },
            Err(BusyError) => "too many calls wait for the database",
        };
        let name = &self.service.name;
        let why = format!("service '{name}': call rejected: {why}");
        self.pin_files.metrics.warn(&why);
        None
    }

    fn caller_state_blocking(&self) -> CallerState {
        let database = self.database();
        let verifier = self.verifier(database.as_ref(), None);
        let counter = verifier.counter();
        CallerState {
            standing: counter.look(&mut NoChannel),
            refuses: verifier.refuses(),
            asks_account: verifier.asks_account(),
            number: counter.caller().number().unwrap_or_default().to_owned(),
        }
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

    /// Verifies an entry if memory has all that it takes.
    pub(super) fn verify_at_once(
        &self,
        account: Option<&EnteredDigits>,
        pin: &EnteredDigits,
    ) -> Option<Verified> {
        let (entry, fits) = entry(pin);
        let known = self.pin_files.at_once(&self.service.set, &entry)?;
        Some(self.verified(None, Some(known), account, fits.then_some(&entry)))
    }

    /// Verifies an entry. Blocks on the disk and for hashes.
    fn verify_blocking(&self, account: Option<&EnteredDigits>, pin: &EnteredDigits) -> Verified {
        let (entry, fits) = entry(pin);
        let database = self.database();
        self.verified(database.as_ref(), None, account, fits.then_some(&entry))
    }

    fn verified(
        &self,
        database: Option<&AttemptDatabase>,
        known: Option<Answer>,
        account: Option<&EnteredDigits>,
        entry: Option<&Pin>,
    ) -> Verified {
        let mut verifier = self.verifier(database, known);
        let account = account.map(EnteredDigits::as_str).unwrap_or_default();
        let outcome = verifier.outcome(&mut NoChannel, account.as_bytes(), entry);
        let account = verifier.counter().keeper().account.take();
        Verified { outcome, account }
    }
}

/// Returns the entered PIN, and whether it is not too long: such an entry is the PIN of
/// nobody.
fn entry(pin: &EnteredDigits) -> (Pin, bool) {
    let mut entry = Pin::new();
    pin.as_str().bytes().for_each(|key| entry.push(key));
    let fits = pin.as_str().len() == entry.len();
    (entry, fits)
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
    /// The answer of its PIN file, if that is known already.
    known: RefCell<Option<Answer>>,
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
        let known = self.known.take();
        let answer = match &set.source {
            Some(Source::File(path)) => known.unwrap_or_else(|| pin_files.file(path, set, pin)),
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
