//! Load, call, reload and unload repeatedly in one process; and unloading after
//! everything that could keep the library mapped.

mod services;

use std::io::Write;
use std::process::{Child, Stdio};
use std::time::Duration;

use anyhow::{ensure, Context, Result};
use harness::{Ami, Call, Module, Outcome, Pbx};

use crate::module::{load_by_ami, mappings, module_action, unload_wholly, OURS};
use crate::support::{on, side_by_side, Shell};

const ROUNDS: usize = 200;
/// So long Asterisk's own memory grows: its pools and caches fill, malloc
/// gives each new thread an arena.
const WARM_UP: usize = 50;
/// The number of rounds over which growth is measured.
const WINDOW: usize = 20;
/// KiB. Asterisk's own memory grows by 4 or 8 in most windows, and now and then
/// climbs by up to 300 within some twenty rounds. A leak of 1 KiB a round would
/// show as 20 in every window, so the test uses the lower quartile; leaks
/// that come in bursts show between the halves. At times it climbs by up to 800 and
/// falls back, so their smallest values are compared.
const WINDOW_GROWTH: u64 = 12;
const HALF_GROWTH: u64 = 350;

#[test]
fn two_hundred_loads_leak_nothing() {
    let hides = "[general]\nstock_hide_digits = yes\n";
    let builder = Pbx::builder().file("authenticate.conf", hides);
    on(builder.module(Module::Ours), |pbx| {
        // One AMI session: a thread-local of Rust's on its thread would pin
        // the library, on the short thread of an `asterisk -rx` it would not.
        let ami = pbx.ami()?;
        let mut shell = Shell::open(pbx)?;
        let proc = format!("/proc/{}", pbx.pid()?);
        let call = Call::new("1,q,1,&").keys("<now>1").hidden_digits(true);
        load_by_ami(&ami, &mut shell)?;
        unload_wholly(pbx, &ami, &mut shell)?;
        let (mut memory, mut descriptors) = (Vec::new(), Vec::new());
        for _ in 0..ROUNDS {
            module_action(&ami, "load", OURS)?;
            let report = pbx.call(&call)?;
            ensure!(report.outcome == Outcome::Passed, "{report:#?}");
            module_action(&ami, "reload", OURS)?;
            unload_wholly(pbx, &ami, &mut shell)?;
            // What malloc keeps of memory that is free depends on which threads meet.
            ami.action("Command", &[("Command", "malloc trim")])?;
            // Anonymous memory is what is allocated: no pages of files.
            memory.push(shell.number(&format!("grep RssAnon {proc}/status | tr -dc 0-9"))?);
            descriptors.push(shell.number(&format!("ls {proc}/fd | wc -l"))?);
        }
        let memory = &memory[WARM_UP..];
        let mut windows: Vec<u64> = memory
            .windows(WINDOW + 1)
            .map(|window| window[WINDOW].saturating_sub(window[0]))
            .collect();
        windows.sort_unstable();
        let growth = windows[windows.len() / 4];
        ensure!(growth <= WINDOW_GROWTH, "{growth}: {memory:?}");
        let (first, second) = memory.split_at(memory.len() / 2);
        let halves = second
            .iter()
            .min()
            .unwrap()
            .saturating_sub(*first.iter().min().unwrap());
        ensure!(halves <= HALF_GROWTH, "{halves}: {memory:?}");
        ensure!(
            descriptors[ROUNDS - 1] <= descriptors[WARM_UP - 1],
            "{descriptors:?}"
        );
        Ok(())
    });
}

/// What could leave a thread-local with a destructor on a thread that stays,
/// or a thread: callers who meet at the mutex of the one-time PINs, the
/// journal's clean-up on the scheduler's thread, sounds that are missing or
/// can't be fetched, a list that can't be read.
#[test]
fn module_is_unmapped_after_contention_and_full_use() {
    on(Pbx::builder().module(Module::Ours), |pbx| {
        let ami = pbx.ami()?;
        let mut shell = Shell::open(pbx)?;
        load_by_ami(&ami, &mut shell)?;
        // A thread that has just begun may not be on Asterisk's list yet.
        module_action(&ami, "unload", OURS)?;
        let before = threads(&ami)?;
        module_action(&ami, "load", OURS)?;
        ami.command("core show application Authenticate")?;
        for pin in 0..30 {
            pbx.db_put("once", &(1000 + pin).to_string(), "1")?;
        }
        side_by_side(30, 15, |number| {
            let call = Call::new("/once,drq,4,&").keys(&format!("<now>{}", 1000 + number));
            let report = pbx.call(&call)?;
            ensure!(report.outcome == Outcome::Passed, "{report:#?}");
            Ok(())
        })?;
        for (args, keys) in [
            ("/pins/none,cq,1,&", "<now>2<hangup>"),
            ("/,dcq,1,&", "<now>2<hangup>"),
            // At the prompt that takes the place of these.
            ("1,cq,1,no-such-sound", "2<hangup>"),
            (
                "1,cq,1,http://127.0.0.1:1/a-sound-that-nobody-serves-here.wav",
                "2<hangup>",
            ),
        ] {
            pbx.call(&Call::new(args).keys(keys))?;
        }
        ensure!(pbx.log()?.contains("serves-here.wav' is skipped"));
        unload_wholly(pbx, &ami, &mut shell)?;
        let left = threads(&ami)?;
        ensure!(left == before, "{left}, {before} before");
        Ok(())
    });
}

/// A remote console is a thread that stays, too.
#[test]
fn module_is_unmapped_after_console_use() {
    on(Pbx::builder().module(Module::Ours), |pbx| {
        let ami = pbx.ami()?;
        let events = ami.events();
        let mut shell = Shell::open(pbx)?;
        let mut console = Console::open(pbx)?;
        for _ in 0..3 {
            console.say(&format!("module reload {OURS}"))?;
            let report = pbx.call(&Call::new("1,q,1,&").keys("<now>1"))?;
            ensure!(report.outcome == Outcome::Passed, "{report:#?}");
            console.say(&format!("module unload {OURS}"))?;
            events.wait("Unload", DONE, |frame| frame.event() == Some("Unload"))?;
            let left = mappings(pbx, &mut shell)?;
            ensure!(left == 0, "{left} mappings are left");
            console.say(&format!("module load {OURS}"))?;
            events.wait("Load", DONE, |frame| frame.event() == Some("Load"))?;
        }
        Ok(())
    });
}

const DONE: Duration = Duration::from_secs(20);

/// A session on Asterisk's control socket, as `asterisk -r` holds one.
struct Console(Child);

impl Console {
    fn open(pbx: &Pbx) -> Result<Self> {
        const RELAY: &str = "import socket, sys\n\
            s = socket.socket(socket.AF_UNIX)\n\
            s.connect('/run/asterisk/asterisk.ctl')\n\
            for line in sys.stdin: s.sendall(line.strip().encode() + b'\\0')";
        let mut command = pbx.exec_command(&["python3", "-c", RELAY]);
        Ok(Self(command.stdin(Stdio::piped()).spawn()?))
    }

    fn say(&mut self, command: &str) -> Result<()> {
        let input = self.0.stdin.as_mut().context("the console has no input")?;
        writeln!(input, "{command}").context("the console is gone")
    }
}

impl Drop for Console {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

/// Threads that may be ours: those of schedulers, and those our shim starts.
fn threads(ami: &Ami) -> Result<usize> {
    let list = ami.command("core show threads")?;
    let ours = |line: &&str| line.contains("sched_run") || line.contains("shim.c");
    Ok(list.lines().filter(ours).count())
}
