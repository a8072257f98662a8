//! One Asterisk in one container: start, commands, kill, restart, removal.

use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, OnceLock, PoisonError};
use std::time::{Duration, Instant};

use anyhow::{anyhow, bail, Context, Result};
use tempfile::TempDir;

use crate::ami::Ami;
use crate::builder::Builder;
use crate::cleanup::{prefix, remove_dead};
use crate::container::{Container, Spec, MODULES};
use crate::container_engine::Engine;
use crate::image::Image;
use crate::module::OURS;
use crate::report::Cdr;
use crate::valgrind::{self, Findings};

/// How long Asterisk may take to end.
const END_TIME: Duration = Duration::from_secs(30);

/// How long the log may lag behind.
const LOG_TIME: Duration = Duration::from_secs(2);

/// A running Asterisk. Dropping it removes everything; if that happens
/// because a test panics, or `HARNESS_LOG` is set in the environment, its log
/// is printed first.
#[derive(Debug)]
pub struct Pbx {
    // Before the directory: the container has to be gone by the time its
    // volumes are removed.
    ami: Mutex<Option<Arc<Ami>>>,
    container: Container,
    settings: ContainerSettings,
    dir: TempDir,
    ami_port: u16,
    ami_secret: String,
    calls: AtomicU64,
}

/// What a container is started with, whichever its image.
#[derive(Debug)]
struct ContainerSettings {
    network: String,
    file_systems: bool,
    environment: Vec<(String, String)>,
    volumes: Vec<(PathBuf, &'static str)>,
}

impl ContainerSettings {
    fn start(&self, engine: &Engine, image: &Image, dir: &Path) -> Result<Container> {
        let mut volumes = vec![
            (dir.join("etc"), "/etc/asterisk"),
            (dir.join("log"), "/var/log/asterisk"),
            (dir.join("pins"), "/pins"),
            (dir.join("share"), "/harness"),
        ];
        volumes.extend(self.volumes.iter().cloned());
        Container::start(
            engine,
            &Spec {
                image: image.tag(),
                network: &self.network,
                file_systems: self.file_systems,
                disk: None,
                environment: &self.environment,
                volumes: &volumes,
            },
        )
    }
}

impl Pbx {
    /// Chooses what to start.
    pub fn builder() -> Builder {
        Builder::default()
    }

    pub(crate) fn start(builder: &Builder) -> Result<Self> {
        let (engine, image) = prepared()?;

        let dir = tempfile::Builder::new().prefix(&prefix()).tempdir()?;
        // Made by us, so that we can empty them whoever wrote into them.
        for name in ["etc", "log/cdr-csv", "pins", "share/db", "share/modules"] {
            fs::create_dir_all(dir.path().join(name))?;
        }
        fs::create_dir_all(dir.path().join("share/documentation"))?;
        for (name, contents) in builder.config.files() {
            fs::write(dir.path().join("etc").join(name), contents)?;
        }
        for (name, contents, mode) in &builder.pins {
            let path = dir.path().join("pins").join(name);
            fs::write(&path, contents)?;
            fs::set_permissions(&path, fs::Permissions::from_mode(*mode))?;
        }
        if let Some(module) = builder.module_file_wanted()? {
            install(&module, &dir.path().join("share/modules").join(OURS))?;
        }
        if let Some(file) = builder.documentation_file() {
            let name = file.file_name().context("the documentation has no name")?;
            fs::copy(&file, dir.path().join("share/documentation").join(name))?;
        }
        let settings = ContainerSettings {
            network: builder.network.clone(),
            file_systems: builder.file_systems,
            environment: environment(builder),
            volumes: builder.volumes.clone(),
        };
        let container = settings.start(engine, image, dir.path())?;
        let pbx = Self {
            ami: Mutex::new(None),
            container,
            settings,
            dir,
            ami_port: builder.config.ami_port,
            ami_secret: builder.config.ami_secret.clone(),
            calls: AtomicU64::new(1),
        };
        pbx.start_again()?;
        Ok(pbx)
    }

