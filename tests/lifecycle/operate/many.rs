//! Ten thousand lockouts.

use std::time::Instant;

use anyhow::{ensure, Result};
use harness::{Call, Outcome, Pbx};

use super::{line, says, verify, with, PIN};
use crate::module::OURS;
use crate::support::on;

const MANY: usize = 10_000;

const CONF: &str = "
[general]
lockout_pinset = no

[customers]
source = file:/pins/customers.csv
lockout_caller = 1/15m/24h
";

/// The command line and AMI show all of them, before and after the module was
/// loaded again; calls continue meanwhile.
#[test]
fn many_pin_sets_are_shown_while_calls_go_on() {
    on(with(CONF), |pbx| {
        let ami = pbx.ami()?;
        for caller in 0..MANY {
            let caller = format!("+9021255{caller:05}");
            let headers = [
                ("PinSet", "customers"),
                ("Secret", "1"),
                ("Caller", &caller),
            ];
            ami.send("AuthenticateVerify", &headers)?;
        }
        // A session's actions are done one after the other. An answer to
        // those ten thousand may take longer than one action.
        crate::support::eventually("the last", || {
            Ok(pbx.manager()?.list("AuthenticateLockouts", &[])?.len() == MANY)
        })?;
        look(pbx)?;
        pbx.cli(&format!("module unload {OURS}"))?;
        pbx.cli(&format!("module load {OURS}"))?;
        look(pbx)?;
        let ami = pbx.manager()?;
        for (what, printed) in [("+902125500000", "1 unlocked"), ("AMI", "9999 unlocked")] {
            let command = format!("authenticate unlock caller {what}");
            says(&ami.command(&command)?, &[printed])?;
        }
        ensure!(ami.list("AuthenticateLockouts", &[])?.is_empty());
        ensure!(verify(&ami, "customers", PIN, "+902125500000")? == "SUCCESS");
        Ok(())
    });
}

fn look(pbx: &Pbx) -> Result<()> {
    let ami = pbx.manager()?;
    std::thread::scope(|scope| -> Result<()> {
        let calling = scope.spawn(|| pbx.call(&Call::new("1,q,1,&").keys("<now>1")));
        let began = Instant::now();
        // As a terminal gets it, in pieces; and as AMI does.
        let shown = pbx.cli("authenticate show lockouts")?;
        println!(
            "the command line shows {MANY} lockouts in {:?}",
            began.elapsed()
        );
        says(&shown, &["10000 lockouts"])?;
        let locks = shown
            .lines()
            .map(|line| line.split_whitespace().take(3).collect::<Vec<_>>())
            .filter(|cells| {
                cells.starts_with(&["customers", "caller"]) && cells[2].starts_with("+9021255")
            });
        ensure!(locks.count() == MANY, "{shown}");
        let began = Instant::now();
        let list = ami.list("AuthenticateLockouts", &[])?;
        println!("AMI lists them in {:?}", began.elapsed());
        ensure!(list.len() == MANY, "{}", list.len());
        let of_one = ami.command("authenticate show pinsets")?;
        ensure!(line(&of_one, "customers").len() > 5, "{of_one}");
        let report = calling.join().map_err(|_| anyhow::anyhow!("panicked"))??;
        ensure!(report.outcome == Outcome::Passed, "{report:#?}");
        Ok(())
    })
}
