//! The Debian packages, made of the module under test: what they install, keep and remove.

use std::process::Command;
use std::sync::OnceLock;
use std::{fs, iter};

use anyhow::{bail, ensure, Context, Result};
use harness::{our_module, pinset, workspace, Pbx};

use super::takeover::{is_ours, unconfigured};
use crate::support::{on, Shell};

/// Prints all files with their rights, and the content of those in /etc. What dpkg, adduser
/// and Asterisk itself write is left out.
const SYSTEM: &str = "find / /etc/asterisk -xdev \
    \\( -path /proc -o -path /sys -o -path /dev -o -path /run -o -path /tmp -o -path /harness \
    -o -path /var/lib/dpkg -o -path /var/log -o -path /var/cache -o -path /var/lib/asterisk \
    -o -path /var/backups -o -path '/etc/*-' \\) -prune -o -printf '%y %m %u %g %l %p\\n' | sort; \
    find /etc -type f ! -name '*-' -exec md5sum {} + | sort -k 2";

/// The name of a package's file, and its content.
type Package = (String, Vec<u8>);

/// Makes the packages, once, uncompressed to save time; lintian checks them.
fn packages() -> Result<&'static [Package]> {
    static MADE: OnceLock<Result<Vec<Package>, String>> = OnceLock::new();
    let make = || -> Result<_> {
        let folder = tempfile::tempdir()?;
        let output = Command::new(workspace().join("packaging/deb.sh"))
            .args([our_module()?, pinset()?])
            .arg(folder.path())
            .env("DEB_COMPRESSION", "-z0")
            .output()?;
        let errors = String::from_utf8_lossy(&output.stderr);
        ensure!(output.status.success(), "{errors}");
        let mut made = Vec::new();
        for entry in fs::read_dir(folder.path())? {
            let entry = entry?;
            let name = entry.file_name().to_string_lossy().into_owned();
            made.push((name, fs::read(entry.path())?));
        }
        Ok(made)
    };
    match MADE.get_or_init(|| make().map_err(|error| format!("{error:#}"))) {
        Ok(packages) => Ok(packages),
        Err(error) => bail!("{error}"),
    }
}

/// Runs a command of dpkg, which must succeed.
fn dpkg(shell: &mut Shell, arguments: &str) -> Result<String> {
    let printed = shell.run(&format!("dpkg {arguments} < /dev/null && echo succeeded"))?;
    ensure!(
        printed.trim_end().ends_with("succeeded"),
        "dpkg {arguments}: {printed}"
    );
    Ok(printed)
}

/// Makes a later version of the module's package, with another `authenticate.conf`.
fn make_upgrade(shell: &mut Shell) -> Result<()> {
    let printed = shell.run(
        "cd /tmp && dpkg-deb -R asterisk-authenticate-rs_made.deb later \
         && sed -i 's/^Version: .*/&.1/' later/DEBIAN/control \
         && echo '; of the later version' >> later/etc/asterisk/authenticate.conf \
         && dpkg-deb -Znone -b later later.deb",
    )?;
    ensure!(printed.contains("later.deb"), "{printed}");
    Ok(())
}

/// Copies one of the packages to `/tmp` in the container.
fn copy_into(pbx: &Pbx, name: &str) -> Result<()> {
    let begins = format!("{name}_");
    let mut all = packages()?.iter();
    let package = all.find(|(file, _)| file.starts_with(&begins));
    let (_, content) = package.with_context(|| format!("no package {name}"))?;
    pbx.write_file(&format!("/tmp/{name}_made.deb"), content)
}

/// Installs a package as a person would at a terminal that answers no question.
const INSTALL: &str = "--force-confdef --force-confold -i";

#[test]
fn package_of_the_module_keeps_configuration_and_purge_leaves_nothing() {
    on(unconfigured(), |pbx| {
        copy_into(pbx, "asterisk-authenticate-rs")?;
        let mut shell = Shell::open(pbx)?;
        let before = shell.run(SYSTEM)?;
        let modules = shell.run("md5sum /etc/asterisk/modules.conf")?;

        // As README.Debian says: nothing changes until a restart.
        dpkg(&mut shell, "-i /tmp/*.deb")?;
        ensure!(shell.run("md5sum /etc/asterisk/modules.conf")? == modules);
        ensure!(!is_ours(pbx)?);
        pbx.restart()?;
        ensure!(is_ours(pbx)?);
        are_installed(
            &mut shell,
            &[
                "/usr/share/doc/asterisk-authenticate-rs/sbom.cdx.json.gz",
                "/etc/fail2ban/filter.d/asterisk-authenticate.conf",
            ],
        )?;

        // What an administrator writes.
        shell.run("echo '; mine' >> /etc/asterisk/authenticate.conf")?;
        shell.run("touch /var/lib/asterisk/app_authenticate_rs.journal")?;
        make_upgrade(&mut shell)?;
        dpkg(&mut shell, &format!("{INSTALL} /tmp/later.deb"))?;
        let kept = shell.run("tail -n 1 /etc/asterisk/authenticate.conf")?;
        ensure!(kept.trim() == "; mine", "{kept}");
        pbx.restart()?;
        ensure!(is_ours(pbx)?);

        dpkg(&mut shell, "-r asterisk-authenticate-rs")?;
        let kept = shell.run("ls /etc/asterisk/authenticate.conf")?;
        ensure!(!kept.contains("No such file"), "{kept}");
        pbx.restart()?;
        ensure!(!is_ours(pbx)?);

        dpkg(&mut shell, "--purge asterisk-authenticate-rs")?;
        let kept = shell.run("ls /var/lib/asterisk")?;
        ensure!(!kept.contains("app_authenticate_rs"), "{kept}");
        is_as_before(&mut shell, &before)
    });
}

