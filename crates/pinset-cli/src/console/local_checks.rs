//! Checks of the Asterisk on this machine, those of `pinset doctor` that need no root, and
//! of the clock.

use std::path::Path;

use pinset::Numbering;

use super::config::Config;
use crate::common::asterisk::{conf, Asterisk};
use crate::common::finding::Finding;
use crate::installation::configuration::Configuration;
use crate::installation::{clock, module, running};

const ASTERISK: &str = "asterisk";
const NUMBERS: &str = "numbers";
const CDR: &str = "cdr";

/// Returns what is right and what is wrong. Runs programs, so it may take a while.
pub(super) fn findings(config: &Config) -> Vec<Finding> {
    let folder = config.config_dir.display();
    let asterisk = match Asterisk::find(&config.config_dir, Path::new("asterisk")) {
        Ok(asterisk) => asterisk,
        Err(error) => return vec![Finding::warning(ASTERISK, error, "correct asterisk.conf")],
    };
    let mut findings = Vec::new();
    if asterisk.is_configured() {
        let file = module::file(&asterisk)
            .unwrap_or_else(|error| Finding::warning(ASTERISK, error, "as root: pinset doctor"));
        findings.push(file);
        let configuration = Configuration::read(&asterisk);
        findings.extend(configuration.findings());
        if let Configuration::Valid { settings, .. } = &configuration {
            findings.push(numbers(&config.numbering, &settings.numbering));
        }
        findings.extend(running::audit_log(&asterisk, false));
        findings.push(unique_ids(&asterisk.config_dir().join("cdr.conf")));
    } else {
        let message = format!("{folder} has no asterisk.conf, so Asterisk is not on this machine");
        findings.push(Finding::ok(ASTERISK, message));
    }
    findings.push(clock::finding(&asterisk));
    findings
}

/// Compares the numbering options with those of `authenticate.conf`.
fn numbers(ours: &Numbering, modules: &Numbering) -> Finding {
    if ours == modules {
        return Finding::ok(NUMBERS, ours);
    }
    let other = modules.options().into_iter().zip(ours.options());
    let other = other.filter(|(theirs, ours)| theirs != ours);
    let other = other.map(|((name, value), _)| format!("{name} = \"{value}\""));
    let other: Vec<_> = other.collect();
    Finding::warning(
        NUMBERS,
        "authenticate.conf compares caller numbers by other options than console.toml",
        format_args!("in [numbers] of console.toml: {}", other.join(", ")),
    )
}

/// Checks that calls can be looked up in the audit log.
fn unique_ids(path: &Path) -> Finding {
    let name = path.display();
    let remedy = "loguniqueid = yes in [csv] of cdr.conf, then asterisk -rx 'module reload \
                  cdr_csv.so'";
    let conf = match conf::read_most(path) {
        Ok(conf) => conf,
        Err(error) => return Finding::warning(CDR, error, remedy),
    };
    let value = conf.value("csv", "loguniqueid").unwrap_or_default();
    match ["yes", "true", "on", "1"].contains(&value.to_ascii_lowercase().as_str()) {
        true => Finding::ok(CDR, format_args!("{name}: loguniqueid = {value}")),
        false => {
            let message = format!("{name}: loguniqueid is not set, so calls have no identity");
            Finding::warning(CDR, message, remedy)
        }
    }
}
