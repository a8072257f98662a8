//! State that all requests share.

use std::sync::Arc;

use parking_lot::RwLock;

use crate::common::workers::Workers;
use crate::http::connections::CloseReason;
use crate::http::options::Transport;
use crate::http::server::Host;
use crate::serve::config::Config;
use crate::serve::log::RequestLog;
use crate::serve::metrics::Metrics;
use crate::serve::pin_files::{PinFiles, VerifyResources};
use crate::serve::prompt_limit::PromptLimiter;
use crate::serve::state::State;

/// Maximum number of queries of the request log that run at once, and that wait.
const LOG_THREADS: usize = 2;
const MAX_WAITING_QUERIES: usize = 8;

/// State that all requests share.
pub(super) struct App {
    config: RwLock<Arc<Config>>,
    pub state: Arc<State>,
    pub prompts: PromptLimiter,
    pub log: Option<Arc<RequestLog>>,
    resources: Arc<VerifyResources>,
    pub metrics: Arc<Metrics>,
    pub log_queries: Workers,
}

impl App {
    pub(super) fn new(config: Config, state: State, log: Option<RequestLog>) -> Self {
        let metrics = Metrics::new();
        metrics.add_services(service_names(&config));
        Self {
            config: RwLock::new(Arc::new(config)),
            state: Arc::new(state),
            prompts: PromptLimiter::default(),
            log: log.map(Arc::new),
            resources: Arc::new(VerifyResources::new()),
            metrics: Arc::new(metrics),
            log_queries: Workers::new(LOG_THREADS, MAX_WAITING_QUERIES),
        }
    }

    /// Returns the configuration in force. A reload replaces it and leaves the
    /// returned one unchanged.
    pub(super) fn config(&self) -> Arc<Config> {
        Arc::clone(&self.config.read())
    }

    /// Returns what PIN files are read with.
    pub(super) fn pin_files(&self, config: &Arc<Config>) -> PinFiles {
        PinFiles {
            config: Arc::clone(config),
            resources: Arc::clone(&self.resources),
            metrics: Arc::clone(&self.metrics),
        }
    }

    /// Puts a new configuration in force.
    pub(super) fn put(&self, config: Config) {
        self.resources.retain(&config);
        self.metrics.add_services(service_names(&config));
        *self.config.write() = Arc::new(config);
    }
}

fn service_names(config: &Config) -> impl Iterator<Item = &str> {
    config.services.values().map(|service| &*service.name)
}

impl Host for App {
    fn transport(&self) -> Arc<Transport> {
        Arc::clone(&self.config.read().transport)
    }

    fn connection_evicted(&self, reason: CloseReason) {
        self.metrics.connection_evicted(reason);
    }

    fn connection_refused(&self) {
        self.metrics.connection_refused();
    }

    fn warn(&self, why: &str) {
        self.metrics.warn(&why);
    }
}
