//! Sections `[pbx.NAME]`.

use std::net::SocketAddr;
use std::path::PathBuf;

use toml::Spanned;

use super::{raw, Pbx, PbxSecurity};
use crate::common::error::CommandError;
use crate::common::secret_file::{self, AllowedGroups};
use crate::common::toml_file::TomlFile;
use crate::console::pbx::{tls, AmiSecurity};
use crate::http::plain_http::is_local;

const DEFAULT_ADDRESS: &str = "127.0.0.1:5038";
const DEFAULT_USER: &str = "pinset";
const DEFAULT_SECRET: &str = "/etc/pinset/ami.secret";
/// Maximum length of the name of a PBX, which is part of URLs.
const MAX_NAME_BYTES: usize = 32;

/// Reads a section.
pub(super) fn pbx(
    file: TomlFile<'_>,
    name: &Spanned<String>,
    raw: &raw::Pbx,
) -> Result<Pbx, CommandError> {
    let right = |letter: char| letter.is_ascii_alphanumeric() || "-_".contains(letter);
    let spelled = name.get_ref();
    if spelled.is_empty() || spelled.len() > MAX_NAME_BYTES || !spelled.chars().all(right) {
        let why = "the name of a PBX must be up to 32 letters, digits, - and _";
        return Err(file.at(name, why));
    }
    let address = raw.address.as_ref();
    let address = address.map_or(DEFAULT_ADDRESS, |address| address.get_ref());
    let has_port = address
        .rsplit_once(':')
        .is_some_and(|(host, port)| !host.is_empty() && port.parse::<u16>().is_ok());
    if let Some(given) = raw.address.as_ref().filter(|_| !has_port) {
        return Err(file.at(given, "must be a host and a port: 192.0.2.1:5039"));
    }
    let user = raw.user.as_ref();
    if let Some(given) = user.filter(|user| !is_ami_value(user.get_ref())) {
        return Err(file.at(given, "must be the name of an AMI user, in one line"));
    }
    let path = raw.secret.as_ref();
    let path = path.map_or_else(|| PathBuf::from(DEFAULT_SECRET), |p| p.get_ref().clone());
    let secret = secret_file::read_line(&path, AllowedGroups::OfService).map_err(|error| {
        let why = format!("{}: {error}", path.display());
        match &raw.secret {
            Some(given) => file.at(given, why),
            None => file.at(name, why),
        }
    })?;
    let (security, ami_security) = security(file, raw, name, address)?;
    Ok(Pbx {
        security,
        ami_security,
        address: address.to_owned(),
        user: user.map_or(DEFAULT_USER, |user| user.get_ref()).to_owned(),
        secret,
    })
}

/// Returns whether a value can be sent in a header of AMI.
fn is_ami_value(text: &str) -> bool {
    !text.is_empty() && !text.chars().any(char::is_control)
}

/// Refuses a secret that would be readable on the network.
fn security(
    file: TomlFile<'_>,
    raw: &raw::Pbx,
    name: &Spanned<String>,
    address: &str,
) -> Result<(PbxSecurity, AmiSecurity), CommandError> {
    match (&raw.ca, &raw.fingerprint) {
        (Some(ca), None) => match tls::with_ca(ca.get_ref()) {
            Ok(tls) => Ok((PbxSecurity::Ca(ca.get_ref().clone()), AmiSecurity::Tls(tls))),
            Err(error) => Err(file.file(ca, error)),
        },
        (None, Some(given)) => {
            let digits: String = given.get_ref().chars().filter(|c| *c != ':').collect();
            let why = "must be the SHA-256 of a certificate, 64 hexadecimal digits: openssl x509 \
                       -in FILE -noout -fingerprint -sha256";
            let digest = pinset::hex::bytes(digits.as_bytes());
            let digest = digest.ok_or_else(|| file.at(given, why))?;
            let tls = tls::with_fingerprint(digest).map_err(|error| file.at(given, error))?;
            Ok((PbxSecurity::Fingerprint(digest), AmiSecurity::Tls(tls)))
        }
        (Some(_), Some(given)) => Err(file.at(given, "there can be ca or fingerprint, not both")),
        (None, None) if is_loopback(address) => Ok((PbxSecurity::Loopback, AmiSecurity::Loopback)),
        (None, None) => {
            let why = format!(
                "the AMI secret would go to {address} without TLS: add ca or fingerprint, and \
                 tlsenable = yes in manager.conf of the PBX"
            );
            match &raw.address {
                Some(given) => Err(file.at(given, why)),
                None => Err(file.at(name, why)),
            }
        }
    }
}

fn is_loopback(address: &str) -> bool {
    let is_local_name = address
        .rsplit_once(':')
        .is_some_and(|(host, _)| host == "localhost");
    is_local_name || address.parse::<SocketAddr>().is_ok_and(is_local)
}
