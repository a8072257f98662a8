//! `pinset hash`: hashing of PINs.

use std::io::{self, Write};

use zeroize::Zeroizing;

use crate::common::config_file::ConfigFileArgs;
use crate::common::csv;
use crate::common::error::CommandError;
use crate::common::pin_input::{self, Prompts};
use crate::common::secret_args::SecretArgs;

/// Prints the secret of a PIN for a row of a CSV file.
///
/// The PIN is entered at the terminal, twice and without echo. From a pipe or a file,
/// each line is a PIN, and its secret is printed on a line.
#[derive(Debug, clap::Args)]
#[command(after_help = "\
PINs can't be given on the command line, which every user of the machine can read.

Exit code: 0 printed; 3 an error.")]
pub(crate) struct Hash {
    #[command(flatten)]
    config: ConfigFileArgs,
    #[command(flatten)]
    forms: SecretArgs,
    /// Omit the quotes that CSV needs around Argon2id hashes, for a value in
    /// Asterisk's database (astdb_value = account:secret)
    #[arg(long)]
    unquoted: bool,
}

pub(crate) fn run(arguments: &Hash) -> Result<u8, CommandError> {
    let maker = arguments.forms.maker(&arguments.config.settings()?)?;
    let mut out = io::stdout().lock();
    pin_input::for_each(Prompts::Twice, |pin| {
        pin_input::warn_if_weak(&pin);
        let secret = maker.make(&pin).map_err(CommandError::new)?;
        let mut line = Zeroizing::new(Vec::with_capacity(secret.len() + 3));
        if arguments.unquoted {
            line.extend_from_slice(secret.as_bytes());
        } else {
            csv::push_value(&mut line, &secret);
        }
        line.push(b'\n');
        out.write_all(&line).map_err(CommandError::Output)
    })?;
    out.flush().map_err(CommandError::Output)?;
    Ok(0)
}
