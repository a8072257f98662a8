//! New lists, which Asterisk is to read.

use std::fs;
use std::os::unix::fs::MetadataExt;
use std::path::Path;

use nix::errno::Errno;
use nix::unistd::{Gid, Group};
use thiserror::Error;

use crate::common::atomic_file::{create, Access};
use crate::common::error::{note, At, CommandError};

/// Whose a new list is.
#[derive(Debug, clap::Args)]
pub struct NewList {
    /// The group of a new list, which may read it: Asterisk's [default: that of
    /// its folder]
    #[arg(long, value_name = "NAME", value_parser = group)]
    group: Option<Gid>,
}

impl NewList {
    /// Makes a list. Returns `false` if there is one already, which stays as it
    /// is.
    pub fn create(&self, path: &Path, text: &[u8]) -> Result<bool, CommandError> {
        let access = Access::of(self.group, Access::FolderGroup);
        let made = create(path, text, access).at(path)?;
        if made && self.group.is_none() && fs::metadata(path).at(path)?.gid() == 0 {
            note(format!(
                "warning: {}: it belongs to group root, as its folder does: unless Asterisk runs as \
                 root, it can't read the list (--group asterisk, or chgrp asterisk)",
                path.display()
            ));
        }
        Ok(made)
    }
}

/// The reason why a group can't be used.
#[derive(Debug, Error)]
pub enum GroupError {
    #[error(transparent)]
    Lookup(#[from] Errno),
    #[error("there is no such group")]
    Unknown,
}

/// Finds a group by its name or number.
pub fn group(name: &str) -> Result<Gid, GroupError> {
    let found = Group::from_name(name)?;
    let number = || name.parse().ok().map(Gid::from_raw);
    let group = found.map(|group| group.gid).or_else(number);
    group.ok_or(GroupError::Unknown)
}