    /// The port of AMI on the container's loopback address.
    pub(crate) fn ami_port(&self) -> u16 {
        self.ami_port
    }

    /// A new AMI connection.
    pub fn ami(&self) -> Result<Ami> {
        Ami::connect(&self.container, self.ami_port, &self.ami_secret)
    }

    /// The AMI connection all calls share.
    pub fn manager(&self) -> Result<Arc<Ami>> {
        let ami = self.ami.lock().unwrap_or_else(PoisonError::into_inner);
        ami.clone().context("Asterisk is not running")
    }

    /// The name and the secret of the AMI user that the harness is.
    pub fn ami_login(&self) -> (&'static str, &str) {
        ("harness", &self.ami_secret)
    }

    /// Runs a CLI command as an administrator would, with `asterisk -rx`
    /// (AMI refuses some); returns what it printed, whether or not it
    /// succeeded.
    pub fn cli(&self, command: &str) -> Result<String> {
        let mut client = self.container.exec(&["asterisk", "-rx", command]);
        let output = client.output().context("can't run a command inside")?;
        if !output.status.success() && output.stdout.is_empty() {
            bail!(
                "{command}: {}",
                String::from_utf8_lossy(&output.stderr).trim_end()
            );
        }
        Ok(String::from_utf8_lossy(&output.stdout).into_owned())
    }

    /// Runs a command in the container to its end; returns what it printed.
    pub fn exec(&self, command: &[&str]) -> Result<String> {
        let output = self.container.output(command)?;
        Ok(String::from_utf8_lossy(&output).into_owned())
    }

    /// A command that runs in the container with our standard input and output.
    pub fn exec_command(&self, command: &[&str]) -> std::process::Command {
        self.container.exec(command)
    }

    /// The same at a terminal.
    pub fn exec_at_terminal(&self, command: &[&str]) -> std::process::Command {
        self.container.exec_at_terminal(command)
    }

    /// Writes a file: under `/pins`, `/etc/asterisk`, `/var/log/asterisk` or
    /// `/harness` directly, atomically, as a whole; elsewhere with a copy.
    pub fn write_file(&self, path: &str, contents: impl AsRef<[u8]>) -> Result<()> {
        match self.outside(path) {
            Some(outside) => {
                let dir = outside.parent().context("a file has a directory")?;
                fs::create_dir_all(dir)?;
                let file = tempfile::NamedTempFile::new_in(dir)?;
                fs::write(file.path(), contents)?;
                // As a file an administrator would write, not a private one.
                let mode = fs::Permissions::from_mode(0o644);
                fs::set_permissions(file.path(), mode)?;
                file.persist(&outside)?;
            }
            None => {
                let name = format!("copy-{}", self.next_number());
                fs::write(self.share().join(&name), contents)?;
                self.exec(&["mv", &format!("/harness/{name}"), path])?;
            }
        }
        Ok(())
    }

    /// Where a file of the container lies on the host, if it does.
    pub fn outside(&self, path: &str) -> Option<PathBuf> {
        [
            ("/etc/asterisk/", "etc"),
            ("/var/log/asterisk/", "log"),
            ("/pins/", "pins"),
            ("/harness/", "share"),
        ]
        .iter()
        .find_map(|(inside, dir)| Some(self.dir.path().join(dir).join(path.strip_prefix(inside)?)))
    }

    fn share(&self) -> PathBuf {
        self.dir.path().join("share")
    }

    pub(crate) fn next_number(&self) -> u64 {
        self.calls.fetch_add(1, Ordering::Relaxed)
    }

    /// Writes a list of PINs to `/pins/NAME`.
    pub fn pin_file(&self, name: &str, contents: impl AsRef<[u8]>) -> Result<()> {
        self.write_file(&format!("/pins/{name}"), contents)
    }

    /// Puts a module file into Asterisk's module directory, in place of one
    /// of the same name; nothing is loaded.
    pub fn put_module(&self, file: &Path, name: &str) -> Result<()> {
        let inside = format!("/harness/modules/{name}");
        install(file, &self.share().join("modules").join(name))?;
        let link = format!("{MODULES}/{name}");
        self.exec(&["ln", "-sf", &inside, &link]).map(drop)
    }

