//! Checks of the installation: those of `--check` and of the page `/setup`.

use std::fs::File;
use std::path::Path;

use jiff::Timestamp;
use pinset::permission::quoted;
use rustix::fs::{access, Access};
use tokio_rustls::rustls::pki_types::pem::PemObject;
use tokio_rustls::rustls::pki_types::CertificateDer;

use super::config::{Config, Pbx, PbxSecurity};
use super::lists;
use super::users::Users;
use crate::common::certificate;
use crate::common::finding::Finding;

const USERS: &str = "users";
const LISTS: &str = "lists";
const SETS: &str = "sets";
const PEPPER: &str = "pepper";
const CERTIFICATE: &str = "certificate";
const PBX: &str = "pbx";
const CDR: &str = "cdr";
const AUDIT_LOG: &str = "audit_log";

/// AMI does not limit guesses of a secret.
const MIN_SECRET_BYTES: usize = 16;

/// Returns what is right and what is wrong, for the user that runs this.
pub(super) fn findings(config: &Config) -> Vec<Finding> {
    let mut findings = vec![users(&config.users)];
    findings.extend(pin_files(&config.lists));
    findings.extend(config.sets.as_deref().map(pin_sets));
    findings.push(pepper(config));
    findings.extend(config.certificate.as_deref().map(own_certificate));
    findings.extend(config.pbxs.iter().map(|(name, found)| pbx(name, found)));
    if config.pbxs.is_empty() {
        findings.push(Finding::warning(
            PBX,
            "no PBX is configured",
            "add a section [pbx.main] to console.toml",
        ));
    }
    findings.push(cdr(config));
    findings.push(audit_log(config));
    findings
}

/// Checks that the CDR can be read.
pub(super) fn cdr(config: &Config) -> Finding {
    let missing = "module load cdr_csv.so, and loguniqueid = yes in [csv] of cdr.conf";
    readable(CDR, &config.cdr, missing)
}

/// Checks that the audit log can be read.
pub(super) fn audit_log(config: &Config) -> Finding {
    let missing = "add authenticate.log => authenticate to [logfiles] of logger.conf";
    readable(AUDIT_LOG, &config.audit_log, missing)
}

/// Checks the file of users. The service must not be able to write it: else a console
/// that is broken into could add a user.
fn users(path: &Path) -> Finding {
    let name = path.display();
    let add = "pinset console user add NAME --role admin";
    let users = match Users::read(path) {
        Ok(users) => users,
        Err(error) => return Finding::error(USERS, format_args!("{name}: {error}"), add),
    };
    if !users.has_admin() {
        return Finding::warning(USERS, format_args!("{name}: no user is an admin"), add);
    }
    let is_root = rustix::process::geteuid().is_root();
    if !is_root && access(path, Access::WRITE_OK).is_ok() {
        let file = quoted(&name.to_string());
        return Finding::error(
            USERS,
            format_args!("{name}: the service may write it"),
            format_args!("chown root:pinset {file} && chmod 0640 {file}"),
        );
    }
    Finding::ok(USERS, name)
}

/// Checks the folder of the PIN sets that the console makes.
fn pin_sets(folder: &Path) -> Finding {
    let name = folder.display();
    let file = quoted(&name.to_string());
    if !folder.is_dir() {
        let make = format!("install -d -o pinset -g asterisk -m 2750 {file}");
        return Finding::error(SETS, format_args!("{name}: no such folder"), make);
    }
    match access(folder, Access::WRITE_OK) {
        Ok(()) => Finding::ok(SETS, name),
        Err(_) => {
            let message = format!("{name}: the service may not write it");
            let remedy = format!("chown pinset:asterisk {file} && chmod 2750 {file}");
            Finding::error(SETS, message, remedy)
        }
    }
}

/// Checks the folder of PIN files, and each of them.
fn pin_files(folder: &Path) -> Vec<Finding> {
    let name = folder.display();
    let file = quoted(&name.to_string());
    let make = format!("install -d -o pinset -g asterisk -m 2750 {file}");
    let files = match lists::files(folder) {
        Ok(files) => files,
        Err(error) => {
            return vec![Finding::error(LISTS, format_args!("{name}: {error}"), make)];
        }
    };
    if access(folder, Access::WRITE_OK).is_err() {
        let message = format!("{name}: the service may not write it");
        let remedy = format!("chown pinset:asterisk {file} && chmod 2750 {file}");
        return vec![Finding::error(LISTS, message, remedy)];
    }
    let mut findings = vec![Finding::ok(
        LISTS,
        format_args!("{name}: {} PIN files", files.len()),
    )];
    findings.extend(files.into_iter().map(|list| match list.denied {
        None => Finding::ok(LISTS, list.name),
        Some(remedy) => {
            let message = format!("{}: the service may not write it", list.name);
            Finding::warning(LISTS, message, remedy)
        }
    }));
    findings
}

/// Checks the certificate in the file, which the service reads at its start.
fn own_certificate(path: &Path) -> Finding {
    let name = path.display().to_string();
    let renew = "renew it, then systemctl restart pinset-console";
    let read = || {
        let text = std::fs::read(path).ok()?;
        certificate::expiry(&CertificateDer::from_pem_slice(&text).ok()?)
    };
    match read() {
        Some(expiry) => certificate::finding(CERTIFICATE, &name, expiry, Timestamp::now(), renew),
        None => {
            let message = format!("{name}: the certificate can't be read");
            Finding::error(CERTIFICATE, message, renew)
        }
    }
}

fn pepper(config: &Config) -> Finding {
    let keys: Vec<String> = config.pepper.ids().map(|id| id.to_string()).collect();
    match keys.is_empty() {
        false => Finding::ok(PEPPER, format_args!("keys: {}", keys.join(", "))),
        true => Finding::ok(PEPPER, "no pepper_file: no secrets with hmac-sha256"),
    }
}

fn pbx(name: &str, pbx: &Pbx) -> Finding {
    let security = match &pbx.security {
        PbxSecurity::Loopback => "on this machine".to_owned(),
        PbxSecurity::Ca(path) => format!("TLS, {}", path.display()),
        PbxSecurity::Fingerprint(digest) => {
            let mut text = "TLS, certificate ".to_owned();
            pinset::hex::append(&mut text, digest);
            text
        }
    };
    let message = format!("{name}: user {} at {} ({security})", pbx.user, pbx.address);
    if pbx.secret.len() < MIN_SECRET_BYTES {
        return Finding::warning(
            PBX,
            format_args!("{message}: the secret is short"),
            format_args!("use at least {MIN_SECRET_BYTES} random characters: openssl rand -hex 32"),
        );
    }
    Finding::ok(PBX, message)
}

/// Checks that a log can be read.
fn readable(check: &'static str, path: &Path, missing: &str) -> Finding {
    let name = path.display();
    match File::open(path) {
        Ok(_) => Finding::ok(check, name),
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => {
            Finding::warning(check, format_args!("{name}: {error}"), missing)
        }
        Err(error) => {
            let file = quoted(&name.to_string());
            let remedy = format!("chgrp asterisk {file} && chmod g+r {file}");
            Finding::warning(check, format_args!("{name}: {error}"), remedy)
        }
    }
}
