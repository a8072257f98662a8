//! Checks of the running module, and of the module that provides `Authenticate`.

use std::fs;

use crate::commands::asterisk::read_modules_conf;
use crate::common::asterisk::modules::{Provider, Started};
use crate::common::asterisk::Asterisk;
use crate::common::error::CommandError;
use crate::common::finding::Finding;
use crate::installation::module;

const PROVIDER: &str = "provider";

pub(super) fn findings(
    asterisk: &Asterisk,
    started: Option<Started>,
) -> Result<Vec<Finding>, CommandError> {
    let mut findings = vec![module::file(asterisk)?];
    let ours_runs = started.is_some_and(|started| started.ours.is_some());
    if ours_runs {
        findings.extend(version(asterisk));
    }
    findings.push(provider(asterisk, started));
    Ok(findings)
}

/// Compares the running module with `pinset`, and with the installed file.
fn version(asterisk: &Asterisk) -> Option<Finding> {
    let shown = asterisk.cli("authenticate show version").ok()?;
    let line = shown
        .lines()
        .find(|line| line.starts_with("app_authenticate_rs "))?;
    let refresh = format!("asterisk -rx 'module refresh {}'", Provider::Ours);
    if is_replaced(asterisk) {
        return Some(Finding::warning(
            module::VERSION,
            format_args!("{line}: its file has been replaced since Asterisk loaded it"),
            refresh,
        ));
    }
    Some(module::version(line))
}

/// Returns whether the file that Asterisk has loaded is no longer there.
fn is_replaced(asterisk: &Asterisk) -> bool {
    let maps = asterisk.process().map(|pid| format!("/proc/{pid}/maps"));
    let maps = maps
        .and_then(|path| fs::read_to_string(path).ok())
        .unwrap_or_default();
    let mut lines = maps.lines();
    lines.any(|line| line.contains("app_authenticate_rs") && line.ends_with("(deleted)"))
}

/// Compares the configured module with the running one.
fn provider(asterisk: &Asterisk, started: Option<Started>) -> Finding {
    let enable = "pinset asterisk enable";
    let selection = match read_modules_conf(asterisk) {
        Ok(selection) => selection,
        Err(error) => return Finding::error(PROVIDER, error, "correct modules.conf"),
    };
    let named = |module: Option<Provider>| module.map_or("no module", Provider::file);
    if let Some(module) = selection.impossible {
        let message =
            format!("modules.conf requires and excludes {module}: Asterisk does not start with it");
        return Finding::error(PROVIDER, message, enable);
    }
    let configured = selection.provider();
    let running = started.map(Started::provider);
    match (configured, running) {
        (Some(Provider::Ours), None | Some(Some(Provider::Ours))) => Finding::ok(
            PROVIDER,
            format_args!("{} provides Authenticate", Provider::Ours),
        ),
        (_, Some(None)) => Finding::error(
            PROVIDER,
            "no module provides Authenticate: calls that reach it are hung up",
            enable,
        ),
        (None, None) => Finding::error(PROVIDER, "modules.conf selects no module", enable),
        (Some(Provider::Stock), None | Some(Some(Provider::Stock))) => Finding::warning(
            PROVIDER,
            format_args!("the stock module {} provides Authenticate", Provider::Stock),
            enable,
        ),
        (configured, Some(running)) => Finding::warning(
            PROVIDER,
            format_args!(
                "{} runs, but the next restart loads {}",
                named(running),
                named(configured)
            ),
            enable,
        ),
    }
}
