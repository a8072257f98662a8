//! `pinset asterisk`: the switch between the stock module and ours.

use std::fs;
use std::io::{BufRead, BufReader};
use std::process::Stdio;
use std::time::Duration;

use anyhow::{ensure, Context, Result};
use harness::{our_module, Call, Module, Outcome, Pbx};

use super::takeover::{unconfigured, MODULES};
use crate::module::{use_count, OURS, STOCK};
use crate::support::on;
use crate::unprivileged::install_pinset;

/// Runs `pinset asterisk` with these words. Returns its exit code, and all that it prints.
fn switch(pbx: &Pbx, words: &str) -> Result<(i32, String)> {
    let script = format!("pinset asterisk {words} 2>&1");
    let output = pbx.exec_command(&["bash", "-c", &script]).output()?;
    let code = output.status.code().context("killed by a signal")?;
    Ok((code, String::from_utf8_lossy(&output.stdout).into_owned()))
}

/// Runs it, and expects this exit code.
fn exits(pbx: &Pbx, words: &str, wanted: i32) -> Result<String> {
    let (code, printed) = switch(pbx, words)?;
    ensure!(code == wanted, "{words}: {code}: {printed}");
    Ok(printed)
}

/// Whether our module answers a call, and not the stock one.
fn is_ours(pbx: &Pbx) -> Result<bool> {
    let report = pbx.call(&Call::new("1234,q").keys("1234#"))?;
    let ours = report.status() == "SUCCESS";
    ensure!(report.outcome == Outcome::Passed || !ours, "{report:#?}");
    ensure!(use_count(&*pbx.manager()?).is_ok() == ours, "{ours}");
    Ok(ours)
}

fn modules_conf(pbx: &Pbx) -> Result<String> {
    let path = pbx.outside(MODULES).context("no way in")?;
    Ok(fs::read_to_string(path)?)
}

/// There and back, each kept by a restart, and again without an effect.
fn there_and_back(pbx: &Pbx) -> Result<()> {
    ensure!(!is_ours(pbx)?);
    for (word, ours, status) in [("enable", true, 0), ("disable", false, 1)] {
        exits(pbx, word, 0)?;
        ensure!(is_ours(pbx)? == ours, "{word}");
        let written = modules_conf(pbx)?;
        exits(pbx, "status", status)?;
        exits(pbx, word, 0)?;
        ensure!(modules_conf(pbx)? == written, "{word} has changed it again");
        pbx.restart()?;
        ensure!(is_ours(pbx)? == ours, "{word}, after a restart");
        exits(pbx, "status", status)?;
    }
    Ok(())
}

#[test]
fn switch_goes_there_and_back_with_autoload() {
    on(unconfigured(), |pbx| {
        install_pinset(pbx)?;
        pbx.put_module(&our_module()?, OURS)?;
        // A restart would load ours.
        let printed = exits(pbx, "status", 2)?;
        for wanted in [
            &format!("configured: {OURS}\n"),
            &format!("{MODULES}:2: autoload = yes\n"),
            &format!("running: {STOCK}\n"),
            "They differ",
        ] {
            ensure!(printed.contains(wanted), "{wanted}: {printed}");
        }
        there_and_back(pbx)?;
        // While Asterisk is down, too.
        pbx.stop()?;
        let printed = exits(pbx, "enable", 0)?;
        ensure!(printed.contains("Asterisk is not running"), "{printed}");
        let printed = exits(pbx, "status", 0)?;
        ensure!(
            printed.contains("running: Asterisk is not running"),
            "{printed}"
        );
        pbx.start_again()?;
        ensure!(is_ours(pbx)?);
        // Only the file.
        exits(pbx, "disable --no-reload", 0)?;
        ensure!(is_ours(pbx)?);
        exits(pbx, "status", 2)?;
        Ok(())
    });
}

#[test]
fn switch_goes_there_and_back_without_autoload() {
    on(Pbx::builder().module(Module::Theirs), |pbx| {
        install_pinset(pbx)?;
        pbx.put_module(&our_module()?, OURS)?;
        exits(pbx, "status", 1)?;
        there_and_back(pbx)
    });
}

#[test]
fn module_that_cannot_be_loaded_is_taken_back() {
    on(unconfigured(), |pbx| {
        install_pinset(pbx)?;
        let before = modules_conf(pbx)?;
        let refused = |module: Option<&[u8]>, wanted: &[&str]| -> Result<()> {
            if let Some(module) = module {
                let file = tempfile::NamedTempFile::new()?;
                fs::write(file.path(), module)?;
                pbx.put_module(file.path(), OURS)?;
            }
            let printed = exits(pbx, "enable", 3)?;
            for wanted in wanted {
                ensure!(printed.contains(wanted), "{wanted}: {printed}");
            }
            ensure!(modules_conf(pbx)? == before, "{printed}");
            ensure!(!is_ours(pbx)?);
            Ok(())
        };
        refused(None, &["No such file"])?;
        let module = fs::read(our_module()?)?;
        let marker = b"authrs-built-for:22:";
        let at = module.windows(marker.len()).position(|part| part == marker);
        let at = at.context("no marker")?;
        let mut foreign = module.clone();
        foreign[at + marker.len() - 2] = b'1';
        refused(
            Some(&foreign),
            &["built for Asterisk 21", "this is Asterisk 22."],
        )?;
        // The first checks pass, but the linker refuses it.
        let cut = &module[at..at + marker.len() + 40];
        refused(
            Some(cut),
            &[
                &format!("Asterisk can't load {OURS}"),
                &format!("{STOCK} is loaded again"),
                &format!("{MODULES}: restored"),
            ],
        )
    });
}

#[test]
fn call_in_progress_delays_the_switch() {
    on(unconfigured(), |pbx| {
        install_pinset(pbx)?;
        pbx.put_module(&our_module()?, OURS)?;
        let minute = Duration::from_secs(60);
        let call = Call::new("1234").keys("1234#").timeouts(minute, minute);
        let mut call = pbx.place(&call)?;
        call.until_sound("agent-pass")?;
        let printed = exits(pbx, "enable --now", 1)?;
        ensure!(printed.contains("a call is in Authenticate"), "{printed}");
        exits(pbx, "status", 2)?;
        let mut waiting = pbx
            .exec_command(&["pinset", "asterisk", "enable", "--wait", "600"])
            .stderr(Stdio::piped())
            .spawn()?;
        let lines = BufReader::new(waiting.stderr.take().context("no pipe")?).lines();
        let mut lines = lines.map_while(Result::ok);
        let wanted = "waiting: calls in Authenticate: 1";
        ensure!(lines.any(|line| line.contains(wanted)), "it does not wait");
        ensure!(waiting.try_wait()?.is_none(), "it has ended");
        call.finish()?;
        let rest: Vec<String> = lines.collect();
        ensure!(waiting.wait()?.success(), "{rest:?}");
        ensure!(is_ours(pbx)?);
        exits(pbx, "status", 0)?;
        Ok(())
    });
}
