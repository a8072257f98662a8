//! A panic in the module ends one call, and nothing else.

use anyhow::ensure;
use harness::{Call, Module, Outcome, Pbx};

use crate::module::{load_by_ami, unload_wholly, use_count};
use crate::support::{on, side_by_side, Shell};
use crate::variants::TEST_BUILD;

#[test]
fn panic_refuses_only_its_own_call() {
    let built = match TEST_BUILD.get() {
        Ok(built) => built,
        Err(error) => panic!("{error:#}"),
    };
    on(Pbx::builder().module_file(built.module), |pbx| {
        let ami = pbx.ami()?;
        let mut shell = Shell::open(pbx)?;
        load_by_ami(&ami, &mut shell)?;
        let pid = pbx.pid()?;
        // One goes on all the time; others come and go.
        let mut witness = pbx.place(&Call::new("1234").keys("9999# <wait 0.2>1234#"))?;
        witness.until_sound("auth-incorrect")?;
        side_by_side(40, 8, |number| {
            let account = format!("before-{number}");
            if number % 2 == 0 {
                let call = Call::new("panic!").variable("CHANNEL(accountcode)", &account);
                let report = pbx.call(&call)?;
                ensure!(report.outcome == Outcome::HungUp, "{report:#?}");
                ensure!(report.status() == "ERROR", "{report:#?}");
                ensure!(report.account_code() == account, "{report:#?}");
                ensure!(report.sounds.is_empty(), "{report:#?}");
            } else {
                let pin = (7000 + number).to_string();
                let call = Call::new(format!("{pin},aq,4,&")).keys(&format!("<now>{pin}"));
                let report = pbx.call(&call)?;
                ensure!(report.outcome == Outcome::Passed, "{report:#?}");
                ensure!(report.account_code() == pin, "{report:#?}");
            }
            Ok(())
        })?;
        let report = witness.finish()?;
        ensure!(report.outcome == Outcome::Passed, "{report:#?}");
        ensure!(pbx.pid()? == pid && use_count(&ami)? == 0);
        let log = pbx.log()?;
        let reported = log.matches("internal error at src/").count();
        ensure!(reported == 20, "{reported} of 20");
        ensure!(!log.contains("deliberate"), "a panic's text is in the log");
        ensure!(!pbx.console()?.contains("panicked"), "{}", pbx.console()?);
        unload_wholly(pbx, &ami, &mut shell)
    });
}

#[test]
fn installed_module_has_no_panic_trigger() {
    on(Pbx::builder().module(Module::Ours), |pbx| {
        let report = pbx.call(&Call::new("panic!").keys("1# 2# 3#"))?;
        ensure!(report.outcome == Outcome::HungUp, "{report:#?}");
        ensure!(report.status() == "FAILURE", "{report:#?}");
        ensure!(!pbx.log()?.contains("internal error"));
        Ok(())
    });
}
