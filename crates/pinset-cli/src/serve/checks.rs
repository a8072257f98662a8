//! Health checks of the PIN files of services, shared by concurrent requests.

use std::path::Path;
use std::sync::{Arc, Weak};
use std::time::{Duration, Instant, SystemTime};

use parking_lot::Mutex;
use pinset::config::Source;
use pinset::list::Stamp;
use thiserror::Error;
use tokio::sync::watch;
use tokio::time::{timeout_at, Instant as Deadline};

use crate::common::workers::Workers;
use crate::serve::config::{Config, Service};

/// Longest wait for a check.
const CHECK_TIMEOUT: Duration = Duration::from_secs(5);
/// Lifetime of a failure, or of a result that a change of the file may not be visible
/// for.
const UNSURE_LIFETIME: Duration = Duration::from_secs(1);

/// The reason why no call can be answered from a PIN file.
#[derive(Clone, Debug, Error)]
pub(super) enum CheckError {
    /// The PIN set can't use the file.
    #[error("{0}")]
    Unusable(String),
    #[error("only PIN files and PIN sets in a database are served")]
    NotAFile,
    /// The check did not end in time.
    #[error("its list did not respond in time")]
    Timeout,
}

/// Warnings about a usable PIN file: rows that can't be checked, and doubts whether it
/// admits anybody.
pub(super) type Warnings = Vec<String>;

/// The result of a check.
pub(super) type Checked = Result<Warnings, CheckError>;

/// The checks of one service, which run one at a time.
pub(super) struct ServiceChecks {
    thread: Workers,
    state: Mutex<CheckState>,
}

#[derive(Default)]
struct CheckState {
    running: Option<RunningCheck>,
    last: Option<LastResult>,
}

#[derive(Clone)]
struct RunningCheck {
    began: Instant,
    config: Weak<Config>,
    /// Receives the result; closed when the check has ended.
    result: watch::Receiver<Option<Checked>>,
}

struct LastResult {
    config: Weak<Config>,
    stamp: Stamp,
    at: Instant,
    /// Whether every change of the file changes its stamp.
    is_sure: bool,
    result: Checked,
}

impl ServiceChecks {
    pub(super) fn new() -> Self {
        Self {
            thread: Workers::new(1, 1),
            state: Mutex::default(),
        }
    }

    /// Checks the PIN file of a service by reading it, or waits for the check that is
    /// running.
    ///
    /// # Errors
    ///
    /// Fails if the file can't be used.
    pub(super) async fn result(
        self: &Arc<Self>,
        config: &Arc<Config>,
        service: Arc<Service>,
        read: impl FnOnce(&Service) -> Checked + Send + 'static,
    ) -> Result<Warnings, CheckError> {
        let running = self.start(config, service, read);
        let mut running = running.ok_or(CheckError::Timeout)?;
        let end = Deadline::from_std(running.began + CHECK_TIMEOUT);
        let result = timeout_at(end, running.result.wait_for(Option::is_some)).await;
        match result {
            Ok(Ok(result)) => match &*result {
                Some(result) => result.clone(),
                None => Err(CheckError::Timeout),
            },
            _ => Err(CheckError::Timeout),
        }
    }

    /// Returns the running check, after starting one if there is none. Returns `None`
    /// if a check for another configuration hangs.
    fn start(
        self: &Arc<Self>,
        config: &Arc<Config>,
        service: Arc<Service>,
        read: impl FnOnce(&Service) -> Checked + Send + 'static,
    ) -> Option<RunningCheck> {
        let mut state = self.state.lock();
        let config = Arc::downgrade(config);
        let is_running = |running: &&RunningCheck| {
            let is_over =
                running.result.borrow().is_some() || running.result.has_changed().is_err();
            !is_over && running.config.ptr_eq(&config)
        };
        if let Some(running) = state.running.as_ref().filter(is_running) {
            return Some(running.clone());
        }
        let (done, result) = watch::channel(None);
        let running = RunningCheck {
            began: Instant::now(),
            config: config.clone(),
            result,
        };
        let check = Arc::clone(self);
        let work = move || {
            let result = check.last_or_read(config, &service, read);
            done.send_replace(Some(result));
        };
        self.thread.spawn(work).ok()?;
        state.running = Some(running.clone());
        Some(running)
    }

    /// Returns the last result if it is still valid, or reads the file.
    fn last_or_read(
        &self,
        config: Weak<Config>,
        service: &Service,
        read: impl FnOnce(&Service) -> Checked,
    ) -> Checked {
        let (now, stamp) = (SystemTime::now(), stamp(service));
        let known = |last: &&LastResult| {
            let counts = last.is_sure || last.at.elapsed() < UNSURE_LIFETIME;
            counts && Some(last.stamp) == stamp && last.config.ptr_eq(&config)
        };
        if let Some(last) = self.state.lock().last.as_ref().filter(known) {
            return last.result.clone();
        }
        let result = read(service);
        self.state.lock().last = stamp.map(|stamp| LastResult {
            config,
            stamp,
            at: Instant::now(),
            is_sure: result.is_ok() && stamp.is_telling(now),
            result: result.clone(),
        });
        result
    }
}

fn stamp(service: &Service) -> Option<Stamp> {
    let of = |path: &Path| std::fs::metadata(path).ok();
    match &service.set.source {
        Some(Source::File(path)) => of(path).map(|about| Stamp::of(&about)),
        _ => None,
    }
}
