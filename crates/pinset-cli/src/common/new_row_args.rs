//! Arguments of commands that add rows with new secrets to a list.

use std::path::Path;

use pinset::{Numbering, Settings};

use crate::common::config_file::ConfigFileArgs;
use crate::common::error::CommandError;
use crate::common::new_list::NewListArgs;
use crate::common::numbering_args::{NumberingArgs, PbxNumbering};
use crate::common::secret_args::SecretArgs;
use crate::common::secret_maker::{SecretForm, SecretMaker};

/// The list, the configuration, and the form of new secrets.
#[derive(Debug, clap::Args)]
pub(crate) struct NewRowArgs {
    #[command(flatten)]
    new_list: NewListArgs,
    #[command(flatten)]
    config: ConfigFileArgs,
    #[command(flatten)]
    secret: SecretArgs,
}

impl NewRowArgs {
    /// Reads the configuration file. Returns the defaults if none is given.
    pub(crate) fn settings(&self) -> Result<Settings, CommandError> {
        self.config.settings()
    }

    /// Returns the requested form of secrets.
    pub(crate) fn form(&self) -> Option<SecretForm> {
        self.secret.form()
    }

    /// Returns a maker of secrets, see [`SecretArgs::maker`].
    pub(crate) fn maker(&self, settings: &Settings) -> Result<SecretMaker, CommandError> {
        self.secret.maker(settings)
    }

    /// Creates a list, see [`NewListArgs::create`].
    pub(crate) fn create(&self, path: &Path, text: &[u8]) -> Result<bool, CommandError> {
        self.new_list.create(path, text)
    }
}

/// [`NewRowArgs`] with numbering options, for rows with caller numbers.
#[derive(Debug, clap::Args)]
pub(crate) struct NewCallerRowArgs {
    #[command(flatten)]
    pub rows: NewRowArgs,
    #[command(flatten)]
    numbering: NumberingArgs,
}

impl NewCallerRowArgs {
    /// Returns the numbering, and a maker of secrets.
    pub(crate) fn read(&self) -> Result<(Numbering, SecretMaker), CommandError> {
        let settings = self.rows.settings()?;
        let numbering = self.numbering.numbering(&settings)?;
        Ok((numbering, self.rows.maker(&settings)?))
    }

    /// Returns what is known of the PBXs' numbering.
    pub(crate) fn pbx_numbering<'a>(&self, numbering: &'a Numbering) -> PbxNumbering<'a> {
        PbxNumbering {
            numbering,
            is_configured: self.rows.config.is_given(),
        }
    }
}
