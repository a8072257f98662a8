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
