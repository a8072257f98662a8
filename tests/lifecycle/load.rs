//! Loading: beside the stock module, into another Asterisk than the module was built
//! for, and what Asterisk then shows.

use std::collections::BTreeSet;

use anyhow::{ensure, Context, Result};
use harness::{our_module, Call, Module, Outcome, Pbx};
use object::elf::FileHeader64;
use object::read::elf::ElfFile;
use object::{Endianness, Object, ObjectSymbol};

use crate::module::{provider_is_shown, use_count, OURS, STOCK};
use crate::support::on;
use crate::variants::ASTERISK_16;

/// Lines of the log that our own source files have written.
fn our_lines(log: &str) -> Vec<&str> {
    log.lines().filter(|line| line.contains(".rs: ")).collect()
}

#[test]
fn load_after_the_stock_module_is_declined() {
    on(Pbx::builder().module(Module::Theirs), |pbx| {
        pbx.put_module(&our_module()?, OURS)?;
        let printed = pbx.cli(&format!("module load {OURS}"))?;
        ensure!(printed.contains("Unable to load"), "{printed}");
        let log = pbx.log()?;
        let lines = our_lines(&log);
        ensure!(lines.len() == 1, "{lines:#?}");
        ensure!(lines[0].contains("ERROR"), "{lines:#?}");
        ensure!(
            lines[0].contains("'noload = app_authenticate.so'"),
            "{lines:#?}"
        );
        ensure!(use_count(&*pbx.manager()?).is_err(), "it runs");
        // Declined, it takes nothing from the one that is there.
        for _ in 0..2 {
            let report = pbx.call(&Call::new("1234").keys("1234#"))?;
            ensure!(report.outcome == Outcome::Passed, "{report:#?}");
            ensure!(report.status().is_empty(), "ours has answered");
            pbx.cli(&format!("module unload {OURS}"))?;
        }
        // Swapped while Asterisk runs.
        pbx.cli(&format!("module unload {STOCK}"))?;
        pbx.cli(&format!("module load {OURS}"))?;
        let report = pbx.call(&Call::new("1234").keys("1234#"))?;
        ensure!(report.status() == "SUCCESS", "{report:#?}");
        Ok(())
    });
}

#[test]
fn autoload_of_both_modules_registers_ours() {
    on(Pbx::builder().module(Module::Autoload), |pbx| {
        let report = pbx.call(&Call::new("1234").keys("1234#"))?;
        ensure!(report.outcome == Outcome::Passed, "{report:#?}");
        ensure!(report.status() == "SUCCESS", "{report:#?}");
        ensure!(use_count(&*pbx.manager()?)? == 0);
        // The stock one has declined; its unloading takes nothing from ours.
        pbx.cli(&format!("module unload {STOCK}"))?;
        let report = pbx.call(&Call::new("1234,q").keys("1234#"))?;
        ensure!(report.status() == "SUCCESS", "{report:#?}");
        Ok(())
    });
}

#[test]
fn module_for_another_major_version_is_not_loaded() {
    let built = match ASTERISK_16.get() {
        Ok(built) => built,
        Err(error) => panic!("{error:#}"),
    };
    // At the start, where a failure rather than a refusal would end Asterisk.
    on(Pbx::builder().module_file(built.module), |pbx| {
        let log = pbx.log()?;
        let lines = our_lines(&log);
        ensure!(lines.len() == 1, "{lines:#?}");
        let line = lines[0];
        ensure!(line.contains("ERROR"), "{line}");
        ensure!(
            line.contains("Asterisk 16,") && line.contains("Asterisk 22."),
            "{line}"
        );
        ensure!(use_count(&*pbx.manager()?).is_err(), "it runs");
        let application = pbx.cli("core show application Authenticate")?;
        ensure!(application.contains("not registered"), "{application}");
        ensure!(pbx
            .outside(super::one_time::JOURNAL)
            .is_some_and(|path| !path.exists()));
        // The right build in its place needs no restart.
        pbx.put_module(&our_module()?, OURS)?;
        pbx.cli(&format!("module load {OURS}"))?;
        let report = pbx.call(&Call::new("1234,q").keys("1234#"))?;
        ensure!(report.status() == "SUCCESS", "{report:#?}");
        Ok(())
    });
}

