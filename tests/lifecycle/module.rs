//! Loading, unloading, and Asterisk's status of the module.

use anyhow::{bail, ensure, Context, Result};
use harness::{Ami, Pbx, MODULES};

use crate::support::Shell;

pub(crate) const OURS: &str = "app_authenticate_rs.so";
pub(crate) const STOCK: &str = "app_authenticate.so";

/// Loads the module again on the AMI session's thread. AMI touches no module
/// that is a link out of Asterisk's module directory, as the harness's are:
/// the file itself takes its place.
pub(crate) fn load_by_ami(ami: &Ami, shell: &mut Shell) -> Result<()> {
    let printed = shell.run(&format!(
        "cd {MODULES} && cp --remove-destination \"$(readlink {OURS})\" {OURS}"
    ))?;
    ensure!(printed.trim().is_empty(), "{printed}");
    module_action(ami, "unload", OURS)?;
    module_action(ami, "load", OURS)
}

/// Loads, unloads or reloads a module on the AMI session's own thread.
pub(crate) fn module_action(ami: &Ami, what: &str, module: &str) -> Result<()> {
    let headers = [("Module", module), ("LoadType", what)];
    ami.action("ModuleLoad", &headers)
        .map(drop)
        .with_context(|| format!("{what} {module}"))
}

/// How often Asterisk counts the module as used; an error if it does not run.
pub(crate) fn use_count(ami: &Ami) -> Result<u32> {
    let listed = ami.command(&format!("module show like {OURS}"))?;
    let line = listed.lines().find(|line| line.starts_with(OURS));
    let line = line.with_context(|| format!("not loaded:\n{listed}"))?;
    let words: Vec<&str> = line.split_whitespace().collect();
    match words[..] {
        [.., count, "Running", _] if !line.contains("Not Running") => {
            count.parse().with_context(|| line.to_owned())
        }
        _ => bail!("not running: {line}"),
    }
}

/// How many lines of Asterisk's memory map name our library.
pub(crate) fn mappings(pbx: &Pbx, shell: &mut Shell) -> Result<u64> {
    shell.number(&format!(
        "grep -c app_authenticate_rs /proc/{}/maps",
        pbx.pid()?
    ))
}

/// Unloads the module and has a look that nothing of it is left.
pub(crate) fn unload_wholly(pbx: &Pbx, ami: &Ami, shell: &mut Shell) -> Result<()> {
    ensure!(mappings(pbx, shell)? > 0, "it is not even mapped");
    module_action(ami, "unload", OURS)?;
    let left = mappings(pbx, shell)?;
    ensure!(left == 0, "{left} mappings of the library are left");
    let application = ami.command("core show application Authenticate")?;
    ensure!(
        application.contains("not registered"),
        "still registered: {application}"
    );
    Ok(())
}

/// Checks that Asterisk names our module in documentation, which it does since 22.9.
pub(crate) fn provider_is_shown(pbx: &Pbx, shown: &str) -> Result<()> {
    ensure!(
        pbx.version()? < (22, 9) || shown.contains("app_authenticate_rs"),
        "{shown}"
    );
    Ok(())
}
