//! The Debian packages, made of the module under test: what they install, keep and remove.

use std::path::{Path, PathBuf};
use std::process::Command;
use std::{fs, iter};

use anyhow::{ensure, Context, Result};
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

/// Makes the packages, uncompressed to save time; lintian checks them.
fn make_packages(folder: &Path) -> Result<Vec<PathBuf>> {
    let output = Command::new(workspace().join("packaging/deb.sh"))
        .args([our_module()?, pinset()?])
        .arg(folder)
        .env("DEB_COMPRESSION", "-z0")
        .output()?;
    let errors = String::from_utf8_lossy(&output.stderr);
    ensure!(output.status.success(), "{errors}");
    let printed = String::from_utf8(output.stdout)?;
    Ok(printed.lines().map(PathBuf::from).collect())
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
        "cd /tmp && dpkg-deb -R asterisk-authenticate-rs_*.deb later \
         && sed -i 's/^Version: .*/&.1/' later/DEBIAN/control \
         && echo '; of the later version' >> later/etc/asterisk/authenticate.conf \
         && dpkg-deb -Znone -b later later.deb",
    )?;
    ensure!(printed.contains("later.deb"), "{printed}");
    Ok(())
}

fn copy_into(pbx: &Pbx, packages: &[PathBuf]) -> Result<()> {
    for package in packages {
        let name = package.file_name().context("no name")?;
        let inside = format!("/harness/{}", name.to_string_lossy());
        let outside = pbx.outside(&inside).context("no way in")?;
        fs::copy(package, outside)?;
        pbx.exec(&["mv", &inside, "/tmp/"])?;
    }
    Ok(())
}

#[test]
fn packages_keep_configuration_on_upgrade_and_purge_leaves_nothing() {
    on(unconfigured(), |pbx| {
        let folder = tempfile::tempdir()?;
        let packages = make_packages(folder.path())?;
        ensure!(packages.len() == 2, "{packages:?}");
        copy_into(pbx, &packages)?;
        let mut shell = Shell::open(pbx)?;
        let before = shell.run(SYSTEM)?;
        let modules = shell.run("md5sum /etc/asterisk/modules.conf")?;

        // As README.Debian says: nothing changes until a restart.
        dpkg(&mut shell, "-i /tmp/*.deb")?;
        ensure!(shell.run("md5sum /etc/asterisk/modules.conf")? == modules);
        ensure!(!is_ours(pbx)?);
        pbx.restart()?;
        ensure!(is_ours(pbx)?);
        documents_are_installed(&mut shell)?;

        // What an administrator writes.
        shell.run("echo '; mine' >> /etc/asterisk/authenticate.conf")?;
        shell.run("echo account,secret > /etc/pinset/customers.csv; touch /var/lib/asterisk/app_authenticate_rs.journal")?;
        make_upgrade(&mut shell)?;
        dpkg(
            &mut shell,
            "--force-confdef --force-confold -i /tmp/*.deb /tmp/later.deb",
        )?;
        let kept =
            shell.run("tail -n 1 /etc/asterisk/authenticate.conf; stat -c '%a %G' /etc/pinset")?;
        ensure!(kept.lines().eq(["; mine", "750 pinset"]), "{kept}");
        pbx.restart()?;
        ensure!(is_ours(pbx)?);

        dpkg(&mut shell, "-r asterisk-authenticate-rs pinset")?;
        let kept = shell.run("ls /etc/asterisk/authenticate.conf /etc/pinset/customers.csv")?;
        ensure!(!kept.contains("No such file"), "{kept}");
        pbx.restart()?;
        ensure!(!is_ours(pbx)?);

        dpkg(&mut shell, "--purge asterisk-authenticate-rs pinset")?;
        let kept =
            shell.run("cat /etc/pinset/customers.csv; rm -r /etc/pinset; ls /var/lib/asterisk")?;
        ensure!(kept.contains("account,secret"), "{kept}");
        ensure!(!kept.contains("app_authenticate_rs"), "{kept}");
        let after = shell.run(SYSTEM)?;
        ensure!(after == before, "{}", difference(&before, &after));
        Ok(())
    });
}

/// Man pages, completions of the three shells, and units that nothing has enabled.
fn documents_are_installed(shell: &mut Shell) -> Result<()> {
    let files = shell.run("dpkg -L pinset asterisk-authenticate-rs")?;
    for file in [
        "/usr/share/man/man1/pinset-hash.1.gz",
        "/usr/share/bash-completion/completions/pinset",
        "/usr/share/zsh/vendor-completions/_pinset",
        "/usr/share/fish/vendor_completions.d/pinset.fish",
        "/systemd/system/pinset-serve.socket",
        "/usr/share/doc/pinset/sbom.cdx.json.gz",
        "/usr/share/doc/asterisk-authenticate-rs/sbom.cdx.json.gz",
        "/etc/fail2ban/filter.d/asterisk-authenticate.conf",
    ] {
        ensure!(
            files.lines().any(|line| line.ends_with(file)),
            "{file}: {files}"
        );
    }
    let enabled = shell.run("find /etc/systemd -name 'pinset*'")?;
    ensure!(enabled.trim().is_empty(), "{enabled}");
    let completed = shell.run(
        "bash -c '. /usr/share/bash-completion/completions/pinset; COMP_WORDS=(pinset ve); \
         COMP_CWORD=1; _pinset pinset ve pinset; echo \"${COMPREPLY[@]}\"'",
    )?;
    ensure!(completed.trim() == "verify", "{completed}");
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
