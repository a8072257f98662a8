//! Shared by the tests: a test on an Asterisk, concurrent work, a shell that stays open
//! in the container.

use std::io::{BufRead, BufReader, Write};
use std::process::{Child, ChildStdin, ChildStdout, Stdio};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::thread;
use std::time::{Duration, Instant};

use anyhow::{anyhow, bail, ensure, Context, Result};
use harness::{Builder, Pbx};

/// The end of an `authenticate.conf`, for wrong entries without an end where a
/// test has nothing to do with lockouts.
pub(crate) const UNLIMITED: &str = "
[general]
lockout_caller = no
lockout_account = no
lockout_pinset = no
";

/// A part of an `authenticate.conf`, for sources that a busy machine may take seconds to
/// read.
pub(crate) const PATIENT: &str = "
[general]
source_timeout = 30
";

/// Runs a test on an Asterisk of its own. A failure is a panic while that
/// Asterisk is still there, so that its log is printed.
pub(crate) fn on(builder: Builder, test: impl FnOnce(&Pbx) -> Result<()>) {
    let pbx = match builder.start() {
        Ok(pbx) => pbx,
        Err(error) => panic!("{error:#}"),
    };
    if let Err(error) = test(&pbx) {
        panic!("{error:#}");
    }
}

/// Runs `work` for 0 to `count` − 1, at most `at_once` concurrently; the first error
/// ends it.
pub(crate) fn side_by_side(
    count: usize,
    at_once: usize,
    work: impl Fn(usize) -> Result<()> + Sync,
) -> Result<()> {
    let next = AtomicUsize::new(0);
    let worker = || -> Result<()> {
        loop {
            let number = next.fetch_add(1, Ordering::Relaxed);
            if number >= count {
                return Ok(());
            }
            if let Err(error) = work(number) {
                next.store(count, Ordering::Relaxed);
                return Err(error.context(format!("number {number}")));
            }
        }
    };
    thread::scope(|scope| {
        let workers: Vec<_> = (0..at_once).map(|_| scope.spawn(worker)).collect();
        let ends: Vec<_> = workers
            .into_iter()
            .map(std::thread::ScopedJoinHandle::join)
            .collect();
        for end in ends {
            end.map_err(|_| anyhow!("a worker has panicked"))??;
        }
        Ok(())
    })
}

/// Polls a condition that no event announces.
pub(crate) fn eventually(what: &str, mut there: impl FnMut() -> Result<bool>) -> Result<()> {
    const WAIT_LIMIT: Duration = Duration::from_secs(20);
    let end = Instant::now() + WAIT_LIMIT;
    while !there()? {
        if Instant::now() >= end {
            bail!("{what}: not within {WAIT_LIMIT:?}");
        }
        thread::sleep(Duration::from_millis(20));
    }
    Ok(())
}

/// A shell in the container: a command costs no process of the engine's.
pub(crate) struct Shell {
    child: Child,
    input: ChildStdin,
    output: BufReader<ChildStdout>,
}

impl Shell {
    pub(crate) fn open(pbx: &Pbx) -> Result<Self> {
        let mut child = pbx
            .exec_command(&["bash"])
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()?;
        let (Some(input), Some(output)) = (child.stdin.take(), child.stdout.take()) else {
            bail!("the shell has no pipes");
        };
        Ok(Self {
            child,
            input,
            output: BufReader::new(output),
        })
    }

    /// Runs a command; returns what it printed, whether or not it succeeded.
    pub(crate) fn run(&mut self, command: &str) -> Result<String> {
        const END: &str = "--- end of the command ---";
        writeln!(self.input, "{{ {command}\n}} 2>&1; printf '\\n{END}\\n'")?;
        let mut text = String::new();
        loop {
            let mut line = String::new();
            if self.output.read_line(&mut line)? == 0 {
                bail!("the shell has ended: {text}");
            }
            if line.trim_end() == END {
                text.pop();
                return Ok(text);
            }
            text.push_str(&line);
        }
    }

    /// The same for a command that prints a number.
    pub(crate) fn number(&mut self, command: &str) -> Result<u64> {
        let text = self.run(command)?;
        text.trim()
            .parse()
            .with_context(|| format!("{command}: {text}"))
    }
}

impl Drop for Shell {
    fn drop(&mut self) {
        // Its input ends with us; this is only not to leave a zombie.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// A Python program in the container that prints its progress.
pub(crate) struct Program(Child, BufReader<ChildStdout>);

impl Program {
    /// Starts it and waits for its line `up`. It ends with its input.
    pub(crate) fn start(pbx: &Pbx, script: &str) -> Result<Self> {
        let mut child = pbx
            .exec_command(&["python3", "-c", script])
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()?;
        let output = child.stdout.take().context("no output")?;
        let mut program = Self(child, BufReader::new(output));
        program.says("up")?;
        Ok(program)
    }

    /// Waits for its next line, which must be this word.
    pub(crate) fn says(&mut self, word: &str) -> Result<()> {
        let mut line = String::new();
        self.1.read_line(&mut line)?;
        ensure!(line.trim() == word, "the program: {line:?}");
        Ok(())
    }
}

impl Drop for Program {
    fn drop(&mut self) {
        // The end of its input is the end of it.
        drop(self.0.stdin.take());
        let _ = self.0.wait();
    }
}

/// Fails if a log has this PIN in a line. Timestamps, the unique ids of channels
/// and addresses in memory are skipped: they may contain its digits by chance.
pub(crate) fn has_no_pin(log: &str, pin: &str) -> Result<()> {
    for line in log.lines() {
        let words = line.split(|letter: char| !letter.is_ascii_alphanumeric() && letter != '.');
        let numbers = words
            .filter(|word| !is_address(word))
            .flat_map(|word| word.split(|letter: char| letter.is_ascii_alphabetic()));
        let shown = numbers
            .filter(|number| !is_timestamp(number))
            .any(|number| number.contains(pin));
        ensure!(!shown, "{line}");
    }
    Ok(())
}

/// Returns whether a word is an address in memory as `%p` prints it, in the range
/// of a 64-bit process.
fn is_address(word: &str) -> bool {
    word.strip_prefix("0x").is_some_and(|hex| {
        (9..=16).contains(&hex.len()) && hex.bytes().all(|digit| digit.is_ascii_hexdigit())
    })
}

/// Whether a number is seconds since the Unix epoch with a fraction.
fn is_timestamp(number: &str) -> bool {
    let parts = number.split_once('.');
    parts.is_some_and(|(seconds, fraction)| seconds.len() == 10 && !fraction.contains('.'))
}

#[test]
fn pin_in_a_log_is_found_and_a_timestamp_is_not() {
    for (line, shown) in [
        ("start 1795839896.697531 answer 1795839896.697909", false),
        ("id=1795839897.7531", false),
        ("priority 1 to harness-h (0x55ad1ef75310)", false),
        ("PIN7531", true),
        ("0x7531", true),
        ("/once/7531", true),
        ("\"75310\"", true),
        ("1795839896.697531 7531", true),
        ("7531.5", true),
    ] {
        assert_eq!(has_no_pin(line, "7531").is_err(), shown, "{line}");
    }
}
