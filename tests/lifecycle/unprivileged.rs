//! Asterisk as the user `asterisk`, as packages run it, and lists that root makes
//! for it.

use anyhow::{ensure, Context, Result};
use harness::{pinset, Call, Pbx};

use crate::support::on;

const CONF: &str = "
[general]
lockout_caller = no

[staff]
source = file:/srv/pins/staff.csv
identify = pin
";

const LIST: &str = "/srv/pins/staff.csv";

/// Calls and enters the right PIN as often as it is asked for.
fn call(pbx: &Pbx, wanted: &str) -> Result<()> {
    let report = pbx.call(&Call::new("pinset:staff").keys("836490# 836490# 836490#"))?;
    ensure!(report.status() == wanted, "{report:#?}");
    Ok(())
}

fn shell(pbx: &Pbx, script: &str) -> Result<String> {
    pbx.exec(&["bash", "-ec", script])
}

/// The commands behind `Asterisk runs as …:` in the line of the log that names this
/// file.
fn cure(pbx: &Pbx, file: &str) -> Result<String> {
    let log = pbx.log()?;
    let wanted = format!("'{file}' can't be read: Permission denied");
    let line = log.lines().find(|line| line.contains(&wanted));
    let line = line.with_context(|| format!("no line about {file}: {log}"))?;
    let behind = line.split_once("Asterisk runs as user asterisk, group asterisk: ");
    let (_, commands) = behind.with_context(|| line.to_owned())?;
    let (commands, _) = commands.split_once(';').with_context(|| line.to_owned())?;
    Ok(commands.to_owned())
}

#[test]
fn list_made_by_root_is_readable_for_asterisk() {
    let builder = Pbx::builder()
        .unprivileged()
        .file("authenticate.conf", CONF);
    on(builder, |pbx| {
        let inside = "/harness/pinset";
        let outside = pbx.outside(inside).context("no way in")?;
        std::fs::copy(pinset()?, outside)?;
        let user = shell(pbx, &format!("stat -c %U /proc/{}", pbx.pid()?))?;
        ensure!(user.trim() == "asterisk", "{user}");
        shell(pbx, "install -d -m 750 -o root -g asterisk /srv/pins")?;
        shell(
            pbx,
            &format!("echo 836490 | {inside} add {LIST} --plain --account ada"),
        )?;
        let owner = shell(pbx, &format!("stat -c %U:%G:%a {LIST}"))?;
        ensure!(owner.trim() == "root:asterisk:640", "{owner}");
        call(pbx, "SUCCESS")?;
        // Changed by pinset, it keeps its group.
        shell(
            pbx,
            &format!("echo 572048 | {inside} add {LIST} --plain --account bob"),
        )?;
        call(pbx, "SUCCESS")?;

        shell(pbx, &format!("chgrp root {LIST}"))?;
        call(pbx, "ERROR")?;
        shell(pbx, &cure(pbx, LIST)?)?;
        call(pbx, "SUCCESS")
    });
}
