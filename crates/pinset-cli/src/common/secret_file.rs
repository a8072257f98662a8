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
pub enum SecretFileError {
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

/// Reads a file with a secret if only root, the user that the service runs as and its
/// groups have access to it: the rules of the pepper file. A group of the service may be
/// a supplementary one, as Asterisk's is of the console.
///
/// # Errors
///
/// The file can't be read, is too large, or other users have access to it.
pub(crate) fn read(path: &Path) -> Result<Zeroizing<Vec<u8>>, SecretFileError> {
    let groups = getgroups().map_err(|error| SecretFileError::Io(error.into()))?;
    let owner = std::fs::metadata(path).map_err(SecretFileError::Io)?.gid();
    let own = getegid().as_raw();
    let is_ours = groups.iter().any(|group| group.as_raw() == owner);
    let identity = Identity {
        uid: geteuid().as_raw(),
        gid: if is_ours { owner } else { own },
    };
    Ok(secret_file::read(path, identity)?)
}

/// Reads a secret file of one line.
///
/// # Errors
///
/// Fails as [`read`] does, and if the file has no line or several.
pub(crate) fn read_line(path: &Path) -> Result<Zeroizing<Vec<u8>>, SecretFileError> {
    let text = read(path)?;
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
