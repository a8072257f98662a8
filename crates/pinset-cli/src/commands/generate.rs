//! `pinset generate`: generation of random PINs.

use std::fs;
use std::io::{self, Write};
use std::path::{Path, PathBuf};

use crate::common::atomic_file::{create, Access};
use crate::common::error::{note, At, CommandError};
use crate::common::new_row_args::NewRowArgs;
use crate::common::pin_list::{DatabaseArgs, PinList};
use crate::common::reach::warn_out_of_reach;
use crate::common::secret_args::progress;
use crate::common::secret_maker::SecretForm;
use crate::pin_files::generate::{self, GenerateError, NewAccount, NewPins};

/// Generates random PINs, adds their hashes to a CSV file, and writes them in the clear
/// to be handed out.
///
/// No PIN is weak, duplicate or already in the file, except that PINs of Argon2id rows
/// can't be compared. All other PINs are equally likely.
#[derive(Debug, clap::Args)]
#[command(after_help = "\
A missing file is created with mode 0640 and the group of its folder or of --group;
else rows are added to it. No account may have a row in it already. At most half of
all PINs of a length are used, including those in the file.

Exit code: 0 generated; 3 an error, the CSV file is not changed.")]
pub(crate) struct Generate {
    /// Number of PINs [default: one for each account of --accounts]
    #[arg(
        short = 'n',
        long,
        value_name = "N",
        required_unless_present = "accounts"
    )]
    count: Option<usize>,
    /// Number of digits of each PIN
    #[arg(short, long, value_name = "DIGITS")]
    digits: usize,
    /// File of accounts, one per line [default: 1, 2, …]; digits only if callers
    /// enter them (identify = account)
    #[arg(long, value_name = "FILE")]
    accounts: Option<PathBuf>,
    /// CSV file
    #[arg(long, value_name = "FILE")]
    into: PathBuf,
    /// New file for accounts and PINs in the clear, as CSV, with mode 0600
    #[arg(long, value_name = "FILE", required_unless_present = "print")]
    pins: Option<PathBuf>,
    /// Print accounts and PINs in the clear
    #[arg(long, conflicts_with = "pins")]
    print: bool,
    #[command(flatten)]
    database: DatabaseArgs,
    #[command(flatten)]
    new_rows: NewRowArgs,
}

pub(crate) fn run(arguments: &Generate) -> Result<u8, CommandError> {
    arguments.database.check_form(arguments.new_rows.form())?;
    let accounts = accounts(arguments)?;
    let settings = arguments.new_rows.settings()?;
    let maker = arguments.new_rows.maker(&settings)?;
    let new = NewPins {
        accounts: &accounts,
        digits: arguments.digits,
        maker: &maker,
    };
    let into = &arguments.into;
    let mut list = PinList::lock(into, &arguments.database, &settings.numbering)?;
    let text = list.text()?;
    let made = new.generate(text, progress(&maker, accounts.len()));
    let made = made.map_err(|error| match error {
        GenerateError::InvalidDigits => CommandError::new(format!("--digits: {error}")),
        GenerateError::InvalidAccount(..) | GenerateError::Secret(_) => CommandError::new(error),
        error => CommandError::at(into, list.message(error)),
    })?;
    if maker.form == SecretForm::Argon2id {
        note("Argon2id rows are found by caller or account only; use --hmac-sha256 for identify = pin");
        warn_out_of_reach(made.out_of_reach);
    }
    let clear = generate::clear(&accounts, &made.pins, false);
    // The PINs first: rows whose PIN nobody knows would be useless.
    if let Some(path) = &arguments.pins {
        if !create(path, &clear, Access::Owner).at(path)? {
            return Err(CommandError::at(path, "file exists already"));
        }
    }
    let create = |path: &Path, text: &[u8]| arguments.new_rows.create(path, text);
    let written = match list.save(made.text, create, |_| {}) {
        Ok(true) => Ok(()),
        Ok(false) => Err(CommandError::at(
            into,
            "created by another process meanwhile",
        )),
        Err(failure) => Err(failure),
    };
    if let (Err(_), Some(path)) = (&written, &arguments.pins) {
        fs::remove_file(path).at(path)?;
    }
    written?;
    if arguments.print {
        let mut out = io::stdout().lock();
        out.write_all(&clear).map_err(CommandError::Output)?;
        out.flush().map_err(CommandError::Output)?;
    }
    Ok(0)
}

/// Returns the accounts that PINs are generated for.
fn accounts(arguments: &Generate) -> Result<Vec<NewAccount>, CommandError> {
    let Some(path) = &arguments.accounts else {
        return Ok((1..=arguments.count.unwrap_or(0))
            .map(|number| NewAccount::without_name(number.to_string()))
            .collect());
    };
    let accounts = generate::accounts(&fs::read_to_string(path).at(path)?).at(path)?;
    match arguments.count {
        Some(count) if count != accounts.len() => Err(CommandError::at(
            path,
            format!("--count: the file has {} accounts", accounts.len()),
        )),
        _ => Ok(accounts),
    }
}
