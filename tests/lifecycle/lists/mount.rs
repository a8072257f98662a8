//! A file system in the container that fails and hangs on command: FUSE, served by
//! `mount.py`.

use std::collections::VecDeque;
use std::io::{BufRead, BufReader, Write};
use std::process::{Child, Stdio};
use std::sync::mpsc::{self, Receiver};
use std::time::Duration;

use anyhow::{ensure, Context, Result};
use base64::prelude::{Engine as _, BASE64_STANDARD};
use harness::Pbx;

const SERVER: &str = include_str!("mount.py");
const WAIT_LIMIT: Duration = Duration::from_secs(20);

/// The mounted file system. Dropped, also by a test that fails, it is
/// unmounted, and whoever hangs in it gets an error: a thread that hangs in a
/// file system can't be killed, and would keep the container from going.
pub(crate) struct Mount {
    server: Child,
    printed: Receiver<String>,
    /// Requests that hang and that nobody has waited for yet.
    asked: VecDeque<String>,
}

impl Mount {
    /// Mounts one; the Asterisk was built with `file_systems`.
    pub(crate) fn at(pbx: &Pbx, directory: &str) -> Result<Self> {
        let mut server = pbx
            .exec_command(&["python3", "-c", SERVER, directory])
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()?;
        let output = server.stdout.take().context("no output")?;
        let (sender, printed) = mpsc::channel();
        std::thread::spawn(move || {
            let lines = BufReader::new(output).lines().map_while(Result::ok);
            // The receiver may be gone.
            lines.for_each(|line| drop(sender.send(line)));
        });
        let mut mount = Self {
            server,
            printed,
            asked: VecDeque::new(),
        };
        mount.obeyed().context("not mounted")?;
        Ok(mount)
    }

    /// Writes a file in place.
    pub(crate) fn put(&mut self, name: &str, contents: &str) -> Result<()> {
        self.order(&format!("put {name} {}", BASE64_STANDARD.encode(contents)))
    }

    /// Writes a file when it is looked at, and once more when it has been
    /// read: so soon after that the time of the last write is the same.
    pub(crate) fn put_twice(&mut self, name: &str, first: &str, second: &str) -> Result<()> {
        self.put(name, first)?;
        self.order(&format!("next {name} {}", BASE64_STANDARD.encode(second)))
    }

    /// Has requests of this step fail: `lookup`, `getattr`, `open`, `read`,
    /// or `later`, a read behind the start of the file.
    pub(crate) fn fail(&mut self, step: &str, error: &str) -> Result<()> {
        self.order(&format!("fail {step} {error}"))
    }

    /// Has requests of these steps hang, from now on.
    pub(crate) fn hang(&mut self, steps: &str) -> Result<()> {
        self.order(&format!("hang {steps}"))
    }

    /// Answers what hangs, and all that comes; nothing fails any more.
    pub(crate) fn go(&mut self) -> Result<()> {
        self.order("go")
    }

    /// Waits for a request that hangs.
    pub(crate) fn until_asked(&mut self) -> Result<()> {
        if self.asked.pop_front().is_none() {
            let line = self
                .printed
                .recv_timeout(WAIT_LIMIT)
                .context("nobody asks")?;
            ensure!(line.starts_with("asked "), "{line}");
        }
        Ok(())
    }

    /// How many requests hang that nobody has waited for yet.
    pub(crate) fn asked(&mut self) -> usize {
        self.asked.extend(self.printed.try_iter());
        self.asked.len()
    }

    fn order(&mut self, order: &str) -> Result<()> {
        let input = self.server.stdin.as_mut().context("no input")?;
        writeln!(input, "{order}").context("the file system is gone")?;
        self.obeyed().context(order.to_owned())
    }

    fn obeyed(&mut self) -> Result<()> {
        loop {
            match self.printed.recv_timeout(WAIT_LIMIT)? {
                line if line == "ok" => return Ok(()),
                line => self.asked.push_back(line),
            }
        }
    }
}

impl Drop for Mount {
    fn drop(&mut self) {
        // The end of its input is the end of it.
        drop(self.server.stdin.take());
        let _ = self.server.wait();
    }
}
