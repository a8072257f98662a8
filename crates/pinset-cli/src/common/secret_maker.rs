//! Making of secrets: a PIN, or a hash of it.

use std::ops::ControlFlow;
use std::sync::Arc;

use pinset::credential::secret::generate::{GenerateError, Recipe, SALT_BYTES};
use pinset::credential::secret::Cost;
use pinset::{Pepper, Pin};
use thiserror::Error;
use zeroize::Zeroizing;

/// A form of secrets.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum SecretForm {
    Argon2id,
    Hmac,
    Md5,
    Plain,
}

impl SecretForm {
    /// All forms, the strongest first.
    pub(crate) const ALL: [Self; 4] = [Self::Argon2id, Self::Hmac, Self::Md5, Self::Plain];

    /// Returns the form of this name.
    pub(crate) fn named(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|form| form.name() == name)
    }

    /// Returns its name in files and forms.
    pub(crate) fn name(self) -> &'static str {
        match self {
            Self::Argon2id => "argon2id",
            Self::Hmac => "hmac-sha256",
            Self::Md5 => "md5",
            Self::Plain => "plain",
        }
    }
}

/// The reason why no secret can be made.
#[derive(Debug, Error)]
pub(crate) enum SecretMakerError {
    #[error("{0}")]
    Random(getrandom::Error),
    #[error("the pepper has no key")]
    NoKey,
    #[error("stopped: nothing is changed")]
    Stopped,
    #[error(transparent)]
    Recipe(#[from] GenerateError),
}

/// Makes secrets.
pub(crate) struct SecretMaker {
    pub form: SecretForm,
    pub pepper: Arc<Pepper>,
}

impl SecretMaker {
    /// Returns the secret of a PIN.
    pub(crate) fn make(&self, pin: &Pin) -> Result<Zeroizing<String>, SecretMakerError> {
        let recipe = match self.form {
            SecretForm::Argon2id => {
                let mut salt = [0; SALT_BYTES];
                getrandom::fill(&mut salt).map_err(SecretMakerError::Random)?;
                Recipe::Argon2id(Cost::default(), salt)
            }
            SecretForm::Hmac => {
                let (id, key) = self.pepper.signing().ok_or(SecretMakerError::NoKey)?;
                Recipe::Hmac(id, key)
            }
            SecretForm::Md5 => Recipe::Md5,
            SecretForm::Plain => Recipe::Plain,
        };
        Ok(recipe.make(pin)?)
    }

    /// Returns the secrets of PINs, in their order. Calls `progress` after each, which
    /// may stop.
    pub(crate) fn make_all(
        &self,
        pins: &[Pin],
        mut progress: impl FnMut() -> ControlFlow<()>,
    ) -> Result<Vec<Zeroizing<String>>, SecretMakerError> {
        let mut secrets = Vec::with_capacity(pins.len());
        for pin in pins {
            secrets.push(self.make(pin)?);
            if progress().is_break() {
                return Err(SecretMakerError::Stopped);
            }
        }
        Ok(secrets)
    }
}
