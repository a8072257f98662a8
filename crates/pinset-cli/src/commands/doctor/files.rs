//! Checks of PIN files and of the pepper file: rights, keys, weak PINs.

use std::collections::BTreeSet;
use std::fmt::Display;
use std::fs;
use std::io::ErrorKind;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};

use pinset::config::Source;
use pinset::credential::secret_file;
use pinset::permission::quoted;
use pinset::{Pepper, Settings};
use zeroize::Zeroizing;

use crate::commands::doctor::identity::Identity;
use crate::common::config_file::PinSets;
use crate::common::finding::Finding;
use crate::pin_files::check::Examiner;

const PEPPER: &str = "pepper";
const PIN_FILE: &str = "pin_file";
const AUTH: &str = "auth_file";
const WEAK: &str = "weak_pins";

const OTHERS_READ: u32 = 0o004;
const OTHERS_WRITE: u32 = 0o002;

pub(super) fn findings(
    settings: &Settings,
    pin_sets: &PinSets,
    identity: &Identity,
) -> Vec<Finding> {
    let mut findings = Vec::new();
    if let Some(path) = &settings.pepper_file {
        findings.push(pepper(path, identity));
    }
    let credentials = pin_sets
        .iter()
        .filter_map(|(_, set)| set.external.auth.file());
    let credentials: BTreeSet<&PathBuf> = credentials.collect();
    findings.extend(credentials.into_iter().map(|path| auth(path, identity)));
    // Several PIN sets may use one file.
    let paths: BTreeSet<&PathBuf> = pin_sets.iter().filter_map(|(_, set)| file(set)).collect();
    match Examiner::new(pin_sets, settings) {
        Ok(examiner) => findings.extend(
            paths
                .into_iter()
                .flat_map(|path| pin_file(path, &examiner, identity)),
        ),
        Err(error) => findings.push(Finding::error(
            PIN_FILE,
            error,
            "correct the numbering options in authenticate.conf",
        )),
    }
    findings
}

fn file(set: &pinset::PinSet) -> Option<&PathBuf> {
    match &set.source {
        Some(Source::File(path)) => Some(path),
        _ => None,
    }
}

/// Checks the rights and the keys of the pepper file, as the module does.
fn pepper(path: &Path, identity: &Identity) -> Finding {
    let name = path.display();
    let keys = match secret(PEPPER, path, identity) {
        Ok(keys) => keys,
        Err(finding) => return *finding,
    };
    match Pepper::parse(&keys) {
        Ok(keys) => {
            let ids: Vec<String> = keys.ids().map(|id| id.to_string()).collect();
            Finding::ok(PEPPER, format_args!("{name}: keys: {}", ids.join(", ")))
        }
        Err(error) => Finding::error(
            PEPPER,
            format_args!("{name}: {error}"),
            "correct the line; keep each key as long as PIN files have secrets of it",
        ),
    }
}

/// Checks the rights of a file with the credentials for a web service.
fn auth(path: &Path, identity: &Identity) -> Finding {
    match secret(AUTH, path, identity) {
        Ok(_) => Finding::ok(AUTH, path.display()),
        Err(finding) => *finding,
    }
}

/// Reads a secret file that Asterisk must be able to read, and other users must not.
fn secret(
    check: &'static str,
    path: &Path,
    identity: &Identity,
) -> Result<Zeroizing<Vec<u8>>, Box<Finding>> {
    let name = path.display();
    let error = |error: &dyn Display| {
        let file = quoted(&name.to_string());
        let group = identity.account().group;
        let remedy = format!("chown root:{group} {file} && chmod u=rw,g=r,o= {file}");
        Box::new(Finding::error(
            check,
            format_args!("{name}: {error}"),
            remedy,
        ))
    };
    identity.may_read(path).map_err(|denied| error(&denied))?;
    secret_file::read(path, identity.of_files()).map_err(|unsafe_file| error(&unsafe_file))
}

/// Checks the rights and the contents of a PIN file.
fn pin_file(path: &Path, examiner: &Examiner, identity: &Identity) -> Vec<Finding> {
    let name = path.display();
    let check = format!(
        "pinset check --config authenticate.conf {}",
        quoted(&name.to_string())
    );
    if let Err(error) = identity.may_read(path) {
        let file = quoted(&name.to_string());
        let group = identity.account().group;
        let remedy = if error.kind() == ErrorKind::PermissionDenied {
            format!("chgrp {group} {file} && chmod g+r {file}; namei -l {file} shows the folders")
        } else {
            "create it, or correct source in authenticate.conf".to_owned()
        };
        return vec![Finding::error(
            PIN_FILE,
            format_args!("{name}: {error}"),
            remedy,
        )];
    }
    let mut findings = rights(path).into_iter().collect::<Vec<_>>();
    let examined = match examiner.examine(path) {
        Ok(examined) => examined,
        Err(error) => {
            findings.push(Finding::error(
                PIN_FILE,
                format_args!("{name}: {error}"),
                check,
            ));
            return findings;
        }
    };
    for objection in examined.objections {
        findings.push(Finding::error(
            PIN_FILE,
            format_args!("{name}: {objection}"),
            &check,
        ));
    }
    if examined.invalid > 0 {
        findings.push(Finding::error(
            PIN_FILE,
            format_args!("{name}: invalid lines: {}", examined.invalid),
            &check,
        ));
    }
    if findings.is_empty() {
        findings.push(Finding::ok(
            PIN_FILE,
            format_args!("{name}: {} entries", examined.entries),
        ));
    }
    if examined.weak > 0 {
        findings.push(Finding::warning(
            WEAK,
            format_args!("{name}: weak PINs: {}", examined.weak),
            check,
        ));
    }
    findings
}

/// Reports the rights of users other than Asterisk's.
fn rights(path: &Path) -> Option<Finding> {
    let mode = fs::metadata(path).ok()?.permissions().mode();
    let name = path.display();
    let remedy = format!("chmod o= {}", quoted(&name.to_string()));
    if mode & OTHERS_WRITE != 0 {
        let message = format!("{name}: world-writable, so it admits nobody");
        return Some(Finding::error(PIN_FILE, message, remedy));
    }
    let message = format!("{name}: every user of this machine can read it");
    (mode & OTHERS_READ != 0).then(|| Finding::warning(PIN_FILE, message, remedy))
}
