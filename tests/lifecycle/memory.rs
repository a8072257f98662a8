//! Errors of memory and leaks: `make valgrind` alone runs these tests.

use anyhow::{ensure, Result};
use harness::{Call, Module, Outcome, Pbx};

use crate::module::{load_by_ami, mappings, module_action, unload_wholly, OURS};
use crate::support::{eventually, on, Shell};
use crate::variants::TEST_BUILD;

const ROUNDS: usize = 10;

const CONFIGURATION: &str = "
[general]
stock_hide_digits = yes
source_timeout = 60
lockout_caller = no
lockout_account = no
lockout_pinset = no
[lost]
source = https://no-such-host.invalid/
[customers]
source = file:/pins/customers.csv
format = csv
";

/// What has leaked by an unload is lost, because nothing of the module is left.
#[test]
#[ignore = "needs valgrind: make valgrind"]
fn ten_loads_and_unloads_lose_no_memory() {
    let builder = Pbx::builder()
        .file("authenticate.conf", CONFIGURATION)
        .pin_file(
            "customers.csv",
            "account,secret,max_uses\n1,plain:1234,90\n",
        )
        .pin_file("plain", "4711\n");
    on(builder.module(Module::Ours), |pbx| {
        let ami = pbx.ami()?;
        let mut shell = Shell::open(pbx)?;
        load_by_ami(&ami, &mut shell)?;
        for round in 0..ROUNDS {
            if round > 0 {
                module_action(&ami, "load", OURS)?;
            }
            pbx.db_put("once", "55", "1")?;
            for (arguments, keys, outcome) in [
                ("1,q,1,&", "<now>1", Outcome::Passed),
                ("/once,drq,2,&", "<now>55", Outcome::Passed),
                ("/pins/plain,q,4,&", "<now>4711", Outcome::Passed),
                ("pinset:customers,q", "1234#", Outcome::Passed),
                ("pinset:lost,q", "", Outcome::HungUp),
                ("pinset:customers,q", "9999#<hangup>", Outcome::HungUp),
            ] {
                let call = Call::new(arguments).keys(keys).hidden_digits(true);
                let report = pbx.call(&call)?;
                ensure!(report.outcome == outcome, "{arguments}: {report:#?}");
            }
            module_action(&ami, "reload", OURS)?;
            ami.command("authenticate show lockouts")?;
            // The thread for requests ends soon after the last one.
            eventually("an unload", || {
                Ok(module_action(&ami, "unload", OURS).is_ok())
            })?;
            ensure!(mappings(pbx, &mut shell)? == 0, "it is still mapped");
        }
        let errors = pbx.memory_errors()?;
        ensure!(errors.is_empty(), "{}", errors.concat());
        Ok(())
    });
}

/// Returns what valgrind has found of a call of this application, and of an unload.
fn errors_of(application: &str) -> Result<Vec<String>> {
    let pbx = Pbx::builder()
        .module_file(TEST_BUILD.get()?.module)
        .start()?;
    let ami = pbx.ami()?;
    let mut shell = Shell::open(&pbx)?;
    load_by_ami(&ami, &mut shell)?;
    pbx.call(&Call::new(application).keys("<hangup>"))?;
    unload_wholly(&pbx, &ami, &mut shell)?;
    pbx.memory_errors()
}

#[test]
#[ignore = "needs valgrind: make valgrind"]
fn leak_of_an_unloaded_module_is_found() -> Result<()> {
    let errors = errors_of("leak!")?;
    let text = errors.concat();
    ensure!(errors.len() == 1, "{text}");
    ensure!(text.starts_with("Leak_DefinitelyLost"), "{text}");
    ensure!(text.contains("memory_errors::leak"), "{text}");
    Ok(())
}

#[test]
#[ignore = "needs valgrind: make valgrind"]
fn read_of_freed_memory_is_found() -> Result<()> {
    let errors = errors_of("read freed!")?;
    let text = errors.concat();
    ensure!(errors.len() == 1, "{text}");
    ensure!(text.starts_with("InvalidRead"), "{text}");
    ensure!(text.contains("memory_errors::read_freed"), "{text}");
    Ok(())
}
