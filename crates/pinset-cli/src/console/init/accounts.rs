//! The user of the service and the group of Asterisk.

use nix::unistd::{Gid, Uid, User};

use crate::common::error::CommandError;
use crate::common::new_list;

/// The owners of new files.
pub(super) struct Accounts {
    pub service: Uid,
    pub service_group: Gid,
    pub asterisk: Gid,
}

impl Accounts {
    /// Finds the accounts by their names.
    pub(super) fn find(user: &str, asterisk: &str) -> Result<Self, CommandError> {
        let found = User::from_name(user).map_err(CommandError::new)?;
        let service = found.ok_or_else(|| {
            CommandError::new(format!(
                "--user: there is no user {user}: adduser --system --group {user}"
            ))
        })?;
        let asterisk = new_list::group(asterisk)
            .map_err(|error| CommandError::new(format!("--asterisk-group: {asterisk}: {error}")))?;
        Ok(Self {
            service: service.uid,
            service_group: service.gid,
            asterisk,
        })
    }
}
