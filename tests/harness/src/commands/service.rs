//! `pinset serve` in the container of an Asterisk.

use std::io::{BufRead, BufReader};
use std::process::{Child, Stdio};

use anyhow::{ensure, Context, Result};
use harness::Pbx;

const PROGRAM: &str = "/harness/pinset";
const CONFIG: &str = "/harness/serve.toml";

/// The service; it ends with the container, or when this is dropped.
pub(crate) struct Service(Child);

impl Service {
    /// Starts it with this configuration; it listens when this returns.
    pub(crate) fn start(pbx: &Pbx, config: &str) -> Result<Self> {
        pbx.put_program(&harness::pinset()?, PROGRAM)?;
        pbx.write_file(CONFIG, config)?;
        let mut service = pbx
            .exec_command(&[PROGRAM, "serve", "--config", CONFIG])
            .stdout(Stdio::piped())
            .spawn()?;
        let printed = service.stdout.take().context("no output")?;
        let mut line = String::new();
        BufReader::new(printed).read_line(&mut line)?;
        ensure!(line.starts_with("listening on "), "the service said {line}");
        Ok(Self(service))
    }

    /// Stops it, and waits until it has ended.
    pub(crate) fn stop(mut self, pbx: &Pbx) -> Result<()> {
        // Its other links in /proc are hidden, as it is not dumpable.
        let script = "for task in /proc/[0-9]*; do \
            if [ \"$(cat $task/comm)\" = pinset ]; then kill ${task#/proc/}; found=1; fi; \
            done; [ \"$found\" ]";
        pbx.exec(&["bash", "-c", script])
            .context("pinset serve does not run any more")?;
        self.0.wait()?;
        Ok(())
    }
}

impl Drop for Service {
    fn drop(&mut self) {
        // Only what has it run, which is gone without it.
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}