    /// Copies a program to a place that the host can write. `cp` does, because a copy that
    /// this process has open for writing can't be run ("Text file busy") before every child
    /// that another thread starts meanwhile has closed it.
    pub fn put_program(&self, program: &Path, path: &str) -> Result<()> {
        let outside = self.outside(path).context("no way in")?;
        let mut copy = std::process::Command::new("cp");
        copy.arg(program).arg(outside);
        crate::container_engine::output(copy).map(drop)
    }

    /// Sets an astdb entry.
    pub fn db_put(&self, family: &str, key: &str, value: &str) -> Result<()> {
        let headers = [("Family", family), ("Key", key), ("Val", value)];
        self.manager()?.action("DBPut", &headers).map(drop)
    }

    /// An astdb entry's value; none if there is no such entry.
    pub fn db_get(&self, family: &str, key: &str) -> Result<Option<String>> {
        let headers = [("Family", family), ("Key", key)];
        let manager = self.manager()?;
        let events = manager.events();
        if manager.ask("DBGet", &headers)?.has("Response", "Error") {
            return Ok(None);
        }
        let frame = events.wait("DBGetResponse", valgrind::limit(END_TIME), |frame| {
            frame.event() == Some("DBGetResponse") && frame.has("Key", key)
        })?;
        Ok(frame.get("Val").map(str::to_owned))
    }

    /// Asterisk's log so far, with everything Asterisk had to say by now.
    pub fn log(&self) -> Result<String> {
        let Ok(manager) = self.manager() else {
            return self.read_log("full");
        };
        // A thread of Asterisk's writes the log some time later, in order:
        // when our mark is there, so is everything before it.
        let mark = format!("mark-{}", self.next_number());
        let headers = [("Variable", "H_MARK"), ("Value", mark.as_str())];
        let end = Instant::now() + valgrind::limit(LOG_TIME);
        let marked = manager.ask("Setvar", &headers).is_ok();
        loop {
            let log = self.read_log("full")?;
            if !marked || log.contains(&format!("to '{mark}'")) || Instant::now() >= end {
                return Ok(log);
            }
            std::thread::sleep(Duration::from_millis(5));
        }
    }

    /// What Asterisk and its modules printed by themselves: a panic, a
    /// crash, what was wrong before the log was opened.
    pub fn console(&self) -> Result<String> {
        self.read_log("console")
    }

    fn read_log(&self, name: &str) -> Result<String> {
        let bytes = fs::read(self.dir.path().join("log").join(name))
            .with_context(|| format!("Asterisk's {name} log"))?;
        Ok(String::from_utf8_lossy(&bytes).into_owned())
    }

    /// Both logs as a person looking for a failure wants them: without the
    /// hundreds of lines a good start writes.
    pub fn story(&self) -> String {
        let shown = |log: Result<String>| log.unwrap_or_else(|error| format!("{error:#}\n"));
        shown(self.console()) + &brief(&shown(self.log()))
    }

    /// The call detail records so far.
    pub fn cdr_csv(&self) -> Result<Vec<Cdr>> {
        self.cdr_rows(|_| true)
    }

    /// The call detail record of a channel, if it is written.
    pub(crate) fn cdr_of(&self, unique_id: &str) -> Result<Option<Cdr>> {
        let rows = self.cdr_rows(|row| row.iter().any(|field| field == unique_id))?;
        Ok(rows.into_iter().find(|row| row.uniqueid == unique_id))
    }

