//! Nothing of commands, actions and metrics outlives the module.

use anyhow::ensure;

use super::{says, some, verify, PIN};
use crate::module::{load_by_ami, module_action, unload_wholly, OURS, STOCK};
use crate::support::{on, Shell};

const ROUNDS: usize = 200;

/// Used from one long session, whose thread stays.
#[test]
fn two_hundred_sessions_leak_nothing() {
    on(some(), |pbx| {
        let ami = pbx.ami()?;
        let mut shell = Shell::open(pbx)?;
        let threads =
            |shell: &mut Shell| shell.number(&format!("ls /proc/{}/task | wc -l", pbx.pid()?));
        load_by_ami(&ami, &mut shell)?;
        unload_wholly(pbx, &ami, &mut shell)?;
        // Asterisk's own come and go.
        let before = threads(&mut shell)?;
        for _ in 0..ROUNDS {
            module_action(&ami, "load", OURS)?;
            ensure!(verify(&ami, "customers", PIN, "1")? == "SUCCESS");
            ensure!(ami.list("AuthenticatePinsets", &[])?.len() == 4);
            says(
                &ami.command("authenticate show pinset doors")?,
                &["[doors]"],
            )?;
            ami.command("_command matchesarray \"authenticate show \" \"\"")?;
            unload_wholly(pbx, &ami, &mut shell)?;
        }
        let after = threads(&mut shell)?;
        ensure!(after <= before + 5, "{before} threads, then {after}");
        let gone = ami.command("authenticate show stats")?;
        says(&gone, &["No such command"])?;
        ensure!(ami.ask("AuthenticateStats", &[])?.has("Response", "Error"));
        Ok(())
    });
}

/// Nothing is left of a load that is declined.
#[test]
fn declined_load_leaks_nothing() {
    on(some(), |pbx| {
        let ami = pbx.manager()?;
        pbx.cli(&format!("module unload {OURS}"))?;
        pbx.cli(&format!("module load {STOCK}"))?;
        for _ in 0..3 {
            let printed = pbx.cli(&format!("module load {OURS}"))?;
            says(&printed, &["Unable to load"])?;
            let gone = ami.command("authenticate show stats")?;
            says(&gone, &["No such command"])?;
            ensure!(ami.ask("AuthenticateStats", &[])?.has("Response", "Error"));
        }
        pbx.cli(&format!("module unload {STOCK}"))?;
        pbx.cli(&format!("module load {OURS}"))?;
        ensure!(verify(&ami, "customers", PIN, "1")? == "SUCCESS");
        Ok(())
    });
}
