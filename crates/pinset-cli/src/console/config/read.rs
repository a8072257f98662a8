//! Reading of `pinset console --config FILE`, checked as a whole.

use std::net::{IpAddr, Ipv4Addr, SocketAddr};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use ipnet::IpNet;
use pinset::Pepper;
use toml::Spanned;

use super::pbx::pbx;
use super::raw::Raw;
use super::Config;
use crate::common::error::CommandError;
use crate::common::secret_file::{self, AllowedGroups};
use crate::common::toml_file::TomlFile;
use crate::http::options::{self, Transport};
use crate::http::plain_http::PlainHttp;

const DEFAULT_LISTEN: SocketAddr = SocketAddr::new(IpAddr::V4(Ipv4Addr::LOCALHOST), 5100);
const DEFAULT_LISTS: &str = "/etc/asterisk/pins";
const DEFAULT_CONFIG_DIR: &str = "/etc/asterisk";
const DEFAULT_DATABASE: &str = "/var/lib/pinset/console.db";
const DEFAULT_USERS: &str = "/etc/pinset/console.users";
const DEFAULT_CDR: &str = "/var/log/asterisk/cdr-csv/Master.csv";
const DEFAULT_AUDIT_LOG: &str = "/var/log/asterisk/authenticate.log";
const DEFAULT_DAYS: u32 = 400;
const MAX_DAYS: u32 = 36_500;

impl Config {
    /// Reads the file, and the secrets and certificates that it names. `bound` is the
    /// address of the socket, if there is one: it determines who can connect, instead of
    /// `listen`.
    ///
    /// # Errors
    ///
    /// Fails with file, line and option if something is invalid, or if passwords would be
    /// readable on the network.
    pub(in crate::console) fn read(
        path: &Path,
        bound: Option<SocketAddr>,
    ) -> Result<Self, CommandError> {
        let text = std::fs::read_to_string(path).map_err(|error| {
            let why = format!("{error} (pinset console init creates it)");
            CommandError::at(path, why)
        })?;
        let file = TomlFile { path, text: &text };
        let raw: Raw = file.parse()?;
        let listen = options::listen(file, raw.listen.as_ref(), DEFAULT_LISTEN)?;
        let trusted_proxies = options::proxies(file, &raw.trusted_proxies)?;
        let address = bound.unwrap_or(listen);
        let plain_http = plain_http(file, &raw, &trusted_proxies, address)?;
        let path_of = |given: &Option<Spanned<PathBuf>>, default: &str| match given {
            None => Ok(PathBuf::from(default)),
            Some(path) if path.get_ref().is_absolute() => Ok(path.get_ref().clone()),
            Some(path) => Err(file.at(path, "must be an absolute path")),
        };
        let pbxs = raw.pbx.iter().map(|(name, raw)| {
            let read = pbx(file, name, raw)?;
            Ok((name.get_ref().clone(), read))
        });
        Ok(Self {
            listen,
            transport: Arc::new(Transport {
                tls: options::tls(file, raw.tls.as_ref(), AllowedGroups::OfService)?,
                trusted_proxies,
                limits: options::limits(file, raw.limits.as_ref())?,
            }),
            certificate: raw
                .tls
                .as_ref()
                .map(|tls| tls.certificate.get_ref().clone()),
            plain_http,
            hosts: hosts(file, &raw.hosts)?,
            lists: path_of(&raw.lists, DEFAULT_LISTS)?,
            sets: match raw.sets {
                Some(_) => Some(path_of(&raw.sets, "")?),
                None => None,
            },
            config_dir: path_of(&raw.config_dir, DEFAULT_CONFIG_DIR)?,
            database: path_of(&raw.database, DEFAULT_DATABASE)?,
            users: path_of(&raw.users, DEFAULT_USERS)?,
            cdr: path_of(&raw.cdr, DEFAULT_CDR)?,
            audit_log: path_of(&raw.audit_log, DEFAULT_AUDIT_LOG)?,
            pepper: Arc::new(pepper(file, raw.pepper_file.as_ref())?),
            numbering: raw.numbers.numbering(file)?,
            retention: retention(file, raw.days.as_ref())?,
            pbxs: pbxs.collect::<Result<_, CommandError>>()?,
        })
    }
}

/// Refuses passwords that would be readable on the network.
fn plain_http(
    file: TomlFile<'_>,
    raw: &Raw,
    proxies: &[IpNet],
    address: SocketAddr,
) -> Result<PlainHttp, CommandError> {
    let plain = PlainHttp::of(address, raw.tls.is_some(), false, proxies);
    if plain != PlainHttp::Refused {
        return Ok(plain);
    }
    let why = format!(
        "passwords over plain HTTP at {address}: add [tls], listen on the loopback address, or \
         name the proxy that has TLS in trusted_proxies"
    );
    match &raw.listen {
        Some(listen) => Err(file.at(listen, why)),
        None => Err(CommandError::at(file.path, why)),
    }
}

/// Checks names of hosts, which browsers send with or without a port.
fn hosts(file: TomlFile<'_>, given: &[Spanned<String>]) -> Result<Vec<String>, CommandError> {
    let of = |host: &Spanned<String>| {
        let name = host.get_ref().to_ascii_lowercase();
        let right = |byte: u8| byte.is_ascii_alphanumeric() || b"-._".contains(&byte);
        match !name.is_empty() && name.bytes().all(right) {
            true => Ok(name),
            false => Err(file.at(host, "must be a name without a port: pbx.example.com")),
        }
    };
    given.iter().map(of).collect()
}

/// Returns the time for which calls are kept.
fn retention(file: TomlFile<'_>, given: Option<&Spanned<u32>>) -> Result<Duration, CommandError> {
    let days = given.map_or(DEFAULT_DAYS, |days| *days.get_ref());
    if let Some(given) = given.filter(|_| !(1..=MAX_DAYS).contains(&days)) {
        return Err(file.at(given, format!("must be from 1 to {MAX_DAYS}")));
    }
    Ok(Duration::from_secs(u64::from(days) * 24 * 60 * 60))
}

fn pepper(file: TomlFile<'_>, given: Option<&Spanned<PathBuf>>) -> Result<Pepper, CommandError> {
    let Some(path) = given else {
        return Ok(Pepper::default());
    };
    let text = secret_file::read(path.get_ref(), AllowedGroups::OfService)
        .map_err(|error| file.file(path, error))?;
    Pepper::parse(&text).map_err(|error| file.file(path, error))
}
