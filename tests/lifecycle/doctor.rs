//! `pinset doctor` on an Asterisk in which one thing after the other is wrong.

use std::fs;

use anyhow::{ensure, Context, Result};
use harness::{our_module, Pbx};
use serde_json::Value;

use crate::module::OURS;
use crate::support::on;
use crate::unprivileged::install_pinset;

const CONF: &str = "
[general]
pepper_file = /srv/pins/pepper
lockout_caller = 1/15m/30m

[staff]
source = file:/srv/pins/staff.csv
";

const LOGGER: &str = "[general]\ndateformat = %F %T.%3q\n[logfiles]\n\
    full => notice,warning,error,verbose(5),debug,dtmf,security\n\
    authenticate.log => authenticate\n";

const PREPARE: &str = "
install -d -m 750 -o root -g asterisk /srv/pins
cd /srv/pins
pinset pepper new pepper --group asterisk --id main
echo 836490 | pinset add staff.csv --account ada --hmac-sha256 --pepper pepper
asterisk -rx 'module reload app_authenticate_rs.so'
cp -a /srv/pins /srv/right
cp -a /etc/asterisk /srv/etc
";

/// Restores the files that a fault has changed.
const RESTORE: &str = "
cp -a /srv/right/. /srv/pins
for file in authenticate logger modules; do cp /srv/etc/$file.conf /etc/asterisk/; done
rm -f /usr/local/bin/timedatectl
";

/// Something that is wrong, and how `pinset doctor` reports it.
struct Fault {
    /// The commands that cause it.
    cause: &'static str,
    check: &'static str,
    level: &'static str,
    message: &'static str,
    remedy: &'static str,
    /// Commands that end it, after the files are restored.
    end: &'static str,
}

const FAULT: Fault = Fault {
    cause: "",
    check: "pin_file",
    level: "error",
    message: "",
    remedy: "",
    end: "",
};

