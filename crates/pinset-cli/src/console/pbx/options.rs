//! What a client of one PBX needs to know.

use std::sync::Arc;
use std::time::Duration;

use tokio_rustls::rustls::ClientConfig;
use zeroize::Zeroizing;

/// One PBX: where its AMI is, and as whom to log in.
pub(crate) struct PbxOptions {
    /// The name of the PBX in texts and URLs.
    pub name: String,
    /// Host and port.
    pub address: String,
    pub security: AmiSecurity,
    pub user: String,
    pub secret: Zeroizing<Vec<u8>>,
    pub timing: Timing,
}

/// How a connection is protected.
#[derive(Clone)]
pub(crate) enum AmiSecurity {
    /// Not at all: only this machine is connected to.
    Loopback,
    /// By TLS, see [`super::tls`].
    Tls(Arc<ClientConfig>),
}

/// Time limits of a client.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Timing {
    /// From the name lookup to the login.
    pub connect: Duration,
    /// From an action to the end of its answer.
    pub answer: Duration,
    /// Silence after which a `Ping` is sent.
    pub idle: Duration,
    /// Wait before the first new attempt to connect; each further one is twice as long.
    pub first_retry: Duration,
    /// The longest such wait, and the one after a refused login, because Asterisk reports
    /// each as a security event.
    pub last_retry: Duration,
}

impl Default for Timing {
    fn default() -> Self {
        Self {
            connect: Duration::from_secs(10),
            answer: Duration::from_secs(10),
            idle: Duration::from_secs(15),
            first_retry: Duration::from_secs(1),
            last_retry: Duration::from_secs(30),
        }
    }
}
