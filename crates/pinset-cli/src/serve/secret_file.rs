//! Secret files: credentials, the pepper, the key of a certificate.

use std::io::{self, Read};
use std::os::unix::fs::MetadataExt;
use std::path::Path;

use pinset::credential::pepper::{Identity, PermissionsError, Rights};
use pinset::list;
use rustix::process::{getegid, geteuid};
use thiserror::Error;
use zeroize::Zeroizing;

/// Maximum number of bytes of a secret file.
const MAX_SECRET_BYTES: u64 = 64 << 10;

/// The reason why a file with a secret can't be used.
#[derive(Debug, Error)]
pub enum SecretFileError {
    #[error(transparent)]
    Io(#[from] io::Error),
    #[error("it is not a regular file")]
    NotRegular,
    #[error("it must belong to root or to the user that serves")]
    Owner,
    #[error("others have rights to it: chmod o= takes them away")]
    Others,
    #[error("a group that is not the one that serves has rights to it: chmod g= takes them away")]
    Group,
    #[error("its group may do more than read it: chmod g=r takes that away")]
    GroupWrites,
    #[error("it is over {MAX_SECRET_BYTES} bytes")]
    TooLarge,
    #[error("it must be one line")]
    NotOneLine,
}

/// Reads a secret file, which no other user may read: by the rules of the pepper file,
/// for the user that the service runs as.
///
/// # Errors
///
/// Fails if the file can't be read, is too large, or others may read it.
pub fn read(path: &Path) -> Result<Zeroizing<Vec<u8>>, SecretFileError> {
    let file = list::open(path)?;
    let about = file.metadata()?;
    let (uid, gid) = (about.uid(), about.gid());
    let rights = Rights {
        mode: about.mode(),
        owner: Identity { uid, gid },
    };
    let ours = Identity {
        uid: geteuid().as_raw(),
        gid: getegid().as_raw(),
    };
    rights.check(ours).map_err(SecretFileError::from)?;
    if about.size() > MAX_SECRET_BYTES {
        return Err(SecretFileError::TooLarge);
    }
    let mut text = Zeroizing::new(Vec::with_capacity(about.size() as usize + 1));
    let mut file = file.take(about.size());
    file.read_to_end(&mut text)?;
    Ok(text)
}

/// Reads a secret file of one line.
///
/// # Errors
///
/// Fails as [`read`] does, and if the file has no line or several.
pub fn read_line(path: &Path) -> Result<Zeroizing<Vec<u8>>, SecretFileError> {
    let text = read(path)?;
    let line = text.trim_ascii();
    if line.is_empty() || line.contains(&b'\n') {
        return Err(SecretFileError::NotOneLine);
    }
    Ok(Zeroizing::new(line.to_vec()))
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
