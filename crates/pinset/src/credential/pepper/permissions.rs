//! Permissions of the pepper file.

use thiserror::Error;

/// A user and a group, by number.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Identity {
    /// The user.
    pub uid: u32,
    /// The group.
    pub gid: u32,
}

/// The type, the owner and the permissions of a file, as `fstat` reports them for
/// the open file. By name, they could be out of date when the file is opened.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Rights {
    /// `st_mode`: the type and the rights.
    pub mode: u32,
    /// `st_uid` and `st_gid`.
    pub owner: Identity,
}

/// Why the keys in a file are not safe.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Error)]
pub enum PermissionsError {
    /// The file is a directory, a device, a pipe or the like.
    #[error("not a regular file")]
    NotRegularFile,
    /// The file belongs to a user who is neither root nor Asterisk's.
    #[error("must belong to root or to Asterisk's user")]
    WrongOwner,
    /// Users who neither own the file nor are in its group have a permission.
    #[error("others have rights to it: chmod o= takes them away")]
    OpenToOthers,
    /// The file's group is not Asterisk's, and has a permission.
    #[error("a group that is not Asterisk's has rights to it: chmod g= takes them away")]
    OpenToOtherGroup,
    /// Asterisk's group has more permissions than to read the file.
    #[error("its group may do more than read it: chmod g=r takes that away")]
    GroupMayWrite,
}

impl Rights {
    /// Whether keys may be kept in this file: a regular one of root's or
    /// Asterisk's user's, that others have no right to, and its group none but
    /// to read it, and that only if it is Asterisk's. `asterisk` is what
    /// Asterisk runs as. Root needs no rights, and is not kept out by any.
    ///
    /// # Errors
    ///
    /// The first of these that does not hold.
    pub fn check(self, asterisk: Identity) -> Result<(), PermissionsError> {
        let Self { mode, owner } = self;
        let group = mode & 0o070;
        if mode & libc::S_IFMT != libc::S_IFREG {
            Err(PermissionsError::NotRegularFile)
        } else if owner.uid != 0 && owner.uid != asterisk.uid {
            Err(PermissionsError::WrongOwner)
        } else if mode & 0o007 != 0 {
            Err(PermissionsError::OpenToOthers)
        } else if group != 0 && owner.gid != asterisk.gid {
            Err(PermissionsError::OpenToOtherGroup)
        } else if group & !0o040 != 0 {
            Err(PermissionsError::GroupMayWrite)
        } else {
            Ok(())
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use PermissionsError::{
        GroupMayWrite, NotRegularFile, OpenToOtherGroup, OpenToOthers, WrongOwner,
    };

    const ASTERISK: Identity = Identity { uid: 110, gid: 115 };

    fn check(mode: u32, uid: u32, gid: u32) -> Result<(), PermissionsError> {
        let owner = Identity { uid, gid };
        Rights { mode, owner }.check(ASTERISK)
    }

    #[test]
    fn permissions_decide_whether_a_file_is_safe() {
        let file = libc::S_IFREG;
        for (mode, uid, gid, result) in [
            (file | 0o400, 0, 0, Ok(())),
            (file | 0o600, 0, 0, Ok(())),
            (file | 0o600, 110, 115, Ok(())),
            (file | 0o600, 110, 1000, Ok(())),
            (file | 0o700, 110, 115, Ok(())),
            (file | 0o640, 0, 115, Ok(())),
            (file | 0o440, 110, 115, Ok(())),
            (file | 0o040, 0, 115, Ok(())),
            (file, 0, 0, Ok(())),
            (file | 0o600, 1000, 115, Err(WrongOwner)),
            (file | 0o600, 115, 115, Err(WrongOwner)),
            (file | 0o604, 0, 115, Err(OpenToOthers)),
            (file | 0o602, 0, 115, Err(OpenToOthers)),
            (file | 0o601, 0, 115, Err(OpenToOthers)),
            (file | 0o644, 110, 115, Err(OpenToOthers)),
            (file | 0o640, 0, 0, Err(OpenToOtherGroup)),
            (file | 0o640, 110, 110, Err(OpenToOtherGroup)),
            (file | 0o620, 0, 0, Err(OpenToOtherGroup)),
            (file | 0o610, 0, 1000, Err(OpenToOtherGroup)),
            (file | 0o660, 0, 115, Err(GroupMayWrite)),
            (file | 0o620, 0, 115, Err(GroupMayWrite)),
            (file | 0o650, 0, 115, Err(GroupMayWrite)),
            (libc::S_IFDIR | 0o700, 0, 0, Err(NotRegularFile)),
            (libc::S_IFLNK | 0o600, 0, 0, Err(NotRegularFile)),
            (libc::S_IFIFO | 0o600, 0, 0, Err(NotRegularFile)),
            (libc::S_IFSOCK | 0o600, 0, 0, Err(NotRegularFile)),
            (libc::S_IFCHR | 0o600, 0, 0, Err(NotRegularFile)),
            (libc::S_IFBLK | 0o600, 0, 0, Err(NotRegularFile)),
            (0o600, 0, 0, Err(NotRegularFile)),
        ] {
            assert_eq!(check(mode, uid, gid), result, "{mode:o} {uid} {gid}");
        }
    }

    #[test]
    fn asterisk_as_root_requires_a_file_of_root() {
        let root = Identity { uid: 0, gid: 0 };
        for (mode, owner, result) in [
            (0o100_640, root, Ok(())),
            (0o100_600, ASTERISK, Err(PermissionsError::WrongOwner)),
        ] {
            assert_eq!(Rights { mode, owner }.check(root), result);
        }
    }

    /// Users other than the owner, root and Asterisk have no permission.
    #[test]
    fn accepted_permissions_exclude_other_users() {
        let mut fine = 0;
        for mode in 0..0o1000 {
            for (uid, gid) in [(0, 0), (0, 115), (110, 115), (110, 116), (115, 110)] {
                if check(libc::S_IFREG | mode, uid, gid).is_ok() {
                    fine += 1;
                    assert_eq!(mode & 0o037, 0);
                    assert!(uid == 0 || uid == 110);
                    assert!(mode & 0o040 == 0 || gid == 115);
                }
            }
        }
        // The owner's eight, for each of four, and twice with the group's.
        assert_eq!(fine, 8 * 4 + 8 * 2);
    }
}