    /// The wanted ones only are made into a [`Cdr`], which takes long for thousands.
    fn cdr_rows(&self, wanted: impl Fn(&csv::StringRecord) -> bool) -> Result<Vec<Cdr>> {
        let path = self.dir.path().join("log/cdr-csv/Master.csv");
        if !path.exists() {
            return Ok(Vec::new());
        }
        // Bytes that are not UTF-8 can be in an account code.
        let bytes = fs::read(path)?;
        let text = String::from_utf8_lossy(&bytes);
        // A row may be being written: only ended ones count.
        let text = text.rsplit_once('\n').map_or("", |(rows, _)| rows);
        csv::ReaderBuilder::new()
            .has_headers(false)
            .from_reader(text.as_bytes())
            .into_records()
            .filter(|row| !matches!(row, Ok(row) if !wanted(row)))
            .map(|row| {
                let row = row.and_then(|row| row.deserialize(None));
                row.context("a row of Master.csv")
            })
            .collect()
    }

    /// Kills Asterisk with SIGKILL; the container and its files stay.
    pub fn kill9(&self) -> Result<()> {
        self.container.signal("KILL")?;
        self.ended().map(drop)
    }

    /// Stops Asterisk as `core stop now` does; returns its exit status.
    pub fn stop(&self) -> Result<i32> {
        self.container.signal("TERM")?;
        self.ended()
    }

    /// Waits until Asterisk has ended, by itself or by a crash; returns its
    /// exit status as a shell gives it (139: segmentation fault).
    pub fn ended(&self) -> Result<i32> {
        let status = self.container.wait_down(END_TIME)?;
        *self.ami.lock().unwrap_or_else(PoisonError::into_inner) = None;
        Ok(status)
    }

    /// Starts Asterisk after it has ended and waits until it is fully booted.
    pub fn start_again(&self) -> Result<()> {
        let started = self.container.start_asterisk().and_then(|_| self.ami());
        match started {
            Ok(ami) => {
                *self.ami.lock().unwrap_or_else(PoisonError::into_inner) = Some(Arc::new(ami));
                Ok(())
            }
            Err(error) => Err(error.context(format!(
                "Asterisk did not start; its log:\n{}",
                self.story()
            ))),
        }
    }

    /// Kills Asterisk with SIGKILL and starts it again with its state kept.
    pub fn restart(&self) -> Result<()> {
        self.kill9()?;
        self.start_again()
    }

    /// Asterisk's major and minor version: 22 and 10.
    pub fn version(&self) -> Result<(u32, u32)> {
        // AMI knows it before the command line does.
        let settings = self.manager()?.action("CoreSettings", &[])?;
        let shown = settings.get("AsteriskVersion").unwrap_or_default();
        let mut numbers = shown
            .split(|c: char| !c.is_ascii_digit())
            .map(|text| text.parse::<u32>().ok());
        numbers
            .next()
            .flatten()
            .zip(numbers.next().flatten())
            .with_context(|| format!("no version: {shown}"))
    }

    /// Stops Asterisk and starts that of another suite with the same configuration,
    /// database, PIN files and module.
    pub fn change_suite(&mut self, suite: &str) -> Result<()> {
        self.stop()?;
        let (engine, _) = prepared()?;
        let image = Image::of_suite(engine, suite);
        image.ensure()?;
        self.container = self.settings.start(engine, &image, self.dir.path())?;
        self.start_again()
    }

    /// Asterisk's process id inside the container; an error if it does not
    /// run.
    pub fn pid(&self) -> Result<u32> {
        self.container.pid()
    }

    /// Under valgrind, unloads our module, ends Asterisk, and returns the errors and leaks of
    /// the module: what it has not freed by then, nobody refers to.
    pub fn memory_errors(&self) -> Result<Vec<String>> {
        let folder = valgrind::folder().context("not under valgrind")?;
        if self.pid().is_ok() {
            // It may not be loaded, or a call may be left.
            let _ = self.cli(&format!("module unload {OURS}"));
            self.stop()?;
        }
        let log = self.dir.path().join("log");
        let findings = Findings::take(&log)?;
        findings.note(&folder)?;
        Ok(findings.ours)
    }

    fn proc(&self, file: &str) -> Result<String> {
        self.exec(&["cat", &format!("/proc/{}/{file}", self.pid()?)])
    }