#[test]
fn package_of_pinset_keeps_files_and_purge_leaves_nothing_else() {
    on(unconfigured(), |pbx| {
        copy_into(pbx, "pinset")?;
        let mut shell = Shell::open(pbx)?;
        let before = shell.run(SYSTEM)?;
        dpkg(&mut shell, "-i /tmp/*.deb")?;
        are_installed(
            &mut shell,
            &[
                "/usr/share/man/man1/pinset-hash.1.gz",
                "/usr/share/bash-completion/completions/pinset",
                "/usr/share/zsh/vendor-completions/_pinset",
                "/usr/share/fish/vendor_completions.d/pinset.fish",
                "/systemd/system/pinset-console.service",
                "/systemd/system/pinset-serve.socket",
                "/usr/share/doc/pinset/sbom.cdx.json.gz",
                "/usr/share/pinset/grafana/authenticate.dashboard.json",
                "/usr/share/pinset/grafana/authenticate.rules.yml",
            ],
        )?;
        completion_and_units_work(&mut shell)?;
        commands_run(&mut shell)?;

        // What an administrator writes, and the service.
        shell.run("echo account,secret > /etc/pinset/customers.csv")?;
        shell.run("mkdir /var/lib/pinset; touch /var/lib/pinset/requests.db")?;
        dpkg(&mut shell, &format!("{INSTALL} /tmp/*.deb"))?;
        let kept = shell.run("stat -c '%a %G' /etc/pinset")?;
        ensure!(kept.trim() == "750 pinset", "{kept}");

        dpkg(&mut shell, "--purge pinset")?;
        let kept = shell.run("cat /etc/pinset/customers.csv; rm -r /etc/pinset")?;
        ensure!(kept.contains("account,secret"), "{kept}");
        is_as_before(&mut shell, &before)
    });
}

fn is_as_before(shell: &mut Shell, before: &str) -> Result<()> {
    let after = shell.run(SYSTEM)?;
    ensure!(after == before, "{}", difference(before, &after));
    Ok(())
}

/// Whether the packages have files with these ends.
fn are_installed(shell: &mut Shell, ends: &[&str]) -> Result<()> {
    let files = shell.run("dpkg -L $(dpkg-deb -f /tmp/*.deb Package)")?;
    for end in ends {
        let mut lines = files.lines();
        ensure!(lines.any(|line| line.ends_with(end)), "{end}: {files}");
    }
    Ok(())
}

/// Completion of a subcommand, and units that nothing has enabled.
fn completion_and_units_work(shell: &mut Shell) -> Result<()> {
    let enabled = shell.run("find /etc/systemd -name 'pinset*'")?;
    ensure!(enabled.trim().is_empty(), "{enabled}");
    let completed = shell.run(
        "bash -c '. /usr/share/bash-completion/completions/pinset; COMP_WORDS=(pinset ve); \
         COMP_CWORD=1; _pinset pinset ve pinset; echo \"${COMPREPLY[@]}\"'",
    )?;
    ensure!(completed.trim() == "verify", "{completed}");
    Ok(())
}

/// The installed program runs with the C library of this system: also TLS, SQLite, Argon2id.
fn commands_run(shell: &mut Shell) -> Result<()> {
    let version = shell.run("/usr/bin/pinset --version")?;
    ensure!(version.starts_with("pinset "), "{version}");
    let printed = shell.run(
        "mkdir /tmp/console && cd /tmp/console && umask 077 \
         && pinset generate -n 3 -d 6 --into list.csv --print \
         && echo 'correct horse battery' \
            | pinset console user add ada --role admin --users users --group root \
         && printf '%s = \"/tmp/console/%s\"\\n' lists . users users database db > console.toml \
         && pinset console --config console.toml --check; rm -r /tmp/console",
    )?;
    for part in ["1,", "http://127.0.0.1:5100"] {
        ensure!(printed.contains(part), "{part}: {printed}");
    }
    Ok(())
}

/// Returns the lines that only one of the two has.
fn difference(before: &str, after: &str) -> String {
    let only = |these: &str, others: &str, mark: &str| -> Vec<String> {
        let others: Vec<_> = others.lines().collect();
        let missing = these.lines().filter(|line| !others.contains(line));
        missing.map(|line| format!("{mark} {line}")).collect()
    };
    let lines = iter::empty()
        .chain(only(before, after, "-"))
        .chain(only(after, before, "+"));
    lines.collect::<Vec<_>>().join("\n")
}
