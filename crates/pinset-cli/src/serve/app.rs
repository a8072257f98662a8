//! State that all requests share.

use std::sync::Arc;

use parking_lot::RwLock;

use crate::serve::asks::Asks;
use crate::serve::config::Config;
use crate::serve::log::Log;
use crate::serve::metrics::Metrics;
use crate::serve::state::State;
use crate::serve::verify::{Bench, Lists};
use crate::serve::workers::Workers;

/// The most queries of the log at once, and the most that wait.
const LOG_THREADS: usize = 2;
const MAX_WAITING_QUERIES: usize = 8;

/// What requests are answered by.
pub struct App {
    config: RwLock<Arc<Config>>,
    pub state: Arc<State>,
    pub asks: Asks,
    pub log: Option<Arc<Log>>,
    bench: Arc<Bench>,
    pub metrics: Arc<Metrics>,
    pub log_queries: Workers,
}

impl App {
    pub fn new(config: Config, state: State, log: Option<Log>) -> Self {
        Self {
            config: RwLock::new(Arc::new(config)),
            state: Arc::new(state),
            asks: Asks::default(),
            log: log.map(Arc::new),
            bench: Arc::new(Bench::new()),
            metrics: Arc::new(Metrics::new()),
            log_queries: Workers::new(LOG_THREADS, MAX_WAITING_QUERIES),
        }
    }

    /// What is in force. A reload puts something else in its place and leaves
    /// this as it is.
    pub fn config(&self) -> Arc<Config> {
        Arc::clone(&self.config.read())
    }

    /// What lists are read by.
    pub fn lists(&self, config: &Arc<Config>) -> Lists {
        Lists {
            config: Arc::clone(config),
            bench: Arc::clone(&self.bench),
            metrics: Arc::clone(&self.metrics),
        }
    }

    pub fn put(&self, config: Config) {
        self.bench.keep(&config);
        *self.config.write() = Arc::new(config);
    }
}