const FAULTS: &[Fault] = &[
    Fault {
        cause: "printf 'bob,plain:1234\\n' >> /srv/pins/staff.csv",
        check: "weak_pins",
        level: "warning",
        message: "/srv/pins/staff.csv: weak PINs: 1",
        remedy: "pinset check",
        ..FAULT
    },
    Fault {
        cause: "chmod g= /srv/pins/staff.csv",
        message: "Permission denied",
        ..FAULT
    },
    Fault {
        cause: "chmod o=r /srv/pins/staff.csv",
        level: "warning",
        message: "every user of this machine can read it",
        remedy: "chmod o= /srv/pins/staff.csv",
        ..FAULT
    },
    Fault {
        cause: "chmod o=w /srv/pins/staff.csv",
        message: "world-writable",
        remedy: "chmod o= /srv/pins/staff.csv",
        ..FAULT
    },
    Fault {
        cause: "rm /srv/pins/staff.csv",
        message: "No such file",
        ..FAULT
    },
    Fault {
        cause: "printf 'bob,nonsense:1\\n' >> /srv/pins/staff.csv",
        message: "invalid lines: 1",
        remedy: "pinset check",
        ..FAULT
    },
    Fault {
        cause: "cd /srv/pins && pinset pepper new new --id other --group asterisk && mv new pepper",
        message: "the pepper file has no key main",
        ..FAULT
    },
    Fault {
        cause: "cd /srv/pins && sed 's/:main:/:gone:/' staff.csv | tail -n 1 >> staff.csv",
        message: "1 row can't be checked, line 3: the pepper file has no key gone",
        ..FAULT
    },
    Fault {
        cause: "chmod o=r /srv/pins/pepper",
        check: "pepper",
        message: "others have rights to it",
        remedy: "chmod u=rw,g=r,o= /srv/pins/pepper",
        ..FAULT
    },
    Fault {
        cause: "chgrp root /srv/pins/pepper",
        check: "pepper",
        message: "/srv/pins/pepper: ",
        remedy: "chown root:asterisk /srv/pins/pepper",
        ..FAULT
    },
    Fault {
        cause: "echo 'attempts = 0' >> /etc/asterisk/authenticate.conf
            asterisk -rx 'module reload app_authenticate_rs.so'",
        check: "reload",
        message: "attempts",
        remedy: "module reload",
        end: "asterisk -rx 'module reload app_authenticate_rs.so'",
        ..FAULT
    },
    Fault {
        cause: "echo 'attempts = 0' >> /etc/asterisk/authenticate.conf",
        check: "configuration",
        message: "authenticate.conf: line 8: attempts",
        ..FAULT
    },
    Fault {
        cause: "printf '[web]\\nsource = https://127.0.0.1:1/call\\n' >> /etc/asterisk/authenticate.conf",
        check: "web_service",
        message: "https://127.0.0.1:1: Connection refused",
        remedy: "curl",
        ..FAULT
    },
    Fault {
        cause: "sed -i /authenticate/d /etc/asterisk/logger.conf && asterisk -rx 'logger reload'",
        check: "audit_log",
        level: "warning",
        message: "logged nowhere",
        remedy: "logger reload",
        end: "asterisk -rx 'logger reload'",
    },
    Fault {
        cause: "printf '#!/bin/sh\\necho no\\n' > /usr/local/bin/timedatectl
            chmod +x /usr/local/bin/timedatectl",
        check: "clock",
        level: "warning",
        message: "not synchronized",
        remedy: "set-ntp",
        ..FAULT
    },
    Fault {
        cause: "pinset asterisk disable --no-reload",
        check: "provider",
        level: "warning",
        message: "app_authenticate_rs.so runs, but the next restart loads app_authenticate.so",
        remedy: "pinset asterisk enable",
        ..FAULT
    },
    Fault {
        cause: "pinset asterisk disable",
        check: "provider",
        level: "warning",
        message: "the stock module app_authenticate.so provides Authenticate",
        remedy: "pinset asterisk enable",
        end: "pinset asterisk enable",
    },
    Fault {
        cause: "asterisk -rx 'module unload app_authenticate_rs.so'",
        check: "provider",
        message: "no module provides Authenticate",
        remedy: "pinset asterisk enable",
        end: "pinset asterisk enable",
        ..FAULT
    },
];

/// Runs a script to its end; any command that fails is an error.
fn shell(pbx: &Pbx, script: &str) -> Result<()> {
    pbx.exec(&["bash", "-ec", script]).map(drop)
}

/// Runs `pinset doctor --json`. Returns the findings, and checks the exit code.
fn findings(pbx: &Pbx) -> Result<Vec<Value>> {
    let mut command = pbx.exec_command(&["pinset", "doctor", "--json"]);
    let output = command.output()?;
    let report: Value = serde_json::from_slice(&output.stdout)
        .with_context(|| String::from_utf8_lossy(&output.stderr).into_owned())?;
    let code = output.status.code();
    ensure!(
        report["exit_code"].as_i64() == code.map(i64::from),
        "{report}"
    );
    let wanted = ["ok", "warning", "error"]
        .iter()
        .position(|level| report["level"] == **level);
    ensure!(wanted.map(|code| code as i32) == code, "{code:?}: {report}");
    Ok(report["findings"]
        .as_array()
        .context("no findings")?
        .clone())
}

fn is(finding: &Value, fault: &Fault) -> bool {
    let contains = |field: &str, wanted: &str| {
        let text = finding[field].as_str().unwrap_or_default();
        text.contains(wanted) && !(field == "remedy" && text.is_empty())
    };
    finding["check"] == fault.check
        && finding["level"] == fault.level
        && contains("message", fault.message)
        && contains("remedy", fault.remedy)
}

/// Findings that are not ok. The version of a module that was built from another commit
/// than `pinset` is left out.
fn wrong(pbx: &Pbx) -> Result<Vec<Value>> {
    let mut findings = findings(pbx)?;
    findings.retain(|finding| finding["level"] != "ok" && finding["check"] != "module_version");
    Ok(findings)
}

