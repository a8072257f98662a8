//! The Asterisk on this machine: its folders, its command line, its modules.

pub(crate) mod conf;
pub(crate) mod modules;

use std::io::{self, ErrorKind};
use std::os::unix::net::UnixStream;
use std::path::{Path, PathBuf};
use std::process::{Command, Output, Stdio};
use std::sync::mpsc;
use std::thread;
use std::time::Duration;

use thiserror::Error;

use crate::common::colours::without_colours;
use crate::common::error::CommandError;

/// Longest wait for a command of Asterisk. Loading a module may read large PIN files.
const CLI_TIMEOUT: Duration = Duration::from_secs(60);

/// Where the program is if `PATH` lacks the folders of administrators' programs.
const USUAL_PROGRAM: &str = "/usr/sbin/asterisk";

/// What the program prints if it reaches no running Asterisk.
const NOT_CONNECTED: &str = "Unable to connect to remote asterisk";

/// The Asterisk to look at.
#[derive(Debug, clap::Args)]
pub(crate) struct AsteriskArgs {
    /// Folder with asterisk.conf, which names the other folders
    #[arg(long, value_name = "DIR", default_value = "/etc/asterisk")]
    config_dir: PathBuf,
    /// Asterisk's program
    #[arg(long, value_name = "PROGRAM", default_value = "asterisk")]
    asterisk: PathBuf,
}

impl AsteriskArgs {
    /// Returns the folder with `asterisk.conf`.
    pub(crate) fn config_dir(&self) -> &Path {
        &self.config_dir
    }

    /// Reads `asterisk.conf`, as [`Asterisk::find`] does.
    pub(crate) fn find(&self) -> Result<Asterisk, CommandError> {
        Asterisk::find(&self.config_dir, &self.asterisk)
    }
}

/// An Asterisk, which may be running or not.
pub(crate) struct Asterisk {
    program: PathBuf,
    config_dir: PathBuf,
    /// `asterisk.conf`, if there is one.
    conf: Option<PathBuf>,
    options: conf::Readable,
}

/// The reason why Asterisk has not answered a command.
#[derive(Debug, Error)]
pub(crate) enum CliError {
    #[error("Asterisk is not running")]
    NotRunning,
    #[error("Asterisk's program {}: {error}", program.display())]
    Program { program: PathBuf, error: io::Error },
    #[error("Asterisk runs, but this user may not command it: run pinset as root")]
    Denied,
    #[error("Asterisk has not answered '{command}' within {} s", CLI_TIMEOUT.as_secs())]
    Timeout { command: String },
    #[error("asterisk -rx '{command}': {text}")]
    Failed { command: String, text: String },
}

impl Asterisk {
    /// Reads `asterisk.conf` in a folder. A missing one means Asterisk's defaults.
    pub(crate) fn find(config_dir: &Path, program: &Path) -> Result<Self, CommandError> {
        let path = config_dir.join("asterisk.conf");
        let exists = path.exists();
        let options = if exists {
            conf::read_most(&path)?
        } else {
            conf::Readable::default()
        };
        Ok(Self {
            program: program.to_owned(),
            config_dir: config_dir.to_owned(),
            conf: exists.then_some(path),
            options,
        })
    }

    /// Returns whether there is an `asterisk.conf`.
    pub(crate) fn is_configured(&self) -> bool {
        self.conf.is_some()
    }

    /// Returns an option of `asterisk.conf`.
    pub(crate) fn option(&self, section: &str, name: &str) -> Option<&str> {
        let value = self.options.value(section, name)?;
        (!value.is_empty()).then_some(value)
    }

    /// Returns a folder that `asterisk.conf` names.
    fn folder(&self, name: &str) -> Option<PathBuf> {
        self.option("directories", name).map(PathBuf::from)
    }

    /// Returns the folder of the configuration files.
    pub(crate) fn config_dir(&self) -> PathBuf {
        self.folder("astetcdir")
            .unwrap_or_else(|| self.config_dir.clone())
    }

    /// Returns the folder of the control socket and the process id.
    pub(crate) fn run_dir(&self) -> PathBuf {
        self.folder("astrundir")
            .unwrap_or_else(|| "/var/run/asterisk".into())
    }

    /// Returns the folder of the modules: the configured one, or the first usual one that
    /// exists, in the order of `packaging/install.sh`.
    pub(crate) fn module_dir(&self) -> Result<PathBuf, CommandError> {
        if let Some(folder) = self.folder("astmoddir") {
            return Ok(folder);
        }
        let mut usual: Vec<PathBuf> = std::fs::read_dir("/usr/lib")
            .map(|entries| entries.filter_map(|entry| Some(entry.ok()?.path())))
            .map(|folders| folders.map(|folder| folder.join("asterisk/modules")))
            .map(Iterator::collect)
            .unwrap_or_default();
        usual.sort();
        usual.push("/usr/lib64/asterisk/modules".into());
        usual.push("/usr/lib/asterisk/modules".into());
        usual
            .into_iter()
            .find(|folder| folder.is_dir())
            .ok_or_else(|| {
                CommandError::new(format!(
                    "where are Asterisk's modules? Set astmoddir in [directories] of {}",
                    self.config_dir.join("asterisk.conf").display()
                ))
            })
    }

    /// Returns the first line that the program prints about its version.
    pub(crate) fn program_version(&self) -> Result<String, CliError> {
        let output = self.run(&["-V"], "-V")?;
        let text = String::from_utf8_lossy(&output.stdout);
        Ok(text.lines().next().unwrap_or_default().trim().to_owned())
    }

