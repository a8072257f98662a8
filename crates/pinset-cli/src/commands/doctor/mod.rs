//! `pinset doctor`: what is wrong with the `Authenticate` of an installed PBX.

mod files;
mod finding;
mod identity;
mod module;
mod services;

use crate::common::asterisk::modules::Started;
use crate::common::asterisk::{Asterisk, AsteriskArgs, CliError};
use crate::common::error::CommandError;
use crate::common::finding::Finding;
use crate::installation::configuration::Configuration;
use crate::installation::{clock, running};
use finding::Report;
use identity::Identity;

/// Checks the installation: module, configuration, PIN files, web services, clock.
#[derive(Debug, clap::Args)]
#[command(after_help = "\
Prints a summary, then one line per finding: its level (ok, warning, error), the check,
what was found, and after -> the remedy. Changes nothing, and prints no PIN. Run it
as root, so that it can read all files and command Asterisk. If Asterisk does not run,
the checks of the running one are left out.

Exit code, as that of monitoring plugins: 0 all is well; 1 warnings; 2 errors; 3 a
wrong command line, or the checks could not be made.")]
pub(crate) struct Doctor {
    /// Print JSON (the fields are in docs/operating.md)
    #[arg(long)]
    json: bool,
    /// Do not connect to web services
    #[arg(long)]
    no_network: bool,
    #[command(flatten)]
    asterisk: AsteriskArgs,
}

pub(crate) fn run(arguments: &Doctor) -> Result<u8, CommandError> {
    let asterisk = arguments.asterisk.find()?;
    let mut findings = Vec::new();
    let started = started(&asterisk, &mut findings)?;
    findings.extend(module::findings(&asterisk, started)?);
    let configuration = Configuration::read(&asterisk);
    findings.extend(configuration.findings());
    findings.extend(running::audit_log(&asterisk, started.is_some()));
    if started.is_some_and(|started| started.ours.is_some()) {
        findings.extend(running::module_state(&asterisk).map_err(CommandError::new)?);
    }
    if let Configuration::Valid { settings, pin_sets } = &configuration {
        let identity = Identity::of(&asterisk, started.is_some());
        findings.extend(files::findings(settings, pin_sets, &identity));
        if !arguments.no_network {
            findings.extend(services::findings(pin_sets));
        }
    }
    findings.push(clock::finding(&asterisk));
    let report = Report::new(findings);
    report.print(arguments.json).map_err(CommandError::Output)
}

/// Reports whether Asterisk runs. Returns its modules if it does.
fn started(
    asterisk: &Asterisk,
    findings: &mut Vec<Finding>,
) -> Result<Option<Started>, CommandError> {
    match asterisk.cli("core show version") {
        Ok(version) => {
            let line = version.lines().find(|line| line.starts_with("Asterisk "));
            findings.push(Finding::ok("asterisk", line.unwrap_or("Asterisk runs")));
            Started::ask(asterisk).map(Some).map_err(CommandError::new)
        }
        Err(CliError::NotRunning) => {
            findings.push(Finding::warning(
                "asterisk",
                "Asterisk is not running: the checks of the running one are left out",
                "systemctl start asterisk",
            ));
            Ok(None)
        }
        Err(error) => Err(CommandError::new(error)),
    }
}