#[test]
fn command_line_shows_our_documentation() {
    on(Pbx::builder().module(Module::Ours), |pbx| {
        let shown = pbx.cli("core show application Authenticate")?;
        provider_is_shown(pbx, &shown)?;
        for option in ["a", "d", "m", "r", "j", "c", "n", "q"] {
            let documented = |line: &str| line.trim_start().starts_with(&format!("{option}:"));
            ensure!(shown.lines().any(documented), "option {option}: {shown}");
        }
        let parts = [
            "password",
            "options",
            "maxdigits",
            "prompt",
            "AUTHENTICATESTATUS",
            "AUTHENTICATEACCOUNT",
            "AUTHENTICATEATTEMPTS",
            "AUTHENTICATELEVEL",
            "AUTHENTICATECONTEXT",
            "pinset:NAME",
            "SUCCESS",
            "FAILURE",
            "EXPIRED",
            "TIMEOUT",
            "HANGUP",
            "ERROR",
        ];
        for part in parts {
            ensure!(shown.contains(part), "{part}: {shown}");
        }
        let shown = pbx.cli("core show function AUTHENTICATE_VERIFY")?;
        for part in [
            "AUTHENTICATE_VERIFY(pinset,variable[,caller[,account]])",
            "SUCCESS",
            "FAILURE",
            "EXPIRED",
            "HANGUP",
            "ERROR",
            "AUTHENTICATESTATUS",
        ] {
            ensure!(shown.contains(part), "{part}: {shown}");
        }
        // What Asterisk says of a function without documentation.
        let log = pbx.log()?;
        ensure!(!log.contains("in XML documentation"), "{log}");
        Ok(())
    });
}

/// A symbol Asterisk lacks would show only at the call that needs it, were it
/// not for this.
#[test]
fn asterisk_has_every_symbol_the_module_needs() -> Result<()> {
    let module = std::fs::read(our_module()?)?;
    let needed = needed_from_asterisk(&module)?;
    ensure!(needed.contains("ast_register_application2"), "{needed:?}");
    let pbx = Pbx::builder().module(Module::None).start()?;
    let binary = pbx.exec_command(&["cat", "/usr/sbin/asterisk"]).output()?;
    let asterisk = ElfFile::<FileHeader64<Endianness>>::parse(binary.stdout.as_slice())?;
    let exported: BTreeSet<&str> = asterisk
        .dynamic_symbols()
        .filter(|symbol| !symbol.is_undefined())
        .filter_map(|symbol| symbol.name().ok())
        .collect();
    let missing: Vec<_> = needed
        .iter()
        .filter(|name| !exported.contains(name.as_str()))
        .collect();
    ensure!(missing.is_empty(), "Asterisk does not export {missing:?}");
    Ok(())
}

/// The undefined symbols that are not weak and of no version: glibc's and
/// gcc's have one (`GLIBC_2.34`, `GCC_3.0`).
fn needed_from_asterisk(module: &[u8]) -> Result<BTreeSet<String>> {
    let file = ElfFile::<FileHeader64<Endianness>>::parse(module)?;
    let endian = file.endian();
    let versions = file.elf_section_table().versions(endian, module)?;
    let mut needed = BTreeSet::new();
    for symbol in file.dynamic_symbols() {
        if !symbol.is_undefined() || symbol.is_weak() {
            continue;
        }
        let versioned = versions.as_ref().is_some_and(|versions| {
            let index = versions.version_index(endian, symbol.index());
            versions
                .version(index.into())
                .is_ok_and(|version| version.is_some())
        });
        let name = symbol.name().context("a symbol without a name")?;
        if !versioned && !name.is_empty() {
            needed.insert(name.to_owned());
        }
    }
    Ok(needed)
}
