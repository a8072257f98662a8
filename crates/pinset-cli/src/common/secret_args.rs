//! The forms that new secrets take.

use std::path::{Path, PathBuf};

use indicatif::{ProgressBar, ProgressIterator};
use pinset::credential::pepper::{Identity, Rights};
use pinset::credential::secret::generate::{Recipe, SALT_BYTES};
use pinset::credential::secret::Cost;
use pinset::{Pepper, Pin, Settings};
use std::os::unix::fs::MetadataExt;
use zeroize::Zeroizing;

use crate::common::atomic_file::contents;
use crate::common::error::{At, CommandError};

/// Fewest Argon2id hashes for which a progress bar is shown.
const MIN_HASHES_FOR_PROGRESS: usize = 100;

/// The form of new secrets.
#[derive(Debug, clap::Args)]
pub struct Forms {
    /// Argon2id, the default: slow to guess, but found by caller or account
    /// only, not by the PIN alone (identify = pin)
    #[arg(long, group = "form")]
    argon2id: bool,
    /// HMAC-SHA256 by the first key of the pepper file (--pepper, or pepper_file of
    /// --config): for identify = pin
    #[arg(long, group = "form")]
    hmac_sha256: bool,
    /// MD5, which is no protection
    #[arg(long, group = "form")]
    md5: bool,
    /// The PIN as it is
    #[arg(long, group = "form")]
    plain: bool,
    /// The pepper file, for secrets of hmac-sha256
    #[arg(long, value_name = "FILE")]
    pepper: Option<PathBuf>,
}

/// A form.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Form {
    Argon2id,
    Hmac,
    Md5,
    Plain,
}

impl Forms {
    /// The one that is asked for.
    pub fn wanted(&self) -> Option<Form> {
        if self.argon2id {
            Some(Form::Argon2id)
        } else if self.hmac_sha256 {
            Some(Form::Hmac)
        } else if self.md5 {
            Some(Form::Md5)
        } else if self.plain {
            Some(Form::Plain)
        } else {
            None
        }
    }

    /// What makes secrets of the form that is asked for, or else of Argon2id. The
    /// pepper file of the command line overrides that of `authenticate.conf`.
    pub fn maker(&self, settings: &Settings) -> Result<Maker, CommandError> {
        let form = self.wanted().unwrap_or(Form::Argon2id);
        let path = self.pepper.as_deref().or(settings.pepper_file.as_deref());
        if form == Form::Hmac && path.is_none() {
            return Err(CommandError::new(
                "--hmac-sha256: it needs --pepper, or --config with a pepper_file",
            ));
        }
        let pepper = path.map(pepper).transpose()?.unwrap_or_default();
        Ok(Maker { form, pepper })
    }
}

/// Makes secrets.
pub struct Maker {
    pub form: Form,
    pub pepper: Pepper,
}

impl Maker {
    /// The secret of a PIN.
    pub fn make(&self, pin: &Pin) -> Result<Zeroizing<String>, CommandError> {
        let recipe = match self.form {
            Form::Argon2id => {
                let mut salt = [0; SALT_BYTES];
                getrandom::fill(&mut salt).map_err(CommandError::new)?;
                Recipe::Argon2id(Cost::default(), salt)
            }
            Form::Hmac => {
                let signing = self.pepper.signing();
                let (id, key) =
                    signing.ok_or_else(|| CommandError::new("the pepper has no key"))?;
                Recipe::Hmac(id, key)
            }
            Form::Md5 => Recipe::Md5,
            Form::Plain => Recipe::Plain,
        };
        recipe.make(pin).map_err(CommandError::new)
    }

    /// Returns the secrets of PINs, in their order. Shows a progress bar if that
    /// takes long.
    pub fn make_all(&self, pins: &[Pin]) -> Result<Vec<Zeroizing<String>>, CommandError> {
        let is_slow = self.form == Form::Argon2id && pins.len() >= MIN_HASHES_FOR_PROGRESS;
        let bar = if is_slow {
            ProgressBar::new(pins.len() as u64)
        } else {
            ProgressBar::hidden()
        };
        let each = pins.iter().progress_with(bar);
        each.map(|pin| self.make(pin)).collect()
    }
}

/// The keys of a pepper file, which must be as safe as the module wants it.
pub fn pepper(path: &Path) -> Result<Pepper, CommandError> {
    let file = pinset::list::open(path).at(path)?;
    safe(&file.metadata().at(path)?).at(path)?;
    Pepper::parse(&contents(&file).at(path)?).at(path)
}

/// Whether nobody but the owner and the group, which may be Asterisk's, has a
/// right to a pepper file.
pub fn safe(about: &std::fs::Metadata) -> Result<(), pinset::credential::pepper::PermissionsError> {
    let owner = Identity {
        uid: about.uid(),
        gid: about.gid(),
    };
    let mode = about.mode();
    Rights { mode, owner }.check(owner)
}
