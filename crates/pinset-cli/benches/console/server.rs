//! The console, as a process.

use std::fs;
use std::io::{BufRead, BufReader, Write};
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use rustix::process::{getegid, kill_process, Pid, Signal};

use crate::files::Lab;
use crate::must;

pub(crate) const PASSWORD: &str = "correct horse";

/// Duration of a clock tick in `/proc/PID/stat`.
const TICK: Duration = Duration::from_millis(10);

/// A running console.
pub(crate) struct Server {
    child: Child,
    pub(crate) address: String,
    /// The time from its start until it listens.
    pub(crate) started: Duration,
}

impl Server {
    pub(crate) fn start(lab: &Lab) -> Self {
        let users = lab.path("users");
        if !users.exists() {
            let mut user = Command::new(env!("CARGO_BIN_EXE_pinset"));
            user.args(["console", "user", "add", "ada", "--role", "admin"]);
            user.args(["--group", &getegid().as_raw().to_string()]);
            user.arg("--users").arg(users);
            user.stdin(Stdio::piped()).stderr(Stdio::null());
            let mut user = must(user.spawn());
            if let Some(mut input) = user.stdin.take() {
                must(writeln!(input, "{PASSWORD}"));
            }
            assert!(must(user.wait()).success());
        }
        let mut console = Command::new(env!("CARGO_BIN_EXE_pinset"));
        console.args(["console", "--config"]);
        console.arg(lab.path("console.toml"));
        let begun = Instant::now();
        // Its log would stand between the figures.
        console.stdout(Stdio::piped()).stderr(Stdio::null());
        let mut child = must(console.spawn());
        let mut line = String::new();
        if let Some(output) = child.stdout.take() {
            must(BufReader::new(output).read_line(&mut line));
        }
        let address = line.trim().rsplit('/').next().unwrap_or_default();
        assert!(!address.is_empty());
        Self {
            started: begun.elapsed(),
            child,
            address: address.to_owned(),
        }
    }

    pub(crate) fn url(&self, path: &str) -> String {
        format!("http://{}{path}", self.address)
    }

    /// Returns a value of `/proc/PID/status`, in KiB.
    pub(crate) fn memory(&self, name: &str) -> u64 {
        let status = must(fs::read_to_string(self.proc("status")));
        let line = status.lines().find(|line| line.starts_with(name));
        let value = line.and_then(|line| line.split_whitespace().nth(1));
        must(value.unwrap_or_default().parse())
    }

    /// Lets the kernel begin with the memory of now to find the highest.
    pub(crate) fn reset_peak(&self) {
        must(fs::write(self.proc("clear_refs"), "5"));
    }

    /// Returns the time of processors that it has used.
    pub(crate) fn processor(&self) -> Duration {
        let stat = must(fs::read_to_string(self.proc("stat")));
        // Behind the name, which may have blanks.
        let fields = stat.rsplit(')').next().unwrap_or_default();
        let ticks = fields.split_whitespace().skip(11).take(2);
        let ticks: u32 = ticks.map(|ticks| must(ticks.parse::<u32>())).sum();
        TICK * ticks
    }

    fn proc(&self, name: &str) -> String {
        format!("/proc/{}/{name}", self.child.id())
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        let id = i32::try_from(self.child.id()).ok().and_then(Pid::from_raw);
        // It may have ended already.
        let _ = id.map(|id| kill_process(id, Signal::TERM));
        let _ = self.child.wait();
    }
}
