//! Taking over from the stock module, going back to it, and upgrades, by the steps that
//! `make install` and `make uninstall` print.

use std::fs;

use anyhow::{ensure, Context, Result};
use harness::{our_module, Builder, Call, Module, Outcome, Pbx};

use super::{files, install, run, DOCUMENTATION};
use crate::module::{use_count, OURS, STOCK};
use crate::support::{on, Shell};

pub(super) const MODULES: &str = "/etc/asterisk/modules.conf";
const AUTOLOAD: &str = "[modules]\nautoload = yes\n";

/// Asterisk as Debian configures it, without our module.
pub(super) fn unconfigured() -> Builder {
    Pbx::builder()
        .module(Module::None)
        .file("modules.conf", AUTOLOAD)
}

/// Whether our module answers, and not the stock one.
pub(super) fn is_ours(pbx: &Pbx) -> Result<bool> {
    let report = pbx.call(&Call::new("1234").keys("1234#"))?;
    ensure!(report.outcome == Outcome::Passed, "{report:#?}");
    let shown = pbx.cli("core show application Authenticate")?;
    let ours = report.status() == "SUCCESS";
    ensure!(
        shown.contains("AUTHENTICATELEVEL") == ours,
        "{ours}: {shown}"
    );
    ensure!(use_count(&*pbx.manager()?).is_ok() == ours, "{ours}");
    Ok(ours)
}

/// Runs the command that `make install` prints first.
fn activate(pbx: &Pbx, printed: &str) -> Result<()> {
    let step = printed
        .lines()
        .find_map(|line| line.trim().strip_prefix("1. "));
    let command = step.with_context(|| printed.to_owned())?;
    ensure!(command == "/usr/bin/pinset asterisk enable", "{printed}");
    pbx.exec(&command.split(' ').collect::<Vec<_>>()).map(drop)
}

/// Runs the commands of Asterisk that were printed.
fn follow(pbx: &Pbx, printed: &str) -> Result<()> {
    let commands: Vec<&str> = printed
        .lines()
        .filter_map(|line| {
            line.trim()
                .strip_prefix("asterisk -rx '")?
                .strip_suffix('\'')
        })
        .collect();
    ensure!(commands.len() == 3, "{printed}");
    ensure!(commands[0] == "xmldoc reload", "{printed}");
    for command in commands {
        pbx.cli(command)?;
    }
    Ok(())
}

#[test]
fn autoload_install_takes_over_at_restart_and_noload_rolls_back_for_good() {
    on(unconfigured(), |pbx| {
        ensure!(!is_ours(pbx)?);
        let installed = install(pbx, &fs::read(our_module()?)?, "")?;
        ensure!(installed.done, "{}", installed.printed);
        ensure!(
            installed
                .printed
                .contains("a restart of Asterisk activates this module"),
            "{}",
            installed.printed
        );
        pbx.restart()?;
        ensure!(is_ours(pbx)?, "the stock module has won");

        // Back, as docs/install.md says.
        let rollback = format!("{AUTOLOAD}noload = {OURS}\n");
        pbx.write_file(MODULES, rollback)?;
        let xml = format!("{DOCUMENTATION}/app_authenticate_rs-en_US.xml");
        pbx.exec(&["rm", &xml])?;
        for command in [
            "xmldoc reload".to_owned(),
            format!("module unload {OURS}"),
            format!("module load {STOCK}"),
        ] {
            pbx.cli(&command)?;
        }
        ensure!(!is_ours(pbx)?, "ours still runs");
        pbx.restart()?;
        ensure!(!is_ours(pbx)?, "ours is back");
        Ok(())
    });
}

#[test]
fn printed_commands_swap_in_and_uninstall_swaps_back_for_good() {
    on(unconfigured(), |pbx| {
        let mut shell = Shell::open(pbx)?;
        let installed = install(pbx, &fs::read(our_module()?)?, "")?;
        ensure!(installed.done, "{}", installed.printed);
        activate(pbx, &installed.printed)?;
        ensure!(is_ours(pbx)?);

        let removed = run(pbx, "sh packaging/install.sh uninstall")?;
        ensure!(removed.done, "{}", removed.printed);
        pbx.write_file(MODULES, AUTOLOAD)?;
        follow(pbx, &removed.printed)?;
        ensure!(!is_ours(pbx)?, "ours still runs");
        pbx.restart()?;
        ensure!(!is_ours(pbx)?, "ours is back");
        let moddir = shell.run("echo /usr/lib/*/asterisk/modules")?;
        for line in files(moddir.trim())? {
            let left = shell.run(&format!("ls -d '{}' 2>/dev/null", &line[4..]))?;
            ensure!(left.trim().is_empty(), "{left}");
        }
        // There is nothing left to remove.
        let again = run(pbx, "sh packaging/install.sh uninstall")?;
        ensure!(
            again.done && !again.printed.contains("removed"),
            "{}",
            again.printed
        );
        Ok(())
    });
}

/// The commit that the module names, from what a command prints.
fn commit(shown: &str) -> Result<String> {
    let version = concat!(env!("CARGO_PKG_VERSION"), " (");
    let (_, rest) = shown
        .split_once(version)
        .with_context(|| shown.to_owned())?;
    let (commit, _) = rest.split_once(')').with_context(|| shown.to_owned())?;
    Ok(commit.to_owned())
}

#[test]
fn upgraded_module_runs_after_module_refresh() {
    on(unconfigured(), |pbx| {
        let module = fs::read(our_module()?)?;
        let installed = install(pbx, &module, "")?;
        ensure!(installed.done, "{}", installed.printed);
        let refresh = format!("module refresh {OURS}");
        ensure!(
            installed.printed.contains(&refresh),
            "{}",
            installed.printed
        );
        activate(pbx, &installed.printed)?;
        let old = commit(&pbx.cli("authenticate show version")?)?;
        let listed = pbx.cli(&format!("module show like {OURS}"))?;
        ensure!(commit(&listed)? == old, "{listed}");
        let printed = pbx.exec(&["pinset", "--version"])?;
        ensure!(printed.starts_with("pinset "), "{printed}");
        ensure!(!commit(&printed)?.is_empty(), "{printed}");

        // The same module of another commit.
        let new = "f".repeat(old.len());
        let installed = install(pbx, &replaced(module, &old, &new), "")?;
        ensure!(installed.done, "{}", installed.printed);
        ensure!(commit(&pbx.cli("authenticate show version")?)? == old);
        ensure!(is_ours(pbx)?, "the running module was touched");
        pbx.cli(&refresh)?;
        ensure!(commit(&pbx.cli("authenticate show version")?)? == new);
        ensure!(is_ours(pbx)?);
        Ok(())
    });
}

/// A module whose version names another commit of the same length.
fn replaced(mut module: Vec<u8>, old: &str, new: &str) -> Vec<u8> {
    let old = format!("({old})").into_bytes();
    let new = format!("({new})").into_bytes();
    let mut from = 0;
    while let Some(at) = module[from..]
        .windows(old.len())
        .position(|bytes| bytes == old)
    {
        let place = from + at;
        module[place..place + new.len()].copy_from_slice(&new);
        from = place + new.len();
    }
    module
}
