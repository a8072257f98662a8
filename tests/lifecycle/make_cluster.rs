//! `make cluster`: what it shows is what happens.

use std::process::{Command, Stdio};

use anyhow::{ensure, Result};
use harness::{our_module, pinset};

#[test]
fn cluster_shares_uses_and_lockouts() -> Result<()> {
    let output = Command::new(env!("CARGO_BIN_EXE_harness"))
        .arg("cluster")
        .env("AUTHENTICATE_MODULE", our_module()?)
        .env("PINSET", pinset()?)
        .stdin(Stdio::null())
        .output()?;
    let printed = String::from_utf8_lossy(&output.stdout);
    ensure!(output.status.success(), "{output:?}");
    let statuses: Vec<&str> = printed
        .lines()
        .filter_map(|line| line.trim().split_once(": "))
        .filter(|(_, end)| ["admitted", "refused"].contains(end))
        .map(|(status, _)| status)
        .collect();
    ensure!(
        statuses == ["SUCCESS", "EXPIRED", "FAILURE", "LOCKED", "LOCKED"],
        "{printed}"
    );
    ensure!(printed.contains("customers|ada|1|1\n"), "{printed}");
    Ok(())
}
