//! One container whose first process supervises one Asterisk: starts it, signals it,
//! reports its end, and ends with the harness.

use std::io::{BufRead, BufReader, Write};
use std::path::{Path, PathBuf};
use std::process::{Child, ChildStdin, Command, Stdio};
use std::sync::atomic::{AtomicU32, Ordering};
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use anyhow::{anyhow, bail, Context, Result};

use crate::cleanup::{prefix, LABEL};
use crate::container_engine::{output, wait_within, Engine};
use crate::valgrind;

/// The supervisor. Its commands come on stdin, and when that ends, because the
/// harness has dropped the container or was killed, so does the container.
const KEEPER: &str = r#"
mkdir -p /run/asterisk
for folder in /usr/lib/*/asterisk/modules /usr/lib/asterisk/modules; do
    [ -d "$folder" ] && ln -sfn "$folder" /run/asterisk-modules
done
link_modules() {
    for file in /harness/modules/*.so; do
        [ -e "$file" ] && ln -sf "$file" /run/asterisk-modules/
    done
}
mkdir -p /usr/share/asterisk/documentation/thirdparty
for file in /harness/documentation/*.xml; do
    [ -e "$file" ] && ln -sf "$file" /usr/share/asterisk/documentation/thirdparty/
done
run() {
    user=
    if [ -n "$ASTERISK_RUNS_AS" ]; then
        user="-U $ASTERISK_RUNS_AS -G $ASTERISK_RUNS_AS"
        # These lie on the host, where another user owns them.
        chmod 777 /var/log/asterisk /harness/db
        chown -R "$ASTERISK_RUNS_AS:" /var/lib/asterisk /var/spool/asterisk /run/asterisk
    fi
    $ASTERISK_UNDER asterisk -f $user </dev/null >>/var/log/asterisk/console 2>&1 &
    echo "up $!"
    wait $!
    echo "down $?"
}
echo ready
while read -r order argument; do
    case $order in
        start) link_modules; run & ;;
        signal) kill -s $argument ;;
    esac
done
"#;

/// Where Asterisk's modules are in the container: a link, because Debian 11 has them in
/// another folder than later versions.
pub const MODULES: &str = "/run/asterisk-modules";

/// Where programs are in the container.
const PATH: &str = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin";

/// How long a container may take to start or to go.
const CONTAINER_TIME: Duration = Duration::from_secs(30);

/// What the keeper has last said about Asterisk.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum State {
    Starting,
    Ready,
    Up(u32),
    Down(i32),
    Gone,
}

#[derive(Debug)]
struct ContainerShared {
    state: Mutex<State>,
    changed: Condvar,
}

impl ContainerShared {
    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn set(&self, state: State) {
        *self.lock() = state;
        self.changed.notify_all();
    }
}

/// A running container.
#[derive(Debug)]
pub(crate) struct Container {
    engine: Engine,
    name: String,
    /// Where the environment of all that runs inside comes from.
    environment: Vec<(String, String)>,
    /// The keeper's process id on this host, if that is a way in.
    keeper: Option<u32>,
    orders: Mutex<Option<ChildStdin>>,
    client: Child,
    shared: Arc<ContainerShared>,
}

/// What a container is made of.
#[derive(Debug)]
pub(crate) struct Spec<'a> {
    pub image: &'a str,
    pub network: &'a str,
    /// Whether file systems can be mounted inside.
    pub file_systems: bool,
    /// A folder inside that is a disk of its own in memory, and its size: `/data:size=9m`.
    pub disk: Option<&'a str>,
    /// Variables of the environment of all that runs inside.
    pub environment: &'a [(String, String)],
    /// Directories of the host and where they are seen inside.
    pub volumes: &'a [(PathBuf, &'a str)],
}

impl Container {
    pub(crate) fn start(engine: &Engine, spec: &Spec<'_>) -> Result<Self> {
        static COUNT: AtomicU32 = AtomicU32::new(0);
        let name = format!("{}{}", prefix(), COUNT.fetch_add(1, Ordering::Relaxed));
        let mut command = engine.command(["run", "--rm", "--interactive", "--name", &name]);
        command
            .args(["--label", LABEL, "--network", spec.network])
            .args(["--log-driver", "none"])
            // sipp sends the keys' RTP through a raw socket.
            .args(["--cap-add", "NET_RAW"])
            .args(engine.limits());
        let relabel = Path::new("/sys/fs/selinux/enforce").exists();
        if spec.file_systems {
            command
                .args(["--device", "/dev/fuse", "--cap-add", "SYS_ADMIN"])
                // AppArmor's profile for containers forbids any mount.
                .args(["--security-opt", "apparmor=unconfined"]);
            if relabel {
                // SELinux's, too.
                command.args(["--security-opt", "label=disable"]);
            }
        }
        if let Some(disk) = spec.disk {
            command.args(["--tmpfs", disk]);
        }
        for (outside, inside) in spec.volumes {
            let options = if relabel { ":z" } else { "" };
            command
                .arg("--volume")
                .arg(format!("{}:{inside}{options}", outside.display()));
        }
        for (name, value) in spec.environment {
            command.arg("--env").arg(format!("{name}={value}"));
        }
        command.args([spec.image, "bash", "-c", KEEPER]);
        // Ctrl-C at the terminal is for us; the container ends with us.
        std::os::unix::process::CommandExt::process_group(&mut command, 0);
        let mut client = command
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()
            .with_context(|| format!("can't run {command:?}"))?;

        let shared = Arc::new(ContainerShared {
            state: Mutex::new(State::Starting),
            changed: Condvar::new(),
        });
        if let Some(stdout) = client.stdout.take() {
            let shared = Arc::clone(&shared);
            std::thread::spawn(move || listen(BufReader::new(stdout), &shared));
        }
        let mut container = Self {
            engine: engine.clone(),
            name,
            environment: spec.environment.to_vec(),
            keeper: None,
            orders: Mutex::new(client.stdin.take()),
            client,
            shared,
        };
        match container.wait(CONTAINER_TIME, |state| state != State::Starting)? {
            State::Ready => {}
            _ => return Err(container.last_words()),
        }
        container.keeper = container.way_in(spec)?;
        Ok(container)
    }

    /// Returns the keeper's process id if commands can join it: the engine's own
    /// way takes a fifth of a second of processor time for each. They can't
    /// without root's rights, or when the engine runs on another machine.
    fn way_in(&self, spec: &Spec<'_>) -> Result<Option<u32>> {
        let inspect = ["inspect", "--format", "{{.State.Pid}}", &self.name];
        let printed = String::from_utf8(self.engine.output(inspect)?)?;
        let pid = printed.trim().parse().context("the engine's process id")?;
        // A process of that id on this host could be any.
        let (_, ours) = spec.volumes.first().context("no volume")?;
        let tried = joining(pid)
            .args(["test", "-d", ours])
            .stderr(Stdio::null())
            .status();
        Ok(matches!(tried, Ok(status) if status.success()).then_some(pid))
    }

    /// Why the container did not start, as its engine put it.
    fn last_words(&mut self) -> anyhow::Error {
        let mut problem = String::new();
        if let Some(mut stderr) = self.client.stderr.take() {
            if let Err(error) = std::io::Read::read_to_string(&mut stderr, &mut problem) {
                problem = error.to_string();
            }
        }
        anyhow!("the container did not start: {}", problem.trim_end())
    }

    fn wait(&self, limit: Duration, done: impl Fn(State) -> bool) -> Result<State> {
        let (state, timeout) = self
            .shared
            .changed
            .wait_timeout_while(self.shared.lock(), valgrind::limit(limit), |state| {
                !done(*state)
            })
            .unwrap_or_else(PoisonError::into_inner);
        if timeout.timed_out() {
            bail!(
                "container {}: still {:?} after {limit:?}",
                self.name,
                *state
            );
        }
        Ok(*state)
    }

    fn order(&self, order: &str) -> Result<()> {
        let mut orders = self.orders.lock().unwrap_or_else(PoisonError::into_inner);
        let Some(orders) = orders.as_mut() else {
            bail!("container {} is closing", self.name);
        };
        writeln!(orders, "{order}").context("the container is gone")
    }

    /// Starts Asterisk; returns when its process is there, not when it is
    /// ready for calls.
    pub(crate) fn start_asterisk(&self) -> Result<u32> {
        if let State::Up(pid) = *self.shared.lock() {
            bail!("Asterisk is running already, as process {pid}");
        }
        self.order("start")?;
        match self.wait(CONTAINER_TIME, |state| {
            matches!(state, State::Up(_) | State::Gone)
        })? {
            State::Up(pid) => Ok(pid),
            state => bail!("Asterisk did not start: {state:?}"),
        }
    }

    /// Sends Asterisk a signal, by name.
    pub(crate) fn signal(&self, signal: &str) -> Result<()> {
        let pid = self.pid()?;
        self.order(&format!("signal {signal} {pid}"))
    }

    /// Waits until Asterisk has ended; returns its exit status as a shell
    /// gives it.
    pub(crate) fn wait_down(&self, limit: Duration) -> Result<i32> {
        match self.wait(limit, |state| !matches!(state, State::Up(_)))? {
            State::Down(status) => Ok(status),
            state => bail!("Asterisk was not running: {state:?}"),
        }
    }

    /// The process id of Asterisk inside the container.
    pub(crate) fn pid(&self) -> Result<u32> {
        match *self.shared.lock() {
            State::Up(pid) => Ok(pid),
            state => bail!("Asterisk is not running: {state:?}"),
        }
    }

    /// A command that runs inside the container with our standard input and
    /// output.
    pub(crate) fn exec(&self, command: &[&str]) -> Command {
        let mut exec = match self.keeper {
            Some(pid) => {
                let mut exec = joining(pid);
                exec.env_clear().env("PATH", PATH).env("HOME", "/root");
                exec.envs(self.environment.iter().cloned());
                exec
            }
            None => self.engine.command(["exec", "--interactive", &self.name]),
        };
        exec.args(command);
        exec
    }

    /// The same at a terminal, which the engine makes.
    pub(crate) fn exec_at_terminal(&self, command: &[&str]) -> Command {
        let mut exec = self.engine.command(["exec", "--interactive", "--tty"]);
        exec.arg(&self.name).args(command);
        exec
    }

    /// Runs a command inside to its end and returns what it printed.
    pub(crate) fn output(&self, command: &[&str]) -> Result<Vec<u8>> {
        output(self.exec(command))
    }
}

impl Drop for Container {
    fn drop(&mut self) {
        let orders = self
            .orders
            .get_mut()
            .unwrap_or_else(PoisonError::into_inner);
        drop(orders.take());
        if !matches!(wait_within(&mut self.client, CONTAINER_TIME), Ok(Some(_))) {
            // Its own way out has failed; nobody to tell but the engine.
            let _ = self.engine.output(["rm", "--force", &self.name]);
        }
    }
}

/// The beginning of a command that runs where the process `pid` does.
fn joining(pid: u32) -> Command {
    let mut command = Command::new("nsenter");
    command
        .args(["--target", &pid.to_string()])
        .args(["--mount", "--uts", "--ipc", "--net", "--pid"])
        .args(["--root", "--wd"]);
    command
}

fn listen(lines: impl BufRead, shared: &ContainerShared) {
    for line in lines.lines().map_while(Result::ok) {
        let mut words = line.split_whitespace();
        let state = match (words.next(), words.next()) {
            (Some("ready"), None) => State::Ready,
            (Some("up"), Some(pid)) => State::Up(pid.parse().unwrap_or_default()),
            (Some("down"), Some(status)) => State::Down(status.parse().unwrap_or(-1)),
            _ => continue,
        };
        shared.set(state);
    }
    shared.set(State::Gone);
}

/// Time left until `end`.
pub(crate) fn until(end: Instant) -> Duration {
    end.saturating_duration_since(Instant::now())
}
