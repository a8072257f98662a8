//! Protection from core dumps and debuggers.
#![allow(clippy::unwrap_used)]

mod lab;

use std::fs;
use std::os::unix::fs::MetadataExt;
use std::os::unix::process::CommandExt;
use std::process::{Child, Command, Stdio};
use std::thread::sleep;
use std::time::{Duration, Instant};

use lab::Lab;

/// Longest wait for something that happens at once.
const DEADLINE: Duration = Duration::from_secs(60);
/// An unprivileged user, because the ownership of a process of root reveals nothing.
const NOBODY: u32 = 65_534;

/// Stops a command at the end of its test.
struct Running(Child);

impl Drop for Running {
    fn drop(&mut self) {
        // The command may have ended already.
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

/// Starts `pinset hash`, which waits for a PIN on standard input.
fn start(lab: &Lab) -> Running {
    // Other users may have no access to the build folder.
    let program = lab.path("pinset");
    fs::copy(env!("CARGO_BIN_EXE_pinset"), &program).unwrap();
    lab.open_to_all();
    let mut command = Command::new(&program);
    command.arg("hash").stdin(Stdio::piped());
    if rustix::process::geteuid().is_root() {
        command.uid(NOBODY);
    }
    Running(command.spawn().unwrap())
}

/// The kernel gives the files under `/proc/PID` of a process that may not be
/// dumped or traced to root.
#[test]
fn process_with_pins_is_not_dumpable() {
    let lab = Lab::new();
    let command = start(&lab);
    let folder = format!("/proc/{}", command.0.id());
    let end = Instant::now() + DEADLINE;
    while fs::metadata(format!("{folder}/environ")).unwrap().uid() != 0 {
        assert!(Instant::now() < end, "{folder} belongs to its user");
        sleep(Duration::from_millis(5));
    }
    let limits = fs::read_to_string(format!("{folder}/limits")).unwrap();
    let core = limits
        .lines()
        .find(|line| line.starts_with("Max core file size"));
    let values: Vec<_> = core.unwrap().split_whitespace().skip(4).take(2).collect();
    assert_eq!(values, ["0", "0"]);
}
