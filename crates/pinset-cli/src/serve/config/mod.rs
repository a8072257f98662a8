//! Configuration of `pinset serve`.

use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use bytes::Bytes;
use ipnet::IpNet;
use pinset::cache::Rules;
use pinset::{Pepper, PinSet, Settings};

use crate::http::options::Transport;
use crate::http::plain_http::PlainHttp;
use crate::serve::auth::Auth;
use crate::serve::database::DatabasePool;

mod paths;
mod raw;
mod read;
mod sequence;

/// The paths that no service can have.
pub(super) const HEALTH: &str = "/health";
pub(super) const METRICS: &str = "/metrics";
pub(super) const LOGS: &str = "/logs";
pub(super) const LOGS_JSON: &str = "/logs.json";
pub(super) const LOGS_STYLE: &str = "/logs/style.css";
pub(super) const AUDIO: &str = "/static/audio";

/// The configuration.
pub(super) struct Config {
    pub listen: SocketAddr,
    pub transport: Arc<Transport>,
    pub plain_http: PlainHttp,
    pub state: PathBuf,
    pub log: Option<Log>,
    /// The folder whose files are served under [`AUDIO`].
    pub audio: Option<PathBuf>,
    pub settings: Settings,
    pub pepper: Pepper,
    pub rules: Arc<Rules>,
    /// The database of PIN sets, if there is one.
    pub database: Option<Arc<DatabasePool>>,
    /// By path.
    pub services: BTreeMap<String, Arc<Service>>,
    /// The service of each path, and what is posted there.
    pub paths: Paths,
}

/// Options of the request log.
pub(super) struct Log {
    pub file: PathBuf,
    /// Age in days at which rows are removed.
    pub days: u32,
    /// Maximum number of rows.
    pub rows: u32,
    /// The credential for its page. `None` disables the page.
    pub auth: Option<Auth>,
}

impl Log {
    /// Returns the options that only change with a restart.
    pub(super) fn place(&self) -> (&Path, u32, u32) {
        (&self.file, self.days, self.rows)
    }
}

/// A service: a path with a PIN set.
pub(super) struct Service {
    pub name: String,
    pub path: String,
    pub auth: Auth,
    pub set: Arc<PinSet>,
    pub pin: Gather,
    pub account: Gather,
    pub answers: Answers,
}

/// A prompt for digits.
pub(super) struct Gather {
    /// The name of the variable that the digits come back in.
    pub variable: String,
    /// The answer for the first prompt.
    pub answer: Bytes,
    /// The answer for further prompts.
    pub again: Bytes,
}

/// The final answers to a call.
pub(super) struct Answers {
    pub success: Bytes,
    pub failure: Bytes,
    pub locked: Bytes,
    pub error: Bytes,
}

impl Config {
    /// Returns what decides whether a peer may send credentials over plain HTTP.
    pub(super) fn exposure(&self) -> (PlainHttp, &[IpNet]) {
        (self.plain_http, &self.transport.trusted_proxies)
    }
}

/// The kind of post to a path of a service.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) enum PostKind {
    /// A call to verify.
    Call,
    /// A webhook that reports the end of a call.
    Webhook,
}

/// Services, and what is posted to them, by path.
pub(super) type Paths = BTreeMap<String, (Arc<Service>, PostKind)>;
