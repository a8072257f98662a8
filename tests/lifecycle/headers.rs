//! A build without the right headers ends with one message that says what to
//! do. Cargo runs the build script the same way.

use std::process::{Command, Output};

use anyhow::{ensure, Context, Result};
use harness::{workspace, Module, Pbx};

use crate::support::on;
use crate::variants::{Built, TEST_BUILD};

fn build() -> Built {
    match TEST_BUILD.get() {
        Ok(built) => built,
        Err(error) => panic!("{error:#}"),
    }
}

/// One message, not a panic's, with all of these words in it.
fn stops(output: &Output, words: &[&str]) -> Result<()> {
    let printed = String::from_utf8_lossy(&output.stderr);
    ensure!(
        output.status.code() == Some(1),
        "{}: {printed}",
        output.status
    );
    ensure!(!printed.contains("panicked"), "{printed}");
    let lines = printed
        .lines()
        .filter(|line| !line.trim().is_empty())
        .count();
    ensure!(lines <= 4, "{lines} lines: {printed}");
    for word in words {
        ensure!(printed.contains(word), "{word}: {printed}");
    }
    Ok(())
}

#[test]
fn headers_at_a_wrong_place_fail_the_build_with_one_message() -> Result<()> {
    let output = Command::new(build().build_script)
        .env("ASTERISK_INCLUDE_DIR", "/nonexistent")
        .env("OUT_DIR", std::env::temp_dir())
        .env("CARGO_MANIFEST_DIR", workspace())
        .current_dir(workspace())
        .output()?;
    stops(
        &output,
        &["ASTERISK_INCLUDE_DIR=/nonexistent", "asterisk.h"],
    )
}

/// The container is a machine with Asterisk and without its headers, and, the
/// binary moved away, one with neither.
#[test]
fn missing_headers_fail_the_build_with_one_message() {
    let script = build().build_script;
    on(Pbx::builder().module(Module::None), |pbx| {
        let inside = "/harness/build-script";
        std::fs::copy(&script, pbx.outside(inside).context("no way in")?)?;
        let run = || {
            let line = format!("cd /tmp && OUT_DIR=/tmp CARGO_MANIFEST_DIR=/tmp exec {inside}");
            pbx.exec_command(&["sh", "-c", &line]).output()
        };
        let words = ["/usr/sbin/asterisk", "asterisk-dev", "ASTERISK_INCLUDE_DIR"];
        stops(&run()?, &words)?;
        pbx.stop()?;
        pbx.exec(&["mv", "/usr/sbin/asterisk", "/tmp"])?;
        stops(&run()?, &["make headers", "ASTERISK_INCLUDE_DIR"])
    });
}
