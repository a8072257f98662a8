//! `make soak`, with few calls: it passes, and fails if a call has another outcome than it
//! should.

use std::process::{Command, Output, Stdio};

use anyhow::{ensure, Result};
use harness::{our_module, pinset};

fn soak(arguments: &[&str]) -> Result<Output> {
    Ok(Command::new(env!("CARGO_BIN_EXE_harness"))
        .arg("soak")
        .args(arguments)
        .env("AUTHENTICATE_MODULE", our_module()?)
        .env("PINSET", pinset()?)
        .stdin(Stdio::null())
        .output()?)
}

#[test]
fn soak_of_few_calls_passes() -> Result<()> {
    let output = soak(&["--calls", "400", "--at-once", "50"])?;
    ensure!(output.status.success(), "{output:?}");
    let printed = String::from_utf8_lossy(&output.stdout);
    for line in [
        "400 calls in ",
        "PIN file replaced 4 times",
        "configuration reloaded 2 times",
        "logs rotated 2 times",
        "service stopped 1 times",
        "service started 1 times",
    ] {
        ensure!(printed.contains(line), "no {line}: {printed}");
    }
    Ok(())
}
