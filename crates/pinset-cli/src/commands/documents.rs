//! `pinset documents`, hidden: man pages and shell completions, for packages.

use std::fs;
use std::path::PathBuf;

use clap::Command;
use clap_complete::Shell;

use crate::common::error::{At, CommandError};

/// The shells that Debian has a folder of completions for.
const SHELLS: [Shell; 3] = [Shell::Bash, Shell::Zsh, Shell::Fish];

/// Writes man pages and shell completions to a folder
#[derive(Debug, clap::Args)]
pub(crate) struct Documents {
    /// Folder, which is created
    #[arg(value_name = "FOLDER")]
    folder: PathBuf,
}

/// Writes the documents of `command`, the whole command line.
pub(crate) fn run(arguments: &Documents, mut command: Command) -> Result<u8, CommandError> {
    let folder = &arguments.folder;
    fs::create_dir_all(folder).at(folder)?;
    // A copy, because this changes the names of subcommands.
    clap_mangen::generate_to(command.clone(), folder).at(folder)?;
    for shell in SHELLS {
        clap_complete::generate_to(shell, &mut command, "pinset", folder).at(folder)?;
    }
    Ok(0)
}
