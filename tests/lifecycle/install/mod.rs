//! `packaging/install.sh` beside an Asterisk.

mod packages;
mod release;
mod switch;
mod takeover;

use std::fs;
use std::path::Path;

use anyhow::{ensure, Context, Result};
use harness::{our_module, pinset, workspace, Builder, Call, Module, Outcome, Pbx};

use crate::module::{use_count, OURS, STOCK};
use crate::support::{on, Shell};
use crate::variants::ASTERISK_16;

const REPOSITORY: &str = "/harness/repository";
const SAMPLES: &str = "/usr/share/doc/app-authenticate-rs";
const DOCUMENTATION: &str = "/usr/share/asterisk/documentation/thirdparty";

/// What the script did: whether it succeeded, and all it printed.
struct Installed {
    done: bool,
    printed: String,
}

/// What the script reads of the repository.
const FOLDERS: [&str; 8] = [
    "packaging",
    "packaging/samples",
    "packaging/fail2ban",
    "packaging/grafana",
    "packaging/systemd",
    "packaging/documentation",
    "docs",
    "docs/screenshots",
];

/// Copies what the script needs, and installs this module.
fn install(pbx: &Pbx, module: &[u8], environment: &str) -> Result<Installed> {
    let inside = pbx
        .outside(&format!("{REPOSITORY}/"))
        .context("no way in")?;
    for dir in FOLDERS {
        copy_files(&workspace().join(dir), &inside.join(dir))?;
    }
    for file in ["README.md", "CHANGELOG.md", "SECURITY.md"] {
        fs::copy(workspace().join(file), inside.join(file))?;
    }
    fs::copy(pinset()?, inside.join("pinset"))?;
    fs::write(inside.join("module.so"), module)?;
    run(
        pbx,
        &format!("{environment} sh packaging/install.sh install module.so pinset"),
    )
}

/// Runs a command in the copied repository.
fn run(pbx: &Pbx, command: &str) -> Result<Installed> {
    let script = format!("cd {REPOSITORY} && {command} 2>&1");
    let output = pbx.exec_command(&["sh", "-c", &script]).output()?;
    Ok(Installed {
        done: output.status.success(),
        printed: String::from_utf8_lossy(&output.stdout).into_owned(),
    })
}

fn copy_files(from: &Path, to: &Path) -> Result<()> {
    fs::create_dir_all(to)?;
    for entry in fs::read_dir(from)? {
        let entry = entry?;
        if entry.file_type()?.is_file() {
            fs::copy(entry.path(), to.join(entry.file_name()))?;
        }
    }
    Ok(())
}

/// Asterisk as it is on a machine where ours is to be installed.
fn machine() -> Builder {
    let lines = format!("noload = {STOCK}\nload = {OURS}");
    Pbx::builder().module(Module::None).modules(&lines)
}

#[test]
fn install_works_with_and_without_destdir() {
    on(machine(), |pbx| {
        let mut shell = Shell::open(pbx)?;
        let module = fs::read(our_module()?)?;
        let installed = install(pbx, &module, "DESTDIR=/tmp/package")?;
        ensure!(installed.done, "{}", installed.printed);
        let moddir = shell.run("echo /usr/lib/*/asterisk/modules")?;
        let expected = files(moddir.trim())?;
        let found = shell
            .run("cd /tmp/package && find . -type f -printf '%m %p\\n' | sed 's: \\.: :' | sort")?;
        ensure!(found.lines().eq(expected.iter()), "{found}");
        // It says where it has put each.
        for line in &expected {
            let path = &line[4..];
            ensure!(
                installed.printed.contains(&format!("/tmp/package{path}\n")),
                "{}",
                installed.printed
            );
        }
        let here = shell.run(&format!("ls {}/{OURS} {SAMPLES}", moddir.trim()))?;
        ensure!(here.matches("No such file").count() == 2, "{here}");

        let installed = install(pbx, &module, "")?;
        ensure!(installed.done, "{}", installed.printed);
        let differ = shell.run(&format!(
            "cmp {REPOSITORY}/module.so {}/{OURS}",
            moddir.trim()
        ))?;
        ensure!(differ.trim().is_empty(), "{differ}");
        pbx.restart()?;
        ensure!(use_count(&*pbx.manager()?)? == 0);
        let report = pbx.call(&Call::new("1234,q").keys("1234#"))?;
        ensure!(report.outcome == Outcome::Passed, "{report:#?}");
        let shown = pbx.cli("core show application Authenticate")?;
        ensure!(shown.contains("AUTHENTICATESTATUS"), "{shown}");
        Ok(())
    });
}