    /// Runs a command on the command line of the running Asterisk. Returns what it
    /// prints, also if the command has failed.
    pub(crate) fn cli(&self, command: &str) -> Result<String, CliError> {
        let conf = self.conf.as_ref().map(|path| path.as_os_str());
        let mut arguments = Vec::new();
        if let Some(conf) = conf {
            arguments.extend([std::ffi::OsStr::new("-C"), conf]);
        }
        arguments.extend(["-rx", command].map(std::ffi::OsStr::new));
        let output = self.run(&arguments, command)?;
        let printed = without_colours(&output.stdout);
        let printed = String::from_utf8_lossy(&printed).into_owned();
        let errors = String::from_utf8_lossy(&output.stderr);
        if output.status.success() {
            return Ok(printed);
        }
        if [&*errors, &printed]
            .iter()
            .any(|text| text.contains(NOT_CONNECTED))
        {
            return Err(
                match UnixStream::connect(self.run_dir().join("asterisk.ctl")) {
                    Err(error) if error.kind() == ErrorKind::PermissionDenied => CliError::Denied,
                    _ => CliError::NotRunning,
                },
            );
        }
        // A command that fails is no failure of the connection.
        if !printed.trim().is_empty() {
            return Ok(printed);
        }
        let (command, text) = (command.to_owned(), errors.trim().to_owned());
        Err(CliError::Failed { command, text })
    }

    fn run(
        &self,
        arguments: &[impl AsRef<std::ffi::OsStr>],
        command: &str,
    ) -> Result<Output, CliError> {
        match output(&self.program, arguments, command) {
            Err(CliError::Program { error, .. })
                if error.kind() == ErrorKind::NotFound && self.program == Path::new("asterisk") =>
            {
                output(Path::new(USUAL_PROGRAM), arguments, command)
            }
            done => done,
        }
    }

    /// Returns the process id of the running Asterisk.
    pub(crate) fn process(&self) -> Option<u32> {
        let text = std::fs::read_to_string(self.run_dir().join("asterisk.pid")).ok()?;
        text.trim().parse().ok()
    }
}

/// Runs a program to its end, but kills it after [`CLI_TIMEOUT`].
fn output(
    program: &Path,
    arguments: &[impl AsRef<std::ffi::OsStr>],
    command: &str,
) -> Result<Output, CliError> {
    let failed = |error| CliError::Program {
        program: program.to_owned(),
        error,
    };
    let mut child = Command::new(program);
    child.args(arguments).stdin(Stdio::null());
    child.stdout(Stdio::piped()).stderr(Stdio::piped());
    let child = child.spawn().map_err(failed)?;
    let pid = i32::try_from(child.id()).ok();
    let (sender, receiver) = mpsc::channel();
    thread::spawn(move || {
        // The receiver no longer waits after the time limit.
        let _ = sender.send(child.wait_with_output());
    });
    match receiver.recv_timeout(CLI_TIMEOUT) {
        Ok(output) => output.map_err(failed),
        Err(_) => {
            if let Some(pid) = pid.and_then(rustix::process::Pid::from_raw) {
                // It may have ended just now.
                let _ = rustix::process::kill_process(pid, rustix::process::Signal::KILL);
            }
            let command = command.to_owned();
            Err(CliError::Timeout { command })
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::fs;
    use std::os::unix::fs::PermissionsExt;

    fn asterisk(conf: Option<&str>, program: &str) -> (tempfile::TempDir, Asterisk) {
        let folder = tempfile::tempdir().expect("a folder");
        if let Some(text) = conf {
            fs::write(folder.path().join("asterisk.conf"), text).expect("written");
        }
        let path = folder.path().join("program");
        fs::write(&path, format!("#!/bin/sh\n{program}\n")).expect("written");
        fs::set_permissions(&path, fs::Permissions::from_mode(0o755)).expect("mode");
        let arguments = AsteriskArgs {
            config_dir: folder.path().to_owned(),
            asterisk: path,
        };
        let found = arguments.find().expect("found");
        (folder, found)
    }

    #[test]
    fn folders_are_those_of_asterisk_conf_and_templates_do_not_count() {
        let (folder, none) = asterisk(None, "");
        assert_eq!(none.config_dir(), folder.path());
        assert_eq!(none.run_dir(), Path::new("/var/run/asterisk"));
        let text = "[directories](!)\nastetcdir => /template\n";
        let (folder, template) = asterisk(Some(text), "");
        assert_eq!(template.config_dir(), folder.path());
        let text = "[directories]\nastetcdir => /e ; here\nastmoddir=/m\nastrundir = /r\n";
        let (_folder, set) = asterisk(Some(text), "");
        assert_eq!(set.config_dir(), Path::new("/e"));
        assert_eq!(set.run_dir(), Path::new("/r"));
        assert_eq!(set.module_dir().ok(), Some("/m".into()));
    }

    #[test]
    fn cli_passes_configuration_and_returns_output_without_colours() {
        let (folder, found) = asterisk(Some(""), "printf '\\033[1m%s\\033[0m' \"$*\"");
        let conf = folder.path().join("asterisk.conf");
        let wanted = format!("-C {} -rx core show version", conf.display());
        assert_eq!(found.cli("core show version").ok(), Some(wanted));
    }

    #[test]
    fn cli_failure_is_named() {
        let silent = "echo noise; echo 'Unable to connect to remote asterisk (does' >&2; exit 1";
        let (_folder, stopped) = asterisk(None, silent);
        assert!(matches!(stopped.cli("x"), Err(CliError::NotRunning)));
        let (_folder, failing) = asterisk(None, "echo 'out of memory' >&2; exit 1");
        let error = failing.cli("x").expect_err("failed").to_string();
        assert_eq!(error, "asterisk -rx 'x': out of memory");
        let (folder, missing) = asterisk(None, "");
        fs::remove_file(folder.path().join("program")).expect("removed");
        assert!(matches!(missing.cli("x"), Err(CliError::Program { .. })));
    }
}
