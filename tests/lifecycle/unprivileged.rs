//! Asterisk as the user `asterisk`, as packages run it, and PIN files that root makes
//! for it.

use anyhow::{ensure, Context, Result};
use harness::{examples, pinset, Call, Example, Pbx};

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
fn call(pbx: &Pbx, pin_set: &str, wanted: &str) -> Result<()> {
    let report =
        pbx.call(&Call::new(format!("pinset:{pin_set}")).keys("836490# 836490# 836490#"))?;
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

/// Puts `pinset` into the container.
pub(crate) fn install_pinset(pbx: &Pbx) -> Result<()> {
    pbx.put_program(&pinset()?, "/harness/pinset")?;
    shell(pbx, "ln -s /harness/pinset /usr/bin/pinset").map(drop)
}

#[test]
fn list_made_by_root_is_readable_for_asterisk() {
    let builder = Pbx::builder()
        .unprivileged()
        .file("authenticate.conf", CONF);
    on(builder, |pbx| {
        install_pinset(pbx)?;
        let user = shell(pbx, &format!("stat -c %U /proc/{}", pbx.pid()?))?;
        ensure!(user.trim() == "asterisk", "{user}");
        shell(pbx, "install -d -m 750 -o root -g asterisk /srv/pins")?;
        shell(
            pbx,
            &format!("echo 836490 | pinset add {LIST} --plain --account ada"),
        )?;
        let owner = shell(pbx, &format!("stat -c %U:%G:%a {LIST}"))?;
        ensure!(owner.trim() == "root:asterisk:640", "{owner}");
        call(pbx, "staff", "SUCCESS")?;
        // Changed by pinset, it keeps its group.
        shell(
            pbx,
            &format!("echo 572048 | pinset add {LIST} --plain --account bob"),
        )?;
        call(pbx, "staff", "SUCCESS")?;

        shell(pbx, &format!("chgrp root {LIST}"))?;
        call(pbx, "staff", "ERROR")?;
        shell(pbx, &cure(pbx, LIST)?)?;
        call(pbx, "staff", "SUCCESS")
    });
}

/// The examples of one kind in the section with this heading.
fn section(page: &str, heading: &str, kind: &str) -> Result<Vec<Example>> {
    let (_, text) = page
        .split_once(heading)
        .with_context(|| heading.to_owned())?;
    let (text, _) = text.split_once("\n## ").unwrap_or((text, ""));
    let of_kind = |example: &Example| example.kind == kind;
    Ok(examples(text)?.into_iter().filter(of_kind).collect())
}

/// The PIN file and the PIN set of `docs/getting-started.md`, made as it says.
#[test]
fn getting_started_admits_its_caller() {
    const PAGE: &str = include_str!("../../docs/getting-started.md");
    on(Pbx::builder().unprivileged(), |pbx| {
        install_pinset(pbx)?;
        let script: String = section(PAGE, "\n## 2. ", "sh")?
            .into_iter()
            .map(|example| example.text)
            .collect();
        // At a terminal the PIN would be asked for.
        let script = script.replace("pinset add", "echo 836490 | pinset add");
        shell(pbx, &script)?;
        let conf = section(PAGE, "\n## 3. ", "ini authenticate.conf")?;
        pbx.write_file("/etc/asterisk/authenticate.conf", &conf[0].text)?;
        for command in section(PAGE, "\n## 3. ", "sh")?[0].text.lines() {
            let printed = shell(pbx, command)?;
            ensure!(!printed.contains("rror"), "{command}: {printed}");
        }
        call(pbx, "customers", "SUCCESS")
    });
}