    /// `/proc/PID/maps` of Asterisk.
    pub fn proc_maps(&self) -> Result<String> {
        self.proc("maps")
    }

    /// Where Asterisk's open file descriptors lead.
    pub fn open_fds(&self) -> Result<Vec<String>> {
        let dir = format!("/proc/{}/fd", self.pid()?);
        let listed = self.exec(&["find", &dir, "-type", "l", "-printf", "%l\\n"])?;
        Ok(listed.lines().map(str::to_owned).collect())
    }

    /// Asterisk's resident memory in KiB.
    pub fn rss_kb(&self) -> Result<u64> {
        let status = self.proc("status")?;
        let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:"));
        let number = line.and_then(|line| line.split_whitespace().next());
        number.context("no VmRSS")?.parse().context("VmRSS")
    }

    /// Processor time of Asterisk so far, user and system, in clock ticks
    /// (hundredths of a second).
    pub fn cpu_time(&self) -> Result<u64> {
        let stat = self.proc("stat")?;
        // After the name, which can hold anything and ends at the last `)`.
        let (_, fields) = stat.rsplit_once(')').context("no name in stat")?;
        let mut fields = fields.split_whitespace().skip(11);
        match (fields.next(), fields.next()) {
            (Some(user), Some(system)) => Ok(user.parse::<u64>()? + system.parse::<u64>()?),
            _ => bail!("short stat: {stat}"),
        }
    }
}

impl Drop for Pbx {
    fn drop(&mut self) {
        if valgrind::folder().is_some() {
            match self.memory_errors() {
                Ok(errors) if errors.is_empty() => {}
                // A second panic would end all tests.
                result if std::thread::panicking() => eprintln!("valgrind: {result:#?}"),
                Ok(errors) => panic!("errors of memory of the module:\n{}", errors.concat()),
                Err(error) => panic!("{error:#}"),
            }
        }
        if std::thread::panicking() || std::env::var_os("HARNESS_LOG").is_some() {
            eprintln!(
                "--- log of Asterisk ---\n{}--- end of the log ---",
                self.story()
            );
        }
    }
}

/// What all that runs in the container finds in its environment.
fn environment(builder: &Builder) -> Vec<(String, String)> {
    let mut environment = builder.environment.clone();
    let (name, command) = valgrind::COMMAND;
    let is_given = environment.iter().any(|(given, _)| given == name);
    if valgrind::folder().is_some() && !is_given {
        environment.push((name.to_owned(), command.to_owned()));
    }
    environment
}

/// The engine, and the image of all containers of this process: found, and made
/// if need be, once. What dead harnesses have left is removed by then.
pub(crate) fn prepared() -> Result<&'static (Engine, Image)> {
    static PREPARED: OnceLock<Result<(Engine, Image), String>> = OnceLock::new();
    let prepare = || -> Result<(Engine, Image)> {
        let engine = Engine::find()?;
        remove_dead(&engine);
        let image = Image::from_env(&engine);
        image.ensure()?;
        Ok((engine, image))
    };
    PREPARED
        .get_or_init(|| prepare().map_err(|error| format!("{error:#}")))
        .as_ref()
        .map_err(|error| anyhow!("{error}"))
}

/// The log without the hundreds of lines a good start writes.
fn brief(log: &str) -> String {
    let mut starting = true;
    let mut kept = String::new();
    for line in log.lines() {
        // Killed and started again, Asterisk starts again in the log, too.
        if line.contains("asterisk.c: Asterisk Ready") {
            starting = false;
        } else if line.contains(" built by ") {
            starting = true;
        }
        if !starting || !line.contains("] VERBOSE[") {
            kept.push_str(line);
            kept.push('\n');
        }
    }
    kept
}

/// Copies a file to its place in one step: an Asterisk that has the old one
/// mapped keeps the old one.
fn install(from: &Path, to: &Path) -> Result<()> {
    let new = to.with_extension("new");
    fs::copy(from, &new).with_context(|| format!("can't copy {}", from.display()))?;
    fs::rename(&new, to).with_context(|| format!("can't write {}", to.display()))
}
