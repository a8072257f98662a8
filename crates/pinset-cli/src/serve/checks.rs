//! Whether the list of a service can be used: checked once for all who ask.

use std::path::Path;
use std::sync::{Arc, Weak};
use std::time::{Duration, Instant, SystemTime};

use parking_lot::Mutex;
use pinset::config::Source;
use pinset::list::Stamp;
use thiserror::Error;
use tokio::sync::watch;
use tokio::time::{timeout_at, Instant as Deadline};

use crate::serve::config::{Config, Service};
use crate::serve::workers::Workers;

/// Longest wait for a check.
const CHECK_TIMEOUT: Duration = Duration::from_secs(5);
/// How long a result counts that a change of the file need not show in, or that
/// another try may change.
const UNSURE_LIFETIME: Duration = Duration::from_secs(1);

/// The reason why no call can be answered from a PIN file.
#[derive(Clone, Debug, Error)]
pub enum CheckError {
    /// The PIN set can't use the file.
    #[error("{0}")]
    Unusable(String),
    #[error("only lists in files are served")]
    NotAFile,
    /// The check did not end in time.
    #[error("its list does not answer")]
    Timeout,
}

/// Warnings about a list that can be used: rows that can't be checked, and doubts
/// whether it admits anybody.
pub type Warnings = Vec<String>;

/// The result of a check.
pub type Checked = Result<Warnings, CheckError>;

/// The checks of one service, one at a time.
pub struct Check {
    thread: Workers,
    state: Mutex<State>,
}

#[derive(Default)]
struct State {
    running: Option<Running>,
    kept: Option<Kept>,
}

#[derive(Clone)]
struct Running {
    began: Instant,
    config: Weak<Config>,
    /// Closed when the check is over.
    result: watch::Receiver<Option<Checked>>,
}

struct Kept {
    config: Weak<Config>,
    stamp: Stamp,
    at: Instant,
    /// Any change of the file shows in its stamp.
    is_sure: bool,
    result: Checked,
}

impl Check {
    pub fn new() -> Self {
        Self {
            thread: Workers::new(1, 1),
            state: Mutex::default(),
        }
    }

    /// Checks the list of a service by reading it, or waits for the check that is
    /// running.
    ///
    /// # Errors
    ///
    /// Why the list can't be used.
    pub async fn result(
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

    /// Returns the check that is running, after starting it if there is none.
    /// Returns `None` if that of another configuration hangs.
    fn start(
        self: &Arc<Self>,
        config: &Arc<Config>,
        service: Arc<Service>,
        read: impl FnOnce(&Service) -> Checked + Send + 'static,
    ) -> Option<Running> {
        let mut state = self.state.lock();
        let config = Arc::downgrade(config);
        let is_running = |running: &&Running| {
            let is_over =
                running.result.borrow().is_some() || running.result.has_changed().is_err();
            !is_over && running.config.ptr_eq(&config)
        };
        if let Some(running) = state.running.as_ref().filter(is_running) {
            return Some(running.clone());
        }
        let (done, result) = watch::channel(None);
        let running = Running {
            began: Instant::now(),
            config: config.clone(),
            result,
        };
        let check = Arc::clone(self);
        let work = move || {
            let result = check.look(config, &service, read);
            done.send_replace(Some(result));
        };
        self.thread.spawn(work).ok()?;
        state.running = Some(running.clone());
        Some(running)
    }

    /// Returns what is known of the file, or reads it.
    fn look(
        &self,
        config: Weak<Config>,
        service: &Service,
        read: impl FnOnce(&Service) -> Checked,
    ) -> Checked {
        let (now, stamp) = (SystemTime::now(), stamp(service));
        let known = |kept: &&Kept| {
            let counts = kept.is_sure || kept.at.elapsed() < UNSURE_LIFETIME;
            counts && Some(kept.stamp) == stamp && kept.config.ptr_eq(&config)
        };
        if let Some(kept) = self.state.lock().kept.as_ref().filter(known) {
            return kept.result.clone();
        }
        let result = read(service);
        self.state.lock().kept = stamp.map(|stamp| Kept {
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
