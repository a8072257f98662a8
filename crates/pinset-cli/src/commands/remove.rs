//! `pinset remove`: removing rows from a list.

use std::collections::BTreeSet;
use std::io::{self, Write};
use std::path::PathBuf;

use pinset::list::{read, FileKind, Format, Gives};
use zeroize::Zeroizing;

use crate::common::atomic_file::LockedFile;
use crate::common::config_file::ConfigFileArgs;
use crate::common::csv_list::{kind, same_caller, CsvList};
use crate::common::error::{At, CommandError};
use crate::common::numbering_args::NumberingArgs;
use crate::common::pin_input::{self, Prompts};

/// The exit code if nothing was removed.
const NONE_FOUND: u8 = 1;

/// Removes PINs from a PIN file: those of an account, or one from a plain file.
///
/// The PIN of a plain file is entered at the terminal, without echo, or is the only
/// line of standard input. Everything else in the file stays unchanged.
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
    config: ConfigFileArgs,
    #[command(flatten)]
    numbers: NumberingArgs,
}

pub(crate) fn run(arguments: &Remove) -> Result<u8, CommandError> {
    let numbering = arguments.numbers.numbering(&arguments.config.settings()?)?;
    let file = &arguments.file;
    let account = arguments.account.as_deref();
    let caller = arguments.caller.as_deref();
    let pin = match account {
        Some(_) => None,
        None => Some(pin_input::read_one(Prompts::Once)?),
    };
    let old = LockedFile::open(file).at(file)?;
    let old = old.ok_or_else(|| CommandError::at(file, "no such file"))?;
    let text = old.contents().at(file)?;
    let kind = kind(&text).unwrap_or(FileKind::Lines(Format::Plain));
    let (new, gone) = match (kind, account, &pin) {
        (FileKind::Csv, Some(account), _) => CsvList::read(text).at(file)?.without_rows(|row| {
            let same = caller.is_none() || same_caller(row.caller.as_deref(), caller, &numbering);
            row.account == account && same
        }),
        (FileKind::Lines(Format::Md5), Some(account), _) if caller.is_none() => without_lines(
            &text,
            Format::Md5,
            |gives| matches!(gives, Gives::Account(found, _) if *found == account.as_bytes()),
        )
        .at(file)?,
        (FileKind::Lines(Format::Plain), None, Some(pin)) => without_lines(
            &text,
            Format::Plain,
            |gives| matches!(gives, Gives::Pin(keys) if pin.is(keys)),
        )
        .at(file)?,
        (FileKind::Lines(Format::Plain), Some(_), _) if text.trim_ascii().is_empty() => (text, 0),
        (FileKind::Lines(Format::Plain), Some(_), _) => {
            return Err(CommandError::at(
                file,
                "--account: a plain file has no accounts",
            ));
        }
        (FileKind::Lines(Format::Md5), Some(_), _) => {
            return Err(CommandError::at(
                file,
                "--caller: an MD5 file has no caller numbers",
            ));
        }
        _ => return Err(CommandError::at(file, "--account: required for this file")),
    };
    if gone > 0 {
        old.replace(&new).at(file)?;
    }
    let rows = if gone == 1 { "row" } else { "rows" };
    let mut out = io::stdout().lock();
    writeln!(out, "{}: {gone} {rows} removed", file.display()).map_err(CommandError::Output)?;
    Ok(if gone == 0 { NONE_FOUND } else { 0 })
}

/// Returns a list without the lines for which `goes` returns `true`, and the number of
/// removed lines.
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
