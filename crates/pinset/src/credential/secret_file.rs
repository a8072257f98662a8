//! Files that hold secrets: read only if their permissions keep other users out.

use std::io::{self, Read};
use std::os::unix::fs::MetadataExt;
use std::path::Path;

use thiserror::Error;
use zeroize::Zeroizing;

use super::pepper::{Identity, PermissionsError, Rights};
use crate::list::open;

/// The largest secret file in bytes: room for hundreds of keys.
pub const MAX_SECRET_FILE_BYTES: u64 = 64 << 10;

/// Why a secret file can't be used. The message never holds any of its contents.
#[derive(Debug, Error)]
pub enum SecretFileError {
    /// The file can't be opened.
    #[error("{0}")]
    Open(io::Error),
    /// The file can't be read.
    #[error("{0}")]
    Read(io::Error),
    /// Its permissions do not keep other users out.
    #[error("{0}")]
    Permissions(PermissionsError),
    /// The file is larger than [`MAX_SECRET_FILE_BYTES`].
    #[error("over {MAX_SECRET_FILE_BYTES} bytes")]
    TooLarge,
}

/// Reads the file at `path` if only root, `identity` and its group have access to it:
/// [`Rights::check`]. The buffer does not grow and is wiped when dropped.
///
/// # Errors
///
/// The file can't be read, is too large, or other users have access to it.
pub fn read(path: &Path, identity: Identity) -> Result<Zeroizing<Vec<u8>>, SecretFileError> {
    let file = open(path).map_err(SecretFileError::Open)?;
    let metadata = file.metadata().map_err(SecretFileError::Read)?;
    let rights = Rights {
        mode: metadata.mode(),
        owner: Identity {
            uid: metadata.uid(),
            gid: metadata.gid(),
        },
    };
    rights
        .check(identity)
        .map_err(SecretFileError::Permissions)?;
    let size = metadata.size();
    if size > MAX_SECRET_FILE_BYTES {
        return Err(SecretFileError::TooLarge);
    }
    let mut contents = Zeroizing::new(Vec::with_capacity(size as usize + 1));
    let mut file = file.take(size);
    file.read_to_end(&mut contents)
        .map_err(SecretFileError::Read)?;
    Ok(contents)
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::fs::{self, Permissions};
    use std::os::unix::fs::PermissionsExt;

    #[test]
    fn secret_file_open_to_others_or_too_large_is_rejected() {
        let folder = tempfile::tempdir().expect("a folder");
        let path = folder.path().join("secret");
        let metadata = folder.path().metadata().expect("metadata");
        let (uid, gid) = (metadata.uid(), metadata.gid());
        let read_with = |mode, size: u64| {
            fs::write(&path, vec![b'x'; size as usize]).expect("written");
            fs::set_permissions(&path, Permissions::from_mode(mode)).expect("permissions");
            read(&path, Identity { uid, gid })
        };
        let contents = read_with(0o600, MAX_SECRET_FILE_BYTES).expect("contents");
        assert_eq!(contents.len() as u64, MAX_SECRET_FILE_BYTES);
        assert!(matches!(
            read_with(0o604, 1),
            Err(SecretFileError::Permissions(PermissionsError::OpenToOthers))
        ));
        assert!(matches!(
            read_with(0o600, MAX_SECRET_FILE_BYTES + 1),
            Err(SecretFileError::TooLarge)
        ));
        let missing = read(&folder.path().join("none"), Identity { uid, gid });
        assert!(matches!(missing, Err(SecretFileError::Open(_))));
    }
}
