//! The subcommands.

pub(crate) mod bench;
pub(crate) mod call;
pub(crate) mod demo;
pub(crate) mod image;
pub(crate) mod shell;
mod text;

use anyhow::Result;
use clap::ValueEnum;
use harness::Module;

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
