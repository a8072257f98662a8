//! The log level `AUTHENTICATE`: its registration and its lifetime.

use anyhow::{ensure, Result};
use harness::{Ami, Call, Outcome, Pbx};

use super::{builder, lines, of_channel, LOGGER};
use crate::module::{load_by_ami, module_action, unload_wholly, OURS};
use crate::support::{on, Shell};

fn has_level(ami: &Ami) -> Result<bool> {
    let levels = ami.command("logger show levels")?;
    Ok(levels
        .lines()
        .any(|line| line.trim_end().ends_with(" AUTHENTICATE")))
}

/// Checks that a call is reported in the level's file.
fn is_reported(pbx: &Pbx) -> Result<()> {
    let report = pbx.call(&Call::new("1,q,1,&").keys("<now>1"))?;
    ensure!(report.outcome == Outcome::Passed, "{report:#?}");
    of_channel(&lines(pbx)?, &report.channel).map(drop)
}

#[test]
fn log_level_is_registered_and_unregistered_with_the_module() {
    on(builder(""), |pbx| {
        let ami = pbx.ami()?;
        let mut shell = Shell::open(pbx)?;
        is_reported(pbx)?;
        load_by_ami(&ami, &mut shell)?;
        // More often than there are numbers for levels.
        for _ in 0..20 {
            ensure!(has_level(&ami)?);
            unload_wholly(pbx, &ami, &mut shell)?;
            ensure!(!has_level(&ami)?);
            module_action(&ami, "load", OURS)?;
        }
        is_reported(pbx)?;
        ami.command("logger reload")?;
        is_reported(pbx)?;
        module_action(&ami, "reload", OURS)?;
        ensure!(has_level(&ami)?);
        is_reported(pbx)?;
        unload_wholly(pbx, &ami, &mut shell)?;
        ensure!(!has_level(&ami)?);
        let log = pbx.log()?;
        ensure!(!log.contains("Unable to register dynamic logger level"));
        Ok(())
    });
}

#[test]
fn existing_log_level_is_used_and_kept() {
    let logger = LOGGER.replace("[general]\n", "[general]\ncustom_levels = AUTHENTICATE\n");
    on(builder("").file("logger.conf", logger), |pbx| {
        let ami = pbx.ami()?;
        let mut shell = Shell::open(pbx)?;
        is_reported(pbx)?;
        load_by_ami(&ami, &mut shell)?;
        is_reported(pbx)?;
        unload_wholly(pbx, &ami, &mut shell)?;
        ensure!(has_level(&ami)?);
        ami.command("logger reload")?;
        module_action(&ami, "load", OURS)?;
        is_reported(pbx)?;
        ensure!(!pbx
            .log()?
            .contains("Unable to register dynamic logger level"));
        Ok(())
    });
}

/// Asterisk has sixteen: fifteen are `logger.conf`'s here, one is another
/// module's.
#[test]
fn audit_line_without_a_free_level_is_a_notice() {
    let names: Vec<String> = (1..=15).map(|number| format!("LEVEL{number}")).collect();
    let general = format!("[general]\ncustom_levels = {}\n", names.join(","));
    let builder = builder("")
        .file("logger.conf", LOGGER.replace("[general]\n", &general))
        .modules("preload = res_security_log.so");
    on(builder, |pbx| {
        let ami = pbx.ami()?;
        ensure!(!has_level(&ami)?);
        let report = pbx.call(&Call::new("1,q,1,&").keys("<now>1"))?;
        ensure!(report.outcome == Outcome::Passed, "{report:#?}");
        let log = pbx.log()?;
        let fields = log.matches("no log level to spare").count();
        ensure!(fields == 1, "{fields}");
        let id = format!("UniqueID=\"{}\"", report.channel);
        let lines: Vec<_> = log.lines().filter(|line| line.contains(&id)).collect();
        let is_notice = |line: &&str| line.contains("] NOTICE[") && line.contains("SUCCESS");
        ensure!(lines.len() == 1 && lines.iter().all(is_notice), "{lines:?}");
        ensure!(lines[0].contains(" audit.rs: Outcome="), "{lines:?}");
        ensure!(super::lines(pbx)?.is_empty());
        Ok(())
    });
}
