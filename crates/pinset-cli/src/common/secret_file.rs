//! Secret files: credentials, the pepper, the key of a certificate.

use std::io;
use std::os::unix::fs::MetadataExt;
use std::path::Path;

use pinset::credential::pepper::{Identity, PermissionsError};
use pinset::credential::secret_file::{self, MAX_SECRET_FILE_BYTES};
use rustix::process::{getegid, geteuid, getgroups};
use thiserror::Error;
use zeroize::Zeroizing;

/// The reason why a file with a secret can't be used.
#[derive(Debug, Error)]
pub(crate) enum SecretFileError {
    #[error(transparent)]
    Io(io::Error),
    #[error("not a regular file")]
    NotRegular,
    #[error("must belong to root or to the user that serves")]
    Owner,
    #[error("others have rights to it: chmod o= takes them away")]
    Others,
    #[error("a group that is none of the service has rights to it: chmod g= takes them away")]
    Group,
    #[error("its group may do more than read it: chmod g=r takes that away")]
    GroupWrites,
    #[error("over {MAX_SECRET_FILE_BYTES} bytes")]
    TooLarge,
    #[error("must be one line")]
    NotOneLine,
}

/// The groups that may read a secret file, besides its owner.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum AllowedGroups {
    /// Those of the process, which may be supplementary ones: Asterisk's is one of the
    /// console's.
    OfProcess,
    /// The same, unless the process is root's: root checks files for a service whose
    /// groups it does not have.
    OfService,
}

/// Reads a file with a secret if only root, the user that the service runs as and these
/// groups have access to it: the rules of the pepper file.
///
/// # Errors
///
/// The file can't be read, is too large, or other users have access to it.
pub(crate) fn read(
    path: &Path,
    allowed: AllowedGroups,
) -> Result<Zeroizing<Vec<u8>>, SecretFileError> {
    let groups = getgroups().map_err(|error| SecretFileError::Io(error.into()))?;
    let group = std::fs::metadata(path).map_err(SecretFileError::Io)?.gid();
    let is_allowed = groups.iter().any(|of_process| of_process.as_raw() == group)
        || (allowed == AllowedGroups::OfService && geteuid().is_root());
    let identity = Identity {
        uid: geteuid().as_raw(),
        gid: if is_allowed {
            group
        } else {
            getegid().as_raw()
        },
    };
    Ok(secret_file::read(path, identity)?)
}

/// Reads a secret file of one line.
///
/// # Errors
///
/// Fails as [`read`] does, and if the file has no line or several.
pub(crate) fn read_line(
    path: &Path,
    allowed: AllowedGroups,
) -> Result<Zeroizing<Vec<u8>>, SecretFileError> {
    let text = read(path, allowed)?;
    let line = text.trim_ascii();
    if line.is_empty() || line.contains(&b'\n') {
        return Err(SecretFileError::NotOneLine);
    }
    Ok(Zeroizing::new(line.to_vec()))
}

impl From<secret_file::SecretFileError> for SecretFileError {
    fn from(error: secret_file::SecretFileError) -> Self {
        match error {
            secret_file::SecretFileError::Open(error)
            | secret_file::SecretFileError::Read(error) => Self::Io(error),
            secret_file::SecretFileError::Permissions(error) => Self::from(error),
            secret_file::SecretFileError::TooLarge => Self::TooLarge,
        }
    }
}

impl From<PermissionsError> for SecretFileError {
    fn from(exposed: PermissionsError) -> Self {
        match exposed {
            PermissionsError::NotRegularFile => Self::NotRegular,
            PermissionsError::WrongOwner => Self::Owner,
            PermissionsError::OpenToOthers => Self::Others,
            PermissionsError::OpenToOtherGroup => Self::Group,
            PermissionsError::GroupMayWrite => Self::GroupWrites,
        }
    }
}
