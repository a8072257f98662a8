//! Arguments for the form of new secrets.

use std::ops::ControlFlow;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use indicatif::ProgressBar;
use pinset::credential::pepper::{Identity, Rights};
use pinset::{Pepper, Settings};
use std::os::unix::fs::MetadataExt;

use zeroize::Zeroizing;

use crate::common::atomic_file::contents;
use crate::common::error::{At, CommandError};
use crate::common::secret_maker::{SecretForm, SecretMaker};

/// Fewest Argon2id hashes for which a progress bar is shown.
const MIN_HASHES_FOR_PROGRESS: usize = 100;

/// The form of new secrets.
#[derive(Debug, clap::Args)]
pub(crate) struct SecretArgs {
    /// Argon2id, the default: slow to guess, but only found by caller or account,
    /// not by the PIN alone (identify = pin)
    #[arg(long, group = "form")]
    argon2id: bool,
    /// HMAC-SHA256 with the first key of the pepper file (--pepper, or pepper_file
    /// of --config); suitable for identify = pin
    #[arg(long, group = "form")]
    hmac_sha256: bool,
    /// MD5, which is no protection
    #[arg(long, group = "form")]
    md5: bool,
    /// The PIN in the clear
    #[arg(long, group = "form")]
    plain: bool,
    /// Pepper file for hmac-sha256
    #[arg(long, value_name = "FILE")]
    pepper: Option<PathBuf>,
}

impl SecretArgs {
    /// Returns the requested form.
    pub(crate) fn form(&self) -> Option<SecretForm> {
        if self.argon2id {
            Some(SecretForm::Argon2id)
        } else if self.hmac_sha256 {
            Some(SecretForm::Hmac)
        } else if self.md5 {
            Some(SecretForm::Md5)
        } else if self.plain {
            Some(SecretForm::Plain)
        } else {
            None
        }
    }

    /// Returns a maker of secrets of the requested form, by default Argon2id. The pepper
    /// file of the command line overrides that of `authenticate.conf`.
    pub(crate) fn maker(&self, settings: &Settings) -> Result<SecretMaker, CommandError> {
        let form = self.form().unwrap_or(SecretForm::Argon2id);
        let path = self.pepper.as_deref().or(settings.pepper_file.as_deref());
        if form == SecretForm::Hmac && path.is_none() {
            return Err(CommandError::new(
                "--hmac-sha256: requires --pepper, or --config with a pepper_file",
            ));
        }
        let pepper = path.map(read_pepper).transpose()?.unwrap_or_default();
        let pepper = Arc::new(pepper);
        Ok(SecretMaker { form, pepper })
    }
}

/// Returns a function that advances a progress bar after each of these hashes. The bar is
/// shown if they take long.
pub(crate) fn progress(maker: &SecretMaker, hashes: usize) -> impl FnMut() -> ControlFlow<()> {
    let is_slow = maker.form == SecretForm::Argon2id && hashes >= MIN_HASHES_FOR_PROGRESS;
    let bar = if is_slow {
        ProgressBar::new(hashes as u64)
    } else {
        ProgressBar::hidden()
    };
    move || {
        bar.inc(1);
        ControlFlow::Continue(())
    }
}

/// Reads a pepper file, whose permissions must be as strict as the module requires.
pub(crate) fn read_pepper(path: &Path) -> Result<Pepper, CommandError> {
    Pepper::parse(&read_protected(path)?).at(path)
}

/// Reads a file with secrets, whose permissions must be as strict as the module requires.
pub(crate) fn read_protected(path: &Path) -> Result<Zeroizing<Vec<u8>>, CommandError> {
    let file = pinset::list::open(path).at(path)?;
    check_permissions(&file.metadata().at(path)?).at(path)?;
    contents(&file).at(path)
}

/// Checks that only the owner and the group, which may be Asterisk's, have access to a
/// pepper file.
pub(crate) fn check_permissions(
    about: &std::fs::Metadata,
) -> Result<(), pinset::credential::pepper::PermissionsError> {
    let owner = Identity {
        uid: about.uid(),
        gid: about.gid(),
    };
    let mode = about.mode();
    Rights { mode, owner }.check(owner)
}
