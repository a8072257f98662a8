//! Secret files: credentials, the pepper, the key of a certificate.

use std::io;
use std::path::Path;

use pinset::credential::pepper::{Identity, PermissionsError};
use pinset::credential::secret_file::{self, MAX_SECRET_FILE_BYTES};
use rustix::process::{getegid, geteuid};
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
    #[error("a group that is not the one that serves has rights to it: chmod g= takes them away")]
    Group,
    #[error("its group may do more than read it: chmod g=r takes that away")]
    GroupWrites,
    #[error("over {MAX_SECRET_FILE_BYTES} bytes")]
    TooLarge,
    #[error("must be one line")]
    NotOneLine,
}

/// Reads a file with a secret if only root, the user that the service runs as and its
/// group have access to it: the rules of the pepper file.
///
/// # Errors
///
/// The file can't be read, is too large, or other users have access to it.
pub(super) fn read(path: &Path) -> Result<Zeroizing<Vec<u8>>, SecretFileError> {
    let identity = Identity {
        uid: geteuid().as_raw(),
        gid: getegid().as_raw(),
    };
    Ok(secret_file::read(path, identity)?)
}

/// Reads a secret file of one line.
///
/// # Errors
///
/// Fails as [`read`] does, and if the file has no line or several.
pub(super) fn read_line(path: &Path) -> Result<Zeroizing<Vec<u8>>, SecretFileError> {
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
