//! The subcommands.

pub(crate) mod bench;
pub(crate) mod bench_cluster;
pub(crate) mod bench_instructions;
pub(crate) mod bench_start;
pub(crate) mod call;
pub(crate) mod cluster;
pub(crate) mod console;
pub(crate) mod demo;
pub(crate) mod external;
pub(crate) mod image;
mod service;
pub(crate) mod shell;
pub(crate) mod soak;
mod text;

use anyhow::{bail, Result};
use clap::ValueEnum;
use harness::{Module, Pbx};

/// Our module's configuration.
const FILE: &str = "/etc/asterisk/authenticate.conf";

/// Whose `Authenticate` to load.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(crate) enum Whose {
    /// Ours, app_authenticate_rs.so.
    Ours,
    /// The stock one, app_authenticate.so.
    Theirs,
}

impl From<Whose> for Module {
    fn from(whose: Whose) -> Self {
        match whose {
            Whose::Ours => Self::Ours,
            Whose::Theirs => Self::Theirs,
        }
    }
}

/// The module asked for, else the one under test.
fn module(whose: Option<Whose>) -> Result<Module> {
    whose.map_or_else(Module::under_test, |whose| Ok(whose.into()))
}

/// Puts files into the container, and has our module read its configuration if
/// it is among them.
fn configure<C: AsRef<[u8]>>(pbx: &Pbx, files: &[(&str, C)]) -> Result<()> {
    for (path, contents) in files {
        pbx.write_file(path, contents)?;
    }
    if files.iter().all(|(path, _)| *path != FILE) {
        return Ok(());
    }
    let printed = pbx.cli("module reload app_authenticate_rs.so")?;
    if !printed.contains("reloaded successfully") {
        let log = pbx.log()?;
        let wrong = |line: &&str| line.contains("] ERROR[") || line.contains("] WARNING[");
        let lines: Vec<_> = log.lines().filter(wrong).collect();
        bail!("{FILE} is not taken:\n{}", lines.join("\n"));
    }
    Ok(())
}
