//! Files with secrets, such as the pepper file: read when the configuration is.

use std::path::Path;

use pinset::credential::pepper::PepperError;
use pinset::credential::secret_file::{self, SecretFileError};
use pinset::permission::explain;
use pinset::Pepper;
use thiserror::Error;
use zeroize::Zeroizing;

use crate::asterisk::process;

/// Why a pepper file can't be used. The text holds nothing of the file.
#[derive(Debug, Error)]
pub(crate) enum PepperFileError {
    /// It can't be read.
    #[error(transparent)]
    File(#[from] SecretFileError),
    /// Its keys are invalid.
    #[error(transparent)]
    Keys(#[from] PepperError),
}

/// Reads the keys of a pepper file.
///
/// # Errors
///
/// Fails if [`contents`] does, or a key is invalid.
pub(crate) fn read(path: &Path) -> Result<Pepper, PepperFileError> {
    Ok(Pepper::parse(&contents(path)?)?)
}

/// Reads a file with secrets. The error explains missing permissions.
///
/// # Errors
///
/// Fails if the file can't be read, is too large, or other users have access to it.
pub(crate) fn contents(path: &Path) -> Result<Zeroizing<Vec<u8>>, SecretFileError> {
    secret_file::read(path, process::identity()).map_err(|error| match error {
        SecretFileError::Open(error) => {
            SecretFileError::Open(explain(error, path, &process::account()))
        }
        error => error,
    })
}
