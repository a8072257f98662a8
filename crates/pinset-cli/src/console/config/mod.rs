//! Configuration of `pinset console`.

use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use pinset::{Numbering, Pepper};
use zeroize::Zeroizing;

use super::pbx::AmiSecurity;
use crate::http::options::Transport;
use crate::http::plain_http::PlainHttp;

mod pbx;
mod raw;
mod read;

/// The file that `pinset console` reads by default.
pub(super) const DEFAULT_FILE: &str = "/etc/pinset/console.toml";

/// The configuration.
pub(super) struct Config {
    pub listen: SocketAddr,
    pub transport: Arc<Transport>,
    /// The file of the certificate, with TLS.
    pub certificate: Option<PathBuf>,
    /// Which peers may connect without TLS.
    pub plain_http: PlainHttp,
    /// Names by which browsers reach the console, besides the address.
    pub hosts: Vec<String>,
    /// The folder of the PIN files.
    pub lists: PathBuf,
    /// The folder of the PIN sets that the console makes, or `None` if it may not.
    pub sets: Option<PathBuf>,
    /// The folder of the configuration of the Asterisk on this machine, if there is one.
    pub config_dir: PathBuf,
    pub database: PathBuf,
    pub users: PathBuf,
    pub cdr: PathBuf,
    pub audit_log: PathBuf,
    pub pepper: Arc<Pepper>,
    /// How caller numbers are compared.
    pub numbering: Numbering,
    /// Time for which calls are kept.
    pub retention: Duration,
    /// By name.
    pub pbxs: BTreeMap<String, Pbx>,
}

/// A PBX, and how its AMI is reached.
pub(super) struct Pbx {
    /// Host and port.
    pub address: String,
    pub security: PbxSecurity,
    /// The same, for the client.
    pub ami_security: AmiSecurity,
    pub user: String,
    pub secret: Zeroizing<Vec<u8>>,
}

/// How a connection to AMI is protected.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(super) enum PbxSecurity {
    /// Not at all: the PBX is on this machine.
    Loopback,
    /// By TLS, with a certificate of this CA file.
    Ca(PathBuf),
    /// By TLS, with the certificate of this SHA-256 digest.
    Fingerprint([u8; 32]),
}
