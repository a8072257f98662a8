//! The container engine: `podman` or `docker`, whichever answers.

use std::ffi::OsStr;
use std::path::Path;
use std::process::{Child, Command, ExitStatus, Output, Stdio};
use std::time::{Duration, Instant};

use anyhow::{bail, Context, Result};

/// The environment variable that names the engine to use.
pub(crate) const ENGINE_VAR: &str = "CONTAINER_ENGINE";

/// A container engine that responds, and the options that it needs on this
/// host.
#[derive(Debug, Clone)]
pub struct Engine {
    program: String,
    global: Vec<String>,
    limits: Vec<String>,
}

impl Engine {
    /// Finds an engine that answers `info`: the one named by
    /// `CONTAINER_ENGINE`, else `podman`, else `docker`.
    pub fn find() -> Result<Self> {
        if let Some(program) = std::env::var(ENGINE_VAR).ok().filter(|p| !p.is_empty()) {
            let engine = Self::new(&program);
            return match engine.answers() {
                Ok(()) => Ok(engine),
                Err(error) => Err(error.context(format!("{ENGINE_VAR}={program} does not answer"))),
            };
        }
        let mut reasons = String::new();
        for program in ["podman", "docker"] {
            let engine = Self::new(program);
            match engine.answers() {
                Ok(()) => return Ok(engine),
                Err(error) => reasons.push_str(&format!("\n  {program}: {error:#}")),
            }
        }
        bail!("no container engine answers; install podman, or docker:{reasons}");
    }

    fn new(program: &str) -> Self {
        let mut engine = Self {
            program: program.to_owned(),
            global: Vec::new(),
            limits: Vec::new(),
        };
        // A containers.conf of the user's has settled these already.
        if engine.is_podman() && std::env::var_os("CONTAINERS_CONF").is_none() {
            // crun wants cgroups v2; runc does with either.
            if !Path::new("/sys/fs/cgroup/cgroup.controllers").exists() && in_path("runc") {
                engine.global = vec!["--runtime".into(), "runc".into()];
            }
            engine.limits = limit_options();
        }
        engine
    }

    fn answers(&self) -> Result<()> {
        output(self.command(["info"])).map(drop)
    }

    /// The engine's command with `args`, ready to run.
    pub fn command<I, S>(&self, args: I) -> Command
    where
        I: IntoIterator<Item = S>,
        S: AsRef<OsStr>,
    {
        let mut command = Command::new(&self.program);
        command.args(&self.global).args(args);
        // For a command of a tenth of a second, more threads are only more work.
        command.env("GOMAXPROCS", "1");
        command
    }

    /// Options for `run` without which a container may not start on this
    /// host.
    pub fn limits(&self) -> &[String] {
        &self.limits
    }

    /// The engine and its options for builds on this host, as words of a shell.
    pub fn build_command(&self) -> String {
        let mut words = vec![self.program.clone()];
        words.extend(self.global.iter().cloned());
        words.push("build".into());
        if self.is_podman() {
            // A network of its own takes a bridge, which a restricted host lacks.
            words.extend(["--isolation", "chroot", "--network", "host"].map(Into::into));
        }
        words.extend(self.limits.iter().cloned());
        words.join(" ")
    }

    /// The same options as a `containers.conf`, for programs that run podman; none
    /// if the engine is docker.
    pub fn containers_conf(&self) -> Option<String> {
        if !self.is_podman() {
            return None;
        }
        let limits = self.limits.iter().filter(|word| !word.starts_with("--"));
        let limits: Vec<String> = limits.map(|limit| format!("{limit:?}")).collect();
        let mut text = format!("[containers]\ndefault_ulimits = [{}]\n", limits.join(", "));
        if let [_, runtime] = &self.global[..] {
            text.push_str(&format!("[engine]\nruntime = {runtime:?}\n"));
        }
        Some(text)
    }

    fn is_podman(&self) -> bool {
        Path::new(&self.program).file_name() == Some(OsStr::new("podman"))
    }

    /// Runs the engine with `args` and returns what it printed; an error
    /// carries what it said on stderr.
    pub fn output<I, S>(&self, args: I) -> Result<Vec<u8>>
    where
        I: IntoIterator<Item = S>,
        S: AsRef<OsStr>,
    {
        output(self.command(args))
    }
}

/// Runs a command to its end and returns its stdout; failure is an error
/// with its stderr.
pub(crate) fn output(mut command: Command) -> Result<Vec<u8>> {
    let shown = format!("{command:?}");
    let Output {
        status,
        stdout,
        stderr,
    } = command
        .stdin(Stdio::null())
        .output()
        .with_context(|| format!("can't run {shown}"))?;
    if !status.success() {
        bail!(
            "{shown}: {status}\n{}",
            String::from_utf8_lossy(&stderr).trim_end()
        );
    }
    Ok(stdout)
}

/// Waits for a child's end, but not longer than `limit`: then it is killed,
/// and there is no status.
pub(crate) fn wait_within(child: &mut Child, limit: Duration) -> Result<Option<ExitStatus>> {
    let end = Instant::now() + limit;
    loop {
        if let Some(status) = child.try_wait()? {
            return Ok(Some(status));
        }
        if Instant::now() >= end {
            child.kill()?;
            child.wait()?;
            return Ok(None);
        }
        // std can't wait for a child with a limit.
        std::thread::sleep(Duration::from_millis(10));
    }
}

/// Whether a program is in `PATH` or in the system's own directories.
pub(crate) fn in_path(program: &str) -> bool {
    let path = std::env::var_os("PATH").unwrap_or_default();
    std::env::split_paths(&path)
        .chain(["/usr/sbin".into(), "/sbin".into()])
        .any(|dir| dir.join(program).is_file())
}

/// By itself podman asks for limits higher than a restricted host grants, and
/// the container does not start: ask for what one Asterisk needs, and for no
/// more than we have ourselves.
fn limit_options() -> Vec<String> {
    let limits = std::fs::read_to_string("/proc/self/limits").unwrap_or_default();
    [
        ("Max open files", "nofile", 16384),
        ("Max processes", "nproc", 32768),
    ]
    .iter()
    .flat_map(|&(line, name, enough)| {
        let limit = hard_limit(&limits, line).map_or(enough, |hard| hard.min(enough));
        ["--ulimit".to_owned(), format!("{name}={limit}:{limit}")]
    })
    .collect()
}

/// The hard limit on the line of `/proc/self/limits` that begins with
/// `name`; none if there is no limit.
fn hard_limit(limits: &str, name: &str) -> Option<u64> {
    let rest = limits.lines().find_map(|line| line.strip_prefix(name))?;
    rest.split_whitespace().nth(1)?.parse().ok()
}

#[cfg(test)]
mod tests {
    use super::hard_limit;

    #[test]
    fn hard_limits_are_read_and_unlimited_is_none() {
        let text = "Limit                     Soft Limit           Hard Limit           Units     \n\
                    Max processes             unlimited            unlimited            processes \n\
                    Max open files            1024                 20000                files     \n";
        assert_eq!(hard_limit(text, "Max open files"), Some(20000));
        assert_eq!(hard_limit(text, "Max processes"), None);
        assert_eq!(hard_limit(text, "Max locked memory"), None);
    }
}
