//! The user that Asterisk runs as, and what that user may do with files.

use std::fs::{self, Metadata};
use std::io;
use std::os::unix::fs::MetadataExt;
use std::path::Path;

use nix::unistd::{Group, User};
use pinset::credential::pepper;

use crate::common::asterisk::Asterisk;

/// The user and the groups of Asterisk.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(super) struct Identity {
    pub uid: u32,
    pub gid: u32,
    groups: Vec<u32>,
}

const READ: u32 = 0o4;
const ENTER: u32 = 0o1;

impl Identity {
    /// Returns the identity of the running Asterisk, else the configured one. Packages
    /// run it as the user `asterisk`.
    pub(super) fn of(asterisk: &Asterisk, is_running: bool) -> Self {
        let pid = asterisk.process().filter(|_| is_running);
        let status = pid.and_then(|pid| fs::read_to_string(format!("/proc/{pid}/status")).ok());
        if let Some(identity) = status.as_deref().and_then(Self::parse) {
            return identity;
        }
        let name = asterisk.option("options", "runuser").unwrap_or("asterisk");
        let user = User::from_name(name).ok().flatten();
        let user = user.map_or((0, 0), |user| (user.uid.as_raw(), user.gid.as_raw()));
        let group = asterisk.option("options", "rungroup");
        let group = group.and_then(|name| Group::from_name(name).ok().flatten());
        Self {
            uid: user.0,
            gid: group.map_or(user.1, |group| group.gid.as_raw()),
            groups: Vec::new(),
        }
    }

    /// Reads `/proc/PID/status`, whose second number is the effective one.
    fn parse(status: &str) -> Option<Self> {
        let numbers = |name: &str| -> Option<Vec<u32>> {
            let line = status.lines().find_map(|line| line.strip_prefix(name))?;
            line.split_whitespace()
                .map(|word| word.parse().ok())
                .collect()
        };
        Some(Self {
            uid: *numbers("Uid:")?.get(1)?,
            gid: *numbers("Gid:")?.get(1)?,
            groups: numbers("Groups:")?,
        })
    }

    /// Returns user and group for the rules of secret files.
    pub(super) fn of_files(&self) -> pepper::Identity {
        pepper::Identity {
            uid: self.uid,
            gid: self.gid,
        }
    }

    /// Returns the names of user and group, for messages.
    pub(super) fn account(&self) -> pinset::permission::AsteriskUser {
        let user = User::from_uid(self.uid.into()).ok().flatten();
        let group = Group::from_gid(self.gid.into()).ok().flatten();
        pinset::permission::AsteriskUser {
            user: user.map_or_else(|| self.uid.to_string(), |user| user.name),
            group: group.map_or_else(|| self.gid.to_string(), |group| group.name),
        }
    }

    /// Returns an error if this user can't read the file, or enter a folder above it.
    /// Access control lists are not considered.
    pub(super) fn may_read(&self, path: &Path) -> io::Result<()> {
        let path = path.canonicalize()?;
        for folder in path.ancestors().skip(1) {
            self.may(&fs::metadata(folder)?, ENTER)?;
        }
        self.may(&fs::metadata(&path)?, READ)
    }

    fn may(&self, about: &Metadata, right: u32) -> io::Result<()> {
        let shift = if about.uid() == self.uid {
            6
        } else if about.gid() == self.gid || self.groups.contains(&about.gid()) {
            3
        } else {
            0
        };
        if self.uid == 0 || about.mode() >> shift & right == right {
            return Ok(());
        }
        Err(rustix::io::Errno::ACCESS.into())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::fs::Permissions;
    use std::os::unix::fs::PermissionsExt;

    #[test]
    fn effective_identity_is_parsed() {
        let status = "Name:\tasterisk\nUid:\t0\t110\t110\t110\nGid:\t0\t115\t115\t115\n\
                      Groups:\t20 29 \n";
        let wanted = Identity {
            uid: 110,
            gid: 115,
            groups: vec![20, 29],
        };
        assert_eq!(Identity::parse(status), Some(wanted));
        assert_eq!(Identity::parse("Name:\tx\n"), None);
    }

    #[test]
    fn mode_decides_by_owner_group_and_others() {
        let folder = tempfile::tempdir().expect("a folder");
        fs::set_permissions(folder.path(), Permissions::from_mode(0o755)).expect("mode");
        let path = folder.path().join("file");
        fs::write(&path, "").expect("written");
        let about = fs::metadata(&path).expect("metadata");
        let (uid, gid) = (about.uid(), about.gid());
        // Never root, whom no mode keeps out.
        let identity = |uid: u32, gid: u32, groups: &[u32]| Identity {
            uid,
            gid,
            groups: groups.to_vec(),
        };
        let (other_uid, other_gid) = (uid + 1, gid + 1);
        for (mode, who, allowed) in [
            (0o640, identity(other_uid, gid, &[]), true),
            (0o640, identity(other_uid, other_gid, &[gid]), true),
            (0o640, identity(other_uid, other_gid, &[]), false),
            (0o604, identity(other_uid, gid, &[]), false),
            (0o604, identity(other_uid, other_gid, &[]), true),
        ] {
            fs::set_permissions(&path, Permissions::from_mode(mode)).expect("mode");
            assert_eq!(who.may_read(&path).is_ok(), allowed, "{mode:o} {who:?}");
        }
        fs::set_permissions(folder.path(), Permissions::from_mode(0o700)).expect("mode");
        assert!(identity(other_uid, other_gid, &[]).may_read(&path).is_err());
        let missing = identity(uid, gid, &[]).may_read(&folder.path().join("none"));
        assert!(missing.is_err_and(|error| error.kind() == io::ErrorKind::NotFound));
    }
}