#[test]
fn each_fault_is_found_and_has_a_remedy() {
    let builder = Pbx::builder()
        .unprivileged()
        .file("authenticate.conf", CONF)
        .file("logger.conf", LOGGER);
    on(builder, |pbx| {
        install_pinset(pbx)?;
        shell(pbx, PREPARE)?;
        let right = findings(pbx)?;
        for check in [
            "asterisk",
            "module_file",
            "module_version",
            "provider",
            "pepper",
            "pin_file",
        ] {
            ensure!(
                right.iter().any(|finding| finding["check"] == check),
                "{check}"
            );
        }
        ensure!(wrong(pbx)?.is_empty(), "{right:#?}");
        for fault in FAULTS {
            shell(pbx, fault.cause)?;
            let found = wrong(pbx)?;
            let named = found.iter().any(|finding| is(finding, fault));
            ensure!(named, "{}: {found:#?}", fault.cause);
            shell(pbx, &format!("{RESTORE}{}", fault.end))?;
            let left = wrong(pbx)?;
            ensure!(left.is_empty(), "after {}: {left:#?}", fault.cause);
        }
        Ok(())
    });
}

#[test]
fn lockout_foreign_module_and_stopped_asterisk_are_found() {
    let builder = Pbx::builder()
        .unprivileged()
        .file("authenticate.conf", CONF)
        .file("logger.conf", LOGGER);
    on(builder, |pbx| {
        install_pinset(pbx)?;
        shell(pbx, PREPARE)?;
        let expect = |fault: &Fault| -> Result<()> {
            let found = wrong(pbx)?;
            ensure!(found.iter().any(|finding| is(finding, fault)), "{found:#?}");
            Ok(())
        };
        let wrong_pin = [
            ("PinSet", "staff"),
            ("Secret", "1"),
            ("Caller", "+902125550101"),
        ];
        pbx.manager()?.action("AuthenticateVerify", &wrong_pin)?;
        expect(&Fault {
            check: "lockouts",
            level: "warning",
            message: "lockouts in force: 1",
            remedy: "authenticate unlock",
            ..FAULT
        })?;
        // An upgrade that was built for another Asterisk.
        let mut module = fs::read(our_module()?)?;
        let marker = b"authrs-built-for:22:";
        let at = module.windows(marker.len()).position(|part| part == marker);
        module[at.context("no marker")? + marker.len() - 2] = b'1';
        let file = tempfile::NamedTempFile::new()?;
        fs::write(file.path(), module)?;
        pbx.put_module(file.path(), OURS)?;
        expect(&Fault {
            check: "module_file",
            message: "built for Asterisk 21, this is Asterisk 22.",
            remedy: "docs/upgrade.md",
            ..FAULT
        })?;
        let replaced = findings(pbx)?;
        let replaced = replaced.iter().any(|finding| {
            is(
                finding,
                &Fault {
                    check: "module_version",
                    level: "warning",
                    message: "its file has been replaced since Asterisk loaded it",
                    remedy: "module refresh",
                    ..FAULT
                },
            )
        });
        ensure!(replaced, "no finding about the replaced file");
        pbx.put_module(&our_module()?, OURS)?;
        pbx.stop()?;
        let found = wrong(pbx)?;
        ensure!(found.len() == 1, "{found:#?}");
        expect(&Fault {
            check: "asterisk",
            level: "warning",
            message: "Asterisk is not running",
            remedy: "systemctl start asterisk",
            ..FAULT
        })?;
        // As a monitoring plugin: the summary is the first line.
        let mut plugin = pbx.exec_command(&["pinset", "doctor"]);
        let output = plugin.output()?;
        let printed = String::from_utf8_lossy(&output.stdout).into_owned();
        ensure!(output.status.code() == Some(1), "{printed}");
        ensure!(
            printed.starts_with("WARNING: 0 errors, 1 warnings, "),
            "{printed}"
        );
        ensure!(
            printed.contains("\nwarning: asterisk: Asterisk is not running"),
            "{printed}"
        );
        Ok(())
    });
}
