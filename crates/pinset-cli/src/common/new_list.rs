//! Creation of PIN files that Asterisk can read.

use std::fs;
use std::os::unix::fs::MetadataExt;
use std::path::Path;

use nix::errno::Errno;
use nix::unistd::{Gid, Group};
use thiserror::Error;

use crate::common::atomic_file::{create, Access};
use crate::common::error::{note, At, CommandError};

/// The group of a new list.
#[derive(Debug, clap::Args)]
pub(crate) struct NewListArgs {
    /// Group with read access to a new file, such as asterisk [default: the group
    /// of its folder]
    #[arg(long, value_name = "NAME", value_parser = group, conflicts_with = "database")]
    group: Option<Gid>,
}

impl NewListArgs {
    /// Creates a list. Returns `false` if the file exists already, and leaves it
    /// unchanged.
    pub(crate) fn create(&self, path: &Path, text: &[u8]) -> Result<bool, CommandError> {
        let access = Access::of(self.group, Access::FolderGroup);
        let made = create(path, text, access).at(path)?;
        if made && self.group.is_none() && fs::metadata(path).at(path)?.gid() == 0 {
            note(format!(
                "warning: {}: owned by group root, as its folder is: Asterisk can only read it if \
                 it runs as root (use --group asterisk, or chgrp asterisk)",
                path.display()
            ));
        }
        Ok(made)
    }
}

/// The reason why a group can't be used.
#[derive(Debug, Error)]
pub(crate) enum GroupError {
    #[error(transparent)]
    Lookup(#[from] Errno),
    #[error("no such group")]
    Unknown,
}

/// Finds a group by its name or number.
pub(crate) fn group(name: &str) -> Result<Gid, GroupError> {
    let found = Group::from_name(name)?;
    let number = || name.parse().ok().map(Gid::from_raw);
    let group = found.map(|group| group.gid).or_else(number);
    group.ok_or(GroupError::Unknown)
}
