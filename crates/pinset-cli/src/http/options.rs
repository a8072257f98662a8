//! Options of the server in a configuration file: address, TLS, proxies and limits.

use std::net::{IpAddr, SocketAddr};
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use ipnet::IpNet;
use tokio_rustls::rustls::ServerConfig;
use toml::Spanned;

use crate::common::error::CommandError;
use crate::common::secret_file::AllowedGroups;
use crate::common::toml_file::TomlFile;
use crate::http::tls;

/// How the server accepts connections.
pub(crate) struct Transport {
    pub tls: Option<Arc<ServerConfig>>,
    /// The proxies whose `X-Forwarded-For` is trusted.
    pub trusted_proxies: Vec<IpNet>,
    pub limits: Limits,
}

impl Transport {
    /// Returns the scheme of URLs of the server.
    pub(crate) fn scheme(&self) -> &'static str {
        match self.tls {
            Some(_) => "https",
            None => "http",
        }
    }
}

/// Limits of clients.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) struct Limits {
    /// Maximum number of bytes of a body.
    pub body: usize,
    /// Longest time of a body.
    pub body_timeout: Duration,
    /// Longest time of the TLS handshake and the head of the first request.
    pub head_timeout: Duration,
    /// Longest time of a connection without the complete head of a further request.
    pub idle_timeout: Duration,
    /// Maximum number of connections.
    pub connections: usize,
    /// Maximum number of connections of one client.
    pub connections_per_address: usize,
}

/// The section `[tls]`.
#[derive(serde::Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct RawTls {
    pub certificate: Spanned<PathBuf>,
    pub key: Spanned<PathBuf>,
}

/// The section `[limits]`.
#[derive(Default, serde::Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct RawLimits {
    body: Option<Spanned<u64>>,
    body_timeout: Option<Spanned<u64>>,
    head_timeout: Option<Spanned<u64>>,
    idle_timeout: Option<Spanned<u64>>,
    connections: Option<Spanned<u64>>,
    connections_per_address: Option<Spanned<u64>>,
}

/// Returns the address to listen on.
pub(crate) fn listen(
    file: TomlFile<'_>,
    given: Option<&Spanned<String>>,
    default: SocketAddr,
) -> Result<SocketAddr, CommandError> {
    let Some(given) = given else {
        return Ok(default);
    };
    let why = |_| file.at(given, format!("must be an address and a port: {default}"));
    given.get_ref().parse().map_err(why)
}

/// Reads the certificate and its key.
pub(crate) fn tls(
    file: TomlFile<'_>,
    given: Option<&RawTls>,
    allowed: AllowedGroups,
) -> Result<Option<Arc<ServerConfig>>, CommandError> {
    let Some(given) = given else {
        return Ok(None);
    };
    let (certificate, key) = (given.certificate.get_ref(), given.key.get_ref());
    match tls::config(certificate, key, allowed) {
        Ok(config) => Ok(Some(Arc::new(config))),
        Err(error) if error.is_about_certificate() => Err(file.file(&given.certificate, error)),
        Err(error) => Err(file.file(&given.key, error)),
    }
}

/// Returns the networks of the trusted proxies.
pub(crate) fn proxies(
    file: TomlFile<'_>,
    given: &[Spanned<String>],
) -> Result<Vec<IpNet>, CommandError> {
    let of = |proxy: &Spanned<String>| {
        let text = proxy.get_ref();
        let one = || text.parse::<IpAddr>().map(IpNet::from);
        let net = text.parse::<IpNet>().or_else(|_| one());
        net.map_err(|_| file.at(proxy, "must be an address, or a network as 10.0.0.0/8"))
    };
    given.iter().map(of).collect()
}

/// Returns the limits of clients.
pub(crate) fn limits(
    file: TomlFile<'_>,
    given: Option<&RawLimits>,
) -> Result<Limits, CommandError> {
    let number = |given: Option<&Spanned<u64>>, default: u64, most: u64| match given {
        None => Ok(default),
        Some(given) if (1..=most).contains(given.get_ref()) => Ok(*given.get_ref()),
        Some(given) => Err(file.at(given, format!("must be from 1 to {most}"))),
    };
    let of = |of: fn(&RawLimits) -> &Option<Spanned<u64>>| given.and_then(|l| of(l).as_ref());
    let seconds = |given, default| number(given, default, 3600).map(Duration::from_secs);
    let size = |number: u64| usize::try_from(number).unwrap_or(usize::MAX);
    Ok(Limits {
        body: number(of(|l| &l.body), 64 << 10, 16 << 20).map(size)?,
        body_timeout: seconds(of(|l| &l.body_timeout), 10)?,
        head_timeout: seconds(of(|l| &l.head_timeout), 5)?,
        idle_timeout: seconds(of(|l| &l.idle_timeout), 30)?,
        connections: number(of(|l| &l.connections), 1000, 100_000).map(size)?,
        connections_per_address: number(of(|l| &l.connections_per_address), 256, 100_000)
            .map(size)?,
    })
}
