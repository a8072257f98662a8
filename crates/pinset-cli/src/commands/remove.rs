//! `pinset remove`: removing rows from a list.

use std::io::{self, Write};
use std::path::PathBuf;

use crate::common::config_file::ConfigFileArgs;
use crate::common::error::CommandError;
use crate::common::numbering_args::NumberingArgs;
use crate::common::pin_input::{self, Prompts};
use crate::common::pin_list::{DatabaseArgs, PinList};
use crate::common::stored_list::RowFilter;
use crate::pin_files::remove::{RemoveError, RemovedRows};

/// The exit code if nothing was removed.
const NONE_FOUND: u8 = 1;

/// Removes PINs from a PIN file: those of an account, or one from a plain or MD5 file.
///
/// The PIN is entered at the terminal, without echo, or is the only line of standard
/// input. Everything else in the file stays unchanged.
#[derive(Debug, clap::Args)]
#[command(after_help = "\
PINs in Asterisk's own database are removed on its command line: database del
FAMILY KEY. The file of the database is never changed.

Exit code: 0 removed; 1 none found; 3 an error, nothing is changed.")]
pub(crate) struct Remove {
    /// PIN file
    #[arg(value_name = "FILE")]
    file: PathBuf,
    /// Account whose PINs are removed; for CSV and MD5 files
    #[arg(long)]
    account: Option<String>,
    /// Only rows of this caller number
    #[arg(long, value_name = "NUMBER", requires = "account")]
    caller: Option<String>,
    #[command(flatten)]
    database: DatabaseArgs,
    #[command(flatten)]
    config: ConfigFileArgs,
    #[command(flatten)]
    numbers: NumberingArgs,
}

pub(crate) fn run(arguments: &Remove) -> Result<u8, CommandError> {
    let numbering = arguments.numbers.numbering(&arguments.config.settings()?)?;
    let file = &arguments.file;
    let account = arguments.account.as_deref();
    let caller = arguments.caller.as_deref();
    if account.is_none() && arguments.database.database.is_some() {
        return Err(CommandError::new("--account: required for a database"));
    }
    let pin;
    let rows = match account {
        Some(account) => RemovedRows::Account { account, caller },
        None => {
            pin = pin_input::read_one(Prompts::Once)?;
            RemovedRows::Pin(&pin)
        }
    };
    let mut list = PinList::lock(file, &arguments.database, &numbering)?.existing()?;
    let filter = RowFilter {
        accounts: account.into_iter().collect(),
        ..RowFilter::default()
    };
    let text = list.text_for(&filter)?;
    let removed = rows.remove(text, &numbering);
    let (new, gone) = removed.map_err(|error| {
        let option = match error {
            RemoveError::NoAccounts | RemoveError::MissingAccount => "--account: ",
            RemoveError::NoCallers => "--caller: ",
            RemoveError::Csv(_) | RemoveError::Table(_) | RemoveError::Unreadable(_) => "",
        };
        CommandError::at(file, format!("{option}{error}"))
    })?;
    if gone > 0 {
        list.save(new, |_, _| Ok(false), |_| {})?;
    }
    let rows = if gone == 1 { "row" } else { "rows" };
    let mut out = io::stdout().lock();
    writeln!(out, "{}: {gone} {rows} removed", file.display()).map_err(CommandError::Output)?;
    Ok(if gone == 0 { NONE_FOUND } else { 0 })
}