/// The mode and the path of each file that is installed.
fn files(moddir: &str) -> Result<Vec<String>> {
    let mut files = vec![
        format!("644 {moddir}/{OURS}"),
        format!("644 {DOCUMENTATION}/app_authenticate_rs-en_US.xml"),
        "755 /usr/bin/pinset".to_owned(),
        "644 /usr/lib/systemd/system/pinset-console.service".to_owned(),
        "644 /usr/lib/systemd/system/pinset-serve.service".to_owned(),
        "644 /usr/lib/systemd/system/pinset-serve.socket".to_owned(),
        format!("644 {SAMPLES}/README.md"),
        format!("644 {SAMPLES}/CHANGELOG.md"),
        format!("644 {SAMPLES}/SECURITY.md"),
    ];
    for (from, to) in [
        ("packaging/samples", ""),
        ("packaging/fail2ban", "/fail2ban"),
        ("packaging/grafana", "/grafana"),
        ("docs", "/docs"),
        ("docs/screenshots", "/docs/screenshots"),
    ] {
        for entry in fs::read_dir(workspace().join(from))? {
            let entry = entry?;
            let name = entry.file_name();
            if entry.file_type()?.is_file() {
                files.push(format!("644 {SAMPLES}{to}/{}", name.to_string_lossy()));
            }
        }
    }
    files.sort();
    Ok(files)
}

/// Nothing is installed then, and one line says why.
#[test]
fn install_of_a_foreign_module_is_refused() {
    let other_version = match ASTERISK_16.get() {
        Ok(built) => built.module,
        Err(error) => panic!("{error:#}"),
    };
    on(machine(), |pbx| {
        let module = fs::read(our_module()?)?;
        let sum = sum_at(&module)?;
        let mut other_options = module.clone();
        other_options[sum..sum + 32].fill(b'0');
        let script = format!("cat /usr/lib/*/asterisk/modules/{STOCK}");
        let stock = pbx.exec_command(&["sh", "-c", &script]).output()?;
        let checkout = "printf '#!/bin/sh\\necho Asterisk GIT-master-1a2b3c\\n' > /tmp/checkout \
            && chmod 755 /tmp/checkout";
        pbx.exec(&["sh", "-c", checkout])?;
        let refusals: [(&[u8], &str, &[&str]); 6] = [
            (
                &fs::read(&other_version)?,
                "",
                &["built for Asterisk 16", "Asterisk 22."],
            ),
            (
                &other_options,
                "",
                &["built with other build options", &"0".repeat(32)],
            ),
            (&stock.stdout, "", &["is not this module"]),
            (
                &module,
                "MODDIR=/tmp/empty",
                &["no modules of Asterisk's in /tmp/empty", "MODDIR"],
            ),
            (
                &module,
                "ASTERISK=/nowhere",
                &["no Asterisk at /nowhere", "DESTDIR"],
            ),
            (
                &module,
                "ASTERISK=/tmp/checkout",
                &["GIT-master-1a2b3c, which has no number"],
            ),
        ];
        for (module, environment, words) in refusals {
            let into_place = install(pbx, module, environment)?;
            ensure!(!into_place.done, "{words:?}: {}", into_place.printed);
            ensure!(
                into_place.printed.lines().count() == 1,
                "{}",
                into_place.printed
            );
            ensure!(
                into_place.printed.starts_with("install: "),
                "{}",
                into_place.printed
            );
            for word in words {
                ensure!(
                    into_place.printed.contains(word),
                    "{word}: {}",
                    into_place.printed
                );
            }
            if environment.is_empty() {
                let into_folder = install(pbx, module, "DESTDIR=/tmp/package")?;
                ensure!(!into_folder.done, "{words:?}: {}", into_folder.printed);
            }
        }
        let mut shell = Shell::open(pbx)?;
        let there = shell.run(&format!(
            "ls -d /tmp/package /tmp/empty {SAMPLES} /usr/lib/*/asterisk/modules/{OURS} {DOCUMENTATION}/*.xml 2>/dev/null; true"
        ))?;
        ensure!(there.trim().is_empty(), "{there}");
        Ok(())
    });
}

/// Where the build sum stands in the module's marker.
fn sum_at(module: &[u8]) -> Result<usize> {
    const MARKER: &[u8] = b"authrs-built-for:22:";
    let marker = module
        .windows(MARKER.len())
        .position(|bytes| bytes == MARKER);
    Ok(marker.context("the module has no marker")? + MARKER.len())
}
