//! `pinset asterisk status`: the configured and the running module.

use std::fs;
use std::io::{self, Write};

use crate::commands::asterisk::modules_conf::{ModulesConf, Selection};
use crate::common::asterisk::modules::{Provider, Started};
use crate::common::asterisk::{Asterisk, CliError};
use crate::common::error::{note, At, CommandError};

/// The exit code if configuration and running Asterisk differ.
const DIFFERENT: u8 = 2;

pub(super) fn run(asterisk: &Asterisk) -> Result<u8, CommandError> {
    let (conf, selection) = read(asterisk)?;
    let started = match Started::ask(asterisk) {
        Ok(started) => Some(started),
        Err(CliError::NotRunning) => None,
        Err(error) => return Err(CommandError::new(error)),
    };
    for skipped in conf.skipped() {
        let place = (skipped.file.display(), skipped.number);
        note(format!("{}:{}: {}", place.0, place.1, skipped.reason));
    }
    let configured = selection.provider();
    print(&selection, configured, started).map_err(CommandError::Output)?;
    let agree = started.is_none_or(|started| started.provider() == configured);
    Ok(match configured {
        Some(Provider::Ours) if agree => 0,
        Some(Provider::Stock) if agree => 1,
        _ => DIFFERENT,
    })
}

/// Reads `modules.conf`. Autoload finds the modules that are in Asterisk's folder.
pub(super) fn read(asterisk: &Asterisk) -> Result<(ModulesConf, Selection), CommandError> {
    let path = asterisk.config_dir().join("modules.conf");
    let conf = ModulesConf::parse(&path, &fs::read(&path).at(&path)?)?;
    let folder = asterisk.module_dir()?;
    let selection = conf.selection(|module| folder.join(module.file()).is_file());
    Ok((conf, selection))
}

fn print(
    selection: &Selection,
    configured: Option<Provider>,
    started: Option<Started>,
) -> io::Result<()> {
    let named = |module: Option<Provider>| module.map_or("none", Provider::file);
    let mut out = io::stdout().lock();
    writeln!(out, "configured: {}", named(configured))?;
    for (place, line) in &selection.lines {
        writeln!(out, "  {place}: {line}")?;
    }
    if let Some(module) = selection.impossible {
        writeln!(
            out,
            "  Asterisk does not start: {module} is both required and excluded: \
             run 'pinset asterisk enable' or 'pinset asterisk disable'"
        )?;
    }
    let Some(started) = started else {
        writeln!(out, "running: Asterisk is not running")?;
        return out.flush();
    };
    let running = started.provider();
    writeln!(out, "running: {}", named(running))?;
    if let Some(module) = running {
        let calls = started.uses(module).unwrap_or_default();
        writeln!(out, "  calls in it: {calls}")?;
    }
    if running != configured {
        writeln!(
            out,
            "They differ: the next restart of Asterisk loads the configured module; \
             'pinset asterisk enable' or 'disable' does it now"
        )?;
    }
    out.flush()
}
