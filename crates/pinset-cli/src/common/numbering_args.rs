//! Arguments for the numbering options of `authenticate.conf`.

use pinset::{Numbering, Settings};

use crate::common::error::CommandError;

/// The numbering options of `[general]` in authenticate.conf, with the same defaults.
#[derive(Debug, clap::Args)]
#[command(next_help_heading = "Numbering options, as in authenticate.conf")]
pub(crate) struct NumberingArgs {
    /// country_code, such as 90
    #[arg(long, value_name = "DIGITS")]
    country_code: Option<String>,
    /// national_prefix [default: 0]
    #[arg(long, value_name = "DIGITS")]
    national_prefix: Option<String>,
    /// international_prefix [default: 00]
    #[arg(long, value_name = "DIGITS")]
    international_prefix: Option<String>,
    /// national_length [default: 10]
    #[arg(long, value_name = "N[-M]")]
    national_length: Option<String>,
}

/// Why a number is not stored in a database.
pub(crate) const NATIONAL_CALLER: &str =
    "a national number, and how the PBXs compare those is not known: use --config with their \
     authenticate.conf, --country-code, or the international form";

/// The numbering of the PBXs, as far as a command knows it.
#[derive(Clone, Copy)]
pub(crate) struct PbxNumbering<'a> {
    pub numbering: &'a Numbering,
    /// Whether it is that of an `authenticate.conf`, which may lack a `country_code`.
    pub is_configured: bool,
}

impl PbxNumbering<'_> {
    /// Returns whether PBXs may compare a number in another form than that in which it
    /// would be stored.
    pub(crate) fn is_unclear(&self, number: &str) -> bool {
        let number = self.numbering.normalize(number.as_bytes());
        !self.is_configured && number.is_some_and(|number| !number.is_international())
    }
}

impl NumberingArgs {
    /// Returns the numbering. These options override those of `authenticate.conf`.
    pub(crate) fn numbering(&self, settings: &Settings) -> Result<Numbering, CommandError> {
        let mut numbering = settings.numbering.clone();
        for (name, option, value) in [
            ("country_code", "--country-code", &self.country_code),
            (
                "national_prefix",
                "--national-prefix",
                &self.national_prefix,
            ),
            (
                "international_prefix",
                "--international-prefix",
                &self.international_prefix,
            ),
            (
                "national_length",
                "--national-length",
                &self.national_length,
            ),
        ] {
            if let Some(value) = value {
                numbering
                    .set(name.as_bytes(), value.as_bytes())
                    .map_err(|fault| CommandError::new(format!("{option}: {fault}")))?;
            }
        }
        numbering.check().map_err(CommandError::new)?;
        Ok(numbering)
    }
}
