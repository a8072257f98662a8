//! `pinset hash`: the secret of a PIN.

use std::io::{self, Write};

use zeroize::Zeroizing;

use crate::common::config_file::ConfigFile;
use crate::common::csv;
use crate::common::error::CommandError;
use crate::common::pin_input::{self, Asked};
use crate::common::secret_args::Forms;

/// Prints the secret of a PIN, as it stands in a row of a csv list.
///
/// The PIN is asked for at the terminal, twice and without being shown. From a
/// pipe or a file, each line is a PIN, and each gets a line.
#[derive(Debug, clap::Args)]
#[command(after_help = "\
A PIN is never given on the command line, which everybody on the machine can
read. Exit code: 0 printed; 3 not.")]
pub struct Hash {
    #[command(flatten)]
    config: ConfigFile,
    #[command(flatten)]
    forms: Forms,
    /// Without the quotes that csv needs around Argon2id, for a value of
    /// Asterisk's database (astdb_value = account:secret)
    #[arg(long)]
    unquoted: bool,
}

pub fn run(arguments: &Hash) -> Result<u8, CommandError> {
    let maker = arguments.forms.maker(&arguments.config.settings()?)?;
    let mut out = io::stdout().lock();
    pin_input::each(Asked::Twice, |pin| {
        pin_input::warn_if_weak(&pin);
        let secret = maker.make(&pin)?;
        let mut line = Zeroizing::new(Vec::with_capacity(secret.len() + 3));
        if arguments.unquoted {
            line.extend_from_slice(secret.as_bytes());
        } else {
            csv::push(&mut line, &secret);
        }
        line.push(b'\n');
        out.write_all(&line).map_err(CommandError::Output)
    })?;
    out.flush().map_err(CommandError::Output)?;
    Ok(0)
}
