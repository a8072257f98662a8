//! Configuration of `pinset serve`.

use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use ipnet::IpNet;
use pinset::cache::Rules;
use pinset::{Pepper, PinSet, Settings};

use crate::serve::auth::Auth;
use crate::serve::plain_http::PlainHttp;

mod paths;
mod place;
mod raw;
mod read;
mod sequence;

/// The paths that are no service's.
pub const HEALTH: &str = "/health";
pub const METRICS: &str = "/metrics";
pub const LOGS: &str = "/logs";
pub const LOGS_JSON: &str = "/logs.json";
pub const LOGS_STYLE: &str = "/logs/style.css";
pub const AUDIO: &str = "/static/audio";

/// What is served, and how.
pub struct Config {
    pub listen: SocketAddr,
    pub tls: Option<Arc<tokio_rustls::rustls::ServerConfig>>,
    /// Who may say in `X-Forwarded-For` whom a request comes from.
    pub trusted_proxies: Vec<IpNet>,
    pub plain_http: PlainHttp,
    pub limits: Limits,
    pub state: PathBuf,
    pub log: Option<Log>,
    /// The folder whose files are served under [`AUDIO`].
    pub audio: Option<PathBuf>,
    pub settings: Settings,
    pub pepper: Pepper,
    pub rules: Arc<Rules>,
    /// By their paths.
    pub services: BTreeMap<String, Arc<Service>>,
    /// Which service a path belongs to, and what is posted there.
    pub paths: Paths,
}

/// What clients may do.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Limits {
    /// Bytes of a body.
    pub body: usize,
    /// How long a body may take.
    pub body_timeout: Duration,
    /// How long the head of the first request may take, with the handshake of TLS.
    pub head_timeout: Duration,
    /// How long a connection may then be without a request that is whole up to
    /// its body.
    pub idle_timeout: Duration,
    /// How many connections there may be.
    pub connections: usize,
    /// How many one client may have.
    pub connections_per_address: usize,
}

/// The request log.
pub struct Log {
    pub file: PathBuf,
    /// Older rows go.
    pub days: u32,
    /// So many rows stay.
    pub rows: u32,
    /// Who may read it; `None`: nobody, and there is no such page.
    pub auth: Option<Auth>,
}

impl Log {
    /// What a running log can't change.
    pub fn place(&self) -> (&Path, u32, u32) {
        (&self.file, self.days, self.rows)
    }
}

/// A path with a PIN set.
pub struct Service {
    pub name: String,
    pub path: String,
    pub auth: Auth,
    pub set: Arc<PinSet>,
    pub pin: Gather,
    pub account: Gather,
    pub answers: Answers,
}

/// What is asked for.
pub struct Gather {
    /// The name under which it comes back.
    pub variable: String,
    /// The answer that asks for it.
    pub answer: Bytes,
    /// The one that asks for it again.
    pub again: Bytes,
}

/// What a call gets in the end.
pub struct Answers {
    pub success: Bytes,
    pub failure: Bytes,
    pub locked: Bytes,
    pub error: Bytes,
}

impl Config {
    /// Returns what decides whether a peer may send credentials over plain HTTP.
    pub fn exposure(&self) -> (PlainHttp, &[IpNet]) {
        (self.plain_http, &self.trusted_proxies)
    }
}

/// What is posted to a path of a service.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum PostKind {
    /// A call that is to be decided.
    Call,
    /// A webhook: a call has ended.
    Webhook,
}

/// Services, and what is posted to them, by the path.
pub type Paths = BTreeMap<String, (Arc<Service>, PostKind)>;
