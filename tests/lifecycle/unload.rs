//! Unloading while a call is inside.

use std::time::{Duration, Instant};

use anyhow::{ensure, Result};
use harness::{Call, Module, Outcome, Pbx};

use crate::module::{load_by_ami, module_action, unload_wholly, use_count, OURS};
use crate::support::{on, Shell};

#[test]
fn refused_during_a_call_which_goes_on() {
    on(Pbx::builder().module(Module::Ours), |pbx| {
        let ami = pbx.ami()?;
        let mut shell = Shell::open(pbx)?;
        load_by_ami(&ami, &mut shell)?;
        ensure!(use_count(&ami)? == 0);
        let mut call = pbx.place(&Call::new("1234").keys("9999# <wait 0.3>1234#"))?;
        call.until_sound("auth-incorrect")?;
        ensure!(use_count(&ami)? == 1);
        ensure!(module_action(&ami, "unload", OURS).is_err());
        let said = pbx.cli(&format!("module unload {OURS}"))?;
        ensure!(said.contains("Unable to unload"), "{said}");
        // A reload is no unload: it may come at any time.
        module_action(&ami, "reload", OURS)?;
        let report = call.finish()?;
        ensure!(report.outcome == Outcome::Passed, "{report:#?}");
        ensure!(report.status() == "SUCCESS", "{report:#?}");
        ensure!(use_count(&ami)? == 0);
        unload_wholly(pbx, &ami, &mut shell)?;
        // Calls still reach the dialplan, and are refused for want of the
        // application.
        let report = pbx.call(&Call::new("1234").keys("1234#"))?;
        ensure!(report.outcome != Outcome::Passed, "{report:#?}");
        module_action(&ami, "load", OURS)?;
        let report = pbx.call(&Call::new("1234,q").keys("1234#"))?;
        ensure!(report.outcome == Outcome::Passed, "{report:#?}");
        Ok(())
    });
}

/// `module unload -f` asks Asterisk to hang up the calls inside and then to
/// take the module away whatever its use count: the module itself says no.
#[test]
fn refused_by_force_too() {
    on(Pbx::builder().module(Module::Ours), |pbx| {
        let ami = pbx.ami()?;
        let mut shell = Shell::open(pbx)?;
        let forced = format!("module unload -f {OURS}");
        let mut calls = Vec::new();
        for _ in 0..5 {
            let mut call = pbx.place(&Call::new("1234").keys("9"))?;
            call.until_sound("agent-pass")?;
            calls.push(call);
        }
        let said = pbx.cli(&forced)?;
        ensure!(said.contains("Unable to unload"), "{said}");
        for call in calls {
            let report = call.finish()?;
            ensure!(report.outcome == Outcome::HungUp, "{report:#?}");
            ensure!(report.status() == "HANGUP", "{report:#?}");
            ensure!(report.sounds == ["agent-pass"], "{report:#?}");
        }
        ensure!(use_count(&ami)? == 0);
        let report = pbx.call(&Call::new("1234,q").keys("1234#"))?;
        ensure!(report.outcome == Outcome::Passed, "{report:#?}");
        pbx.cli(&forced)?;
        ensure!(use_count(&ami).is_err(), "still there");
        ensure!(crate::module::mappings(pbx, &mut shell)? == 0);
        Ok(())
    });
}

/// Unloading under load: whatever moment it hits, the call it races with is
/// admitted or refused, and the PBX lives.
#[test]
fn unloading_in_the_middle_of_traffic_crashes_nothing() {
    on(Pbx::builder().module(Module::Ours), |pbx| {
        let ami = pbx.ami()?;
        let mut shell = Shell::open(pbx)?;
        load_by_ami(&ami, &mut shell)?;
        let end = Instant::now() + Duration::from_secs(6);
        let (mut unloads, mut refusals) = (0, 0);
        std::thread::scope(|scope| -> Result<()> {
            let callers: Vec<_> = (0..6)
                .map(|_| {
                    scope.spawn(|| -> Result<u32> {
                        let mut passed = 0;
                        while Instant::now() < end {
                            let report = pbx.call(&Call::new("1,q,1,&").keys("<now>1"))?;
                            passed += u32::from(report.outcome == Outcome::Passed);
                        }
                        Ok(passed)
                    })
                })
                .collect();
            while Instant::now() < end {
                match module_action(&ami, "unload", OURS) {
                    Ok(()) => {
                        unloads += 1;
                        module_action(&ami, "load", OURS)?;
                    }
                    Err(_) => refusals += 1,
                }
            }
            for caller in callers {
                let passed = caller.join().map_err(|_| anyhow::anyhow!("a caller"))??;
                ensure!(passed > 0, "nobody got in");
            }
            Ok(())
        })?;
        ensure!(unloads > 0 && refusals > 0, "{unloads} and {refusals}");
        unload_wholly(pbx, &ami, &mut shell)
    });
}
