//! Files with secrets, such as the pepper file: read when the configuration is.

use std::path::Path;

use pinset::credential::secret_file::{self, SecretFileError};
use pinset::permission::explain;
use pinset::Pepper;
use zeroize::Zeroizing;

use crate::asterisk::process;

/// Reads the keys of a pepper file. The error holds none of them.
///
/// # Errors
///
/// The file can't be read, is too large or invalid, or other users have access to it.
pub fn read(path: &Path) -> Result<Pepper, String> {
    Pepper::parse(&contents(path)?).map_err(|error| error.to_string())
}

/// Reads a file with secrets.
///
/// # Errors
///
/// The file can't be read, is too large, or other users have access to it.
pub fn contents(path: &Path) -> Result<Zeroizing<Vec<u8>>, String> {
    secret_file::read(path, process::identity()).map_err(|error| match error {
        SecretFileError::Open(error) => explain(error, path, &process::account()).to_string(),
        error => error.to_string(),
    })
}
