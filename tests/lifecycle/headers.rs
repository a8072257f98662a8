//! A build without the right headers ends with one message that says what to
//! do. Cargo runs the build script the same way.

use std::fs;
use std::path::Path;
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
    ensure!(lines <= 5, "{lines} lines: {printed}");
    for word in words {
        ensure!(printed.contains(word), "{word}: {printed}");
    }
    Ok(())
}

/// Runs the build script with this folder as `ASTERISK_INCLUDE_DIR`.
fn with_headers(folder: &Path) -> Result<Output> {
    Command::new(build().build_script)
        .env("ASTERISK_INCLUDE_DIR", folder)
        .env("OUT_DIR", std::env::temp_dir())
        .env("CARGO_MANIFEST_DIR", workspace())
        .current_dir(workspace())
        .output()
        .context("can't run the build script")
}

#[test]
fn headers_at_a_wrong_place_fail_the_build_with_one_message() -> Result<()> {
    let output = with_headers(Path::new("/nonexistent"))?;
    stops(
        &output,
        &["ASTERISK_INCLUDE_DIR=/nonexistent", "asterisk.h"],
    )
}

#[test]
fn source_of_asterisk_that_is_not_built_fails_the_build_with_the_remedy() -> Result<()> {
    let source = tempfile::tempdir()?;
    let include = source.path().join("include");
    fs::create_dir(&include)?;
    fs::write(include.join("asterisk.h"), "")?;
    stops(&with_headers(&include)?, &["./configure and make"])?;
    stops(
        &with_headers(source.path())?,
        &["this is Asterisk's source", "include"],
    )
}

/// What the module needs came with 16.22 and 18.8, and with 16.16 and 18.2.
#[test]
fn too_old_headers_fail_the_build_with_version_and_remedy() -> Result<()> {
    let declarations = [
        "int ast_logger_get_dynamic_level(const char *name);",
        "extern const char *ast_config_AST_CACHE_DIR;",
    ];
    for missing in 0..declarations.len() {
        let source = tempfile::tempdir()?;
        let include = source.path().join("include");
        fs::create_dir_all(include.join("asterisk"))?;
        let mut written = declarations;
        written[missing] = "";
        for (name, text) in [
            ("../.version", "18.2.0\n"),
            ("asterisk.h", ""),
            (
                "asterisk/buildopts.h",
                "#define AST_BUILDOPT_SUM \"0123\"\n",
            ),
            ("asterisk/manager.h", "#define AMI_VERSION \"7.0.1\"\n"),
            ("asterisk/logger.h", written[0]),
            ("asterisk/paths.h", written[1]),
        ] {
            fs::write(include.join(name), text)?;
        }
        let words = ["Asterisk 18.2.0", "16.22, 18.8 or later"];
        let output = with_headers(&include)?;
        stops(&output, &words)?;
        // Without a note of the version, AMI's version tells the major one.
        fs::remove_file(source.path().join(".version"))?;
        stops(&with_headers(&include)?, &["Asterisk 18,", words[1]])?;
    }
    Ok(())
}

/// The container is a machine with Asterisk and without its headers, and, the
/// binary moved away, one with neither.
#[test]
fn missing_headers_fail_the_build_with_one_message() {
    let script = build().build_script;
    on(Pbx::builder().module(Module::None), |pbx| {
        let inside = "/harness/build-script";
        pbx.put_program(&script, inside)?;
        let run = || {
            let line = format!("cd /tmp && OUT_DIR=/tmp CARGO_MANIFEST_DIR=/tmp exec {inside}");
            pbx.exec_command(&["sh", "-c", &line]).output()
        };
        let words = [
            "/usr/sbin/asterisk",
            "asterisk-dev",
            "make install-headers",
            "ASTERISK_INCLUDE_DIR",
        ];
        stops(&run()?, &words)?;
        pbx.stop()?;
        pbx.exec(&["mv", "/usr/sbin/asterisk", "/tmp"])?;
        stops(&run()?, &["make headers", "ASTERISK_INCLUDE_DIR"])
    });
}
