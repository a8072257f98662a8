//! `pinset remove`: rows that go.

use std::collections::BTreeSet;
use std::io::{self, Write};
use std::path::PathBuf;

use pinset::list::{read, Format, Gives, Kind};
use zeroize::Zeroizing;

use crate::common::atomic_file::Locked;
use crate::common::config_file::ConfigFile;
use crate::common::csv_list::{kind, same_caller, Sheet};
use crate::common::error::{At, CommandError};
use crate::common::numbering_args::Numbers;
use crate::common::pin_input::{self, Asked};

/// The exit code when nothing went.
const NONE: u8 = 1;

/// Removes PINs from a list: those of an account, or one from a plain list.
///
/// The PIN of a plain list is asked for at the terminal, without being shown,
/// or is the one line of standard input. All else in the list stays as it is.
#[derive(Debug, clap::Args)]
#[command(after_help = "\
PINs of Asterisk's own database are removed with its command line: database
del FAMILY KEY. The file of the database is never touched.

Exit code: 0 removed; 1 there was none; 3 an error, nothing is changed.")]
pub struct Remove {
    /// The list
    #[arg(value_name = "FILE")]
    file: PathBuf,
    /// Whose PINs, in a csv or md5 list
    #[arg(long)]
    account: Option<String>,
    /// Only those for this number
    #[arg(long, value_name = "NUMBER", requires = "account")]
    caller: Option<String>,
    #[command(flatten)]
    config: ConfigFile,
    #[command(flatten)]
    numbers: Numbers,
}

pub fn run(arguments: &Remove) -> Result<u8, CommandError> {
    let numbering = arguments.numbers.numbering(&arguments.config.settings()?)?;
    let file = &arguments.file;
    let account = arguments.account.as_deref();
    let caller = arguments.caller.as_deref();
    let pin = match account {
        Some(_) => None,
        None => Some(pin_input::one(Asked::Once)?),
    };
    let old = Locked::open(file).at(file)?;
    let old = old.ok_or_else(|| CommandError::at(file, "there is no such file"))?;
    let text = old.contents().at(file)?;
    let kind = kind(&text).unwrap_or(Kind::Lines(Format::Plain));
    let (new, gone) = match (kind, account, &pin) {
        (Kind::Csv, Some(account), _) => Sheet::read(text).at(file)?.without(|row| {
            let same = caller.is_none() || same_caller(row.caller.as_deref(), caller, &numbering);
            row.account == account && same
        }),
        (Kind::Lines(Format::Md5), Some(account), _) if caller.is_none() => without_lines(
            &text,
            Format::Md5,
            |gives| matches!(gives, Gives::Account(found, _) if *found == account.as_bytes()),
        )
        .at(file)?,
        (Kind::Lines(Format::Plain), None, Some(pin)) => without_lines(
            &text,
            Format::Plain,
            |gives| matches!(gives, Gives::Pin(keys) if pin.is(keys)),
        )
        .at(file)?,
        (Kind::Lines(Format::Plain), Some(_), _) if text.trim_ascii().is_empty() => (text, 0),
        (Kind::Lines(Format::Plain), Some(_), _) => {
            return Err(CommandError::at(file, "--account: a plain list has none"));
        }
        (Kind::Lines(Format::Md5), Some(_), _) => {
            return Err(CommandError::at(file, "--caller: an md5 list has none"));
        }
        _ => {
            return Err(CommandError::at(
                file,
                "--account: it is needed for this list",
            ))
        }
    };
    if gone > 0 {
        old.replace(&new).at(file)?;
    }
    let rows = if gone == 1 { "row" } else { "rows" };
    let mut out = io::stdout().lock();
    writeln!(out, "{}: {gone} {rows} removed", file.display()).map_err(CommandError::Output)?;
    Ok(if gone == 0 { NONE } else { 0 })
}

/// A list without the lines that `goes` says, and how many went.
fn without_lines(
    text: &[u8],
    format: Format,
    goes: impl Fn(&Gives<'_>) -> bool,
) -> io::Result<(Zeroizing<Vec<u8>>, usize)> {
    let mut gone = BTreeSet::new();
    read(text, format, true, |line| {
        if goes(&line.gives) {
            gone.insert(line.number);
        }
        None::<()>
    })?;
    let mut left = Zeroizing::new(Vec::with_capacity(text.len()));
    for (line, number) in text.split_inclusive(|byte| *byte == b'\n').zip(1..) {
        if !gone.contains(&number) {
            left.extend_from_slice(line);
        }
    }
    Ok((left, gone.len()))
}
