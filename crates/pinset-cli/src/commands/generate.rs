//! `pinset generate`: generation of random PINs.

use std::collections::HashSet;
use std::fs;
use std::io::{self, Write};
use std::path::{Path, PathBuf};

use pinset::credential::pepper::KeyId;
use pinset::credential::secret::{self, VerifyError};
use pinset::credential::table::Rows;
use pinset::list::format::csv::Column;
use pinset::list::FileKind;
use pinset::pin::MAX_DIGITS;
use pinset::{Numbering, Pin};
use thiserror::Error;
use zeroize::Zeroizing;

use crate::common::atomic_file::{create, Access, LockedFile};
use crate::common::csv::push_row;
use crate::common::csv_list::{kind, load, CsvList};
use crate::common::error::{note, At, CommandError};
use crate::common::new_row_args::NewRowArgs;
use crate::common::pin_input::pin_from_digits;
use crate::common::reach::{is_out_of_reach, warn_out_of_reach};
use crate::common::secret_args::make_all;
use crate::common::secret_maker::{SecretForm, SecretMaker};
use crate::common::weak_pins::weakness;

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
    new_rows: NewRowArgs,
}

pub(crate) fn run(arguments: &Generate) -> Result<u8, CommandError> {
    let digits = arguments.digits;
    if !(1..=MAX_DIGITS).contains(&digits) {
        return Err(CommandError::new(format!("--digits: 1 to {MAX_DIGITS}")));
    }
    let accounts = accounts(arguments)?;
    let maker = arguments.new_rows.maker(&arguments.new_rows.settings()?)?;
    let into = &arguments.into;
    let old = LockedFile::open(into).at(into)?;
    let text = match &old {
        Some(old) => old.contents().at(into)?,
        None => Zeroizing::default(),
    };
    let sheet = match kind(&text) {
        Some(FileKind::Csv) => CsvList::read(text).at(into)?,
        Some(FileKind::Lines(_)) => return Err(CommandError::at(into, "not a CSV file")),
        None => CsvList::new(&[Column::Account, Column::Secret]),
    };
    let there: HashSet<&str> = sheet
        .rows()
        .iter()
        .map(|row| row.account.as_str())
        .collect();
    if let Some(at) = accounts
        .iter()
        .position(|account| there.contains(account.as_str()))
    {
        let number = at + 1;
        return Err(CommandError::at(
            into,
            format!("account {number} has a row already"),
        ));
    }
    let numbering = Numbering::default();
    let rows = load(sheet.text(), FileKind::Csv, &numbering).at(into)?;
    let pins = pins(accounts.len(), digits, &rows, &maker).at(into)?;
    if maker.form == SecretForm::Argon2id {
        note("Argon2id rows are found by caller or account only; use --hmac-sha256 for identify = pin");
        let unreachable = |account: &&String| is_out_of_reach(account, None, true);
        warn_out_of_reach(accounts.iter().filter(unreachable).count());
    }
    let secrets = make_all(&maker, &pins).map_err(CommandError::new)?;
    let values: Vec<_> = accounts
        .iter()
        .zip(&secrets)
        .map(|(account, secret)| {
            vec![
                (Column::Account, account.as_str()),
                (Column::Secret, secret.as_str()),
            ]
        })
        .collect();
    // The new rows alone: of a list with many invalid rows, not all are reported.
    let alone = CsvList::new(&[Column::Account, Column::Secret]).with_rows(&values);
    let alone = load(&alone, FileKind::Csv, &numbering).map_err(CommandError::new)?;
    if let Some(broken) = alone.broken().first() {
        // One line each, after the header.
        let (number, why) = (broken.line - 1, &broken.error);
        return Err(CommandError::new(format!("account {number}: {why}")));
    }
    let new = sheet.with_rows(&values);
    load(&new, FileKind::Csv, &numbering).at(into)?;
    let clear = clear(&accounts, &pins);
    // The PINs first: rows whose PIN nobody knows would be useless.
    if let Some(path) = &arguments.pins {
        if !create(path, &clear, Access::Owner).at(path)? {
            return Err(CommandError::at(path, "file exists already"));
        }
    }
    let written = match old {
        Some(old) => old.replace(&new).at(into),
        None => match arguments.new_rows.create(into, &new) {
            Ok(true) => Ok(()),
            Ok(false) => Err(CommandError::at(
                into,
                "created by another process meanwhile",
            )),
            Err(failure) => Err(failure),
        },
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
fn accounts(arguments: &Generate) -> Result<Vec<String>, CommandError> {
    let Some(path) = &arguments.accounts else {
        return Ok((1..=arguments.count.unwrap_or(0))
            .map(|number| number.to_string())
            .collect());
    };
    let accounts = read_accounts(path)?;
    match arguments.count {
        Some(count) if count != accounts.len() => Err(CommandError::at(
            path,
            format!("--count: the file has {} accounts", accounts.len()),
        )),
        _ => Ok(accounts),
    }
}

fn read_accounts(path: &Path) -> Result<Vec<String>, CommandError> {
    let text = fs::read_to_string(path).at(path)?;
    let text = text.strip_prefix('\u{feff}').unwrap_or(&text);
    let mut seen = HashSet::new();
    let mut accounts = Vec::new();
    for (line, number) in text.lines().zip(1..) {
        let account = line.trim();
        if account.is_empty() {
            continue;
        }
        if !seen.insert(account) {
            return Err(CommandError::at(
                path,
                format!("line {number}: duplicate account"),
            ));
        }
        accounts.push(account.to_owned());
    }
    Ok(accounts)
}

/// The reason why PINs can't be generated.
#[derive(Debug, Error)]
enum GenerateError {
    #[error("too few PINs of {digits} digits")]
    TooFewPins { digits: usize },
    #[error("rows with secrets of key {0} can't be compared without it (--pepper)")]
    MissingKey(KeyId),
    #[error(transparent)]
    Index(#[from] VerifyError),
    #[error("{0}")]
    Random(getrandom::Error),
}

/// Returns `count` PINs, none of them weak, duplicate or in the list.
fn pins(
    count: usize,
    digits: usize,
    rows: &Rows,
    maker: &SecretMaker,
) -> Result<Vec<Pin>, GenerateError> {
    let there = usize::try_from(rows.len()).unwrap_or(usize::MAX);
    let all = u32::try_from(digits)
        .ok()
        .and_then(|digits| 10_usize.checked_pow(digits));
    if all.is_some_and(|all| count.saturating_add(there) > all / 2) {
        return Err(GenerateError::TooFewPins { digits });
    }
    let mut seen = HashSet::with_capacity(count);
    let mut pins = Vec::with_capacity(count);
    while pins.len() < count {
        let pin = random(digits)?;
        if weakness(pin.as_bytes()).is_some() {
            continue;
        }
        let mut found = rows.by_pin(&pin, &maker.pepper);
        if let Some(id) = found.missing().first() {
            return Err(GenerateError::MissingKey(*id));
        }
        let key = secret::Form::Plain.index_key(&pin, &maker.pepper)?;
        if found.next().is_none() && seen.insert(key) {
            drop(found);
            pins.push(pin);
        }
    }
    Ok(pins)
}

/// Returns a random PIN. All ten digits are equally likely, by the random source of the
/// operating system.
fn random(digits: usize) -> Result<Pin, GenerateError> {
    /// Bytes from this one on are dropped, so that the rest is divisible by ten.
    const TOO_HIGH: u8 = 250;
    let mut keys = Zeroizing::new(Vec::with_capacity(MAX_DIGITS));
    let mut bytes = Zeroizing::new([0; 16]);
    while keys.len() < digits {
        getrandom::fill(&mut *bytes).map_err(GenerateError::Random)?;
        let fair = bytes.iter().filter(|byte| **byte < TOO_HIGH);
        let left = digits - keys.len();
        keys.extend(fair.take(left).map(|byte| b'0' + byte % 10));
    }
    Ok(pin_from_digits(&keys))
}

/// Returns accounts and PINs as CSV.
fn clear(accounts: &[String], pins: &[Pin]) -> Zeroizing<Vec<u8>> {
    let rows = accounts.iter().zip(pins);
    let size: usize = rows
        .map(|(account, pin)| 2 * account.len() + pin.len() + 6)
        .sum();
    let mut text = Zeroizing::new(Vec::with_capacity(size + 16));
    push_row(&mut text, ["account", "pin"], "\n");
    for (account, pin) in accounts.iter().zip(pins) {
        let keys = std::str::from_utf8(pin.as_bytes()).unwrap_or_default();
        push_row(&mut text, [account, keys], "\n");
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn all_digits_are_equally_likely() {
        let mut counts = [0_u32; 10];
        for _ in 0..1600 {
            let pin = random(250).expect("a PIN");
            assert_eq!(pin.len(), 250);
            for key in pin.as_bytes() {
                counts[usize::from(key - b'0')] += 1;
            }
        }
        // Six standard deviations each. Without the rejection, or with too
        // little of it, the first five would be over 203,000.
        for count in counts {
            assert!((38_860..41_140).contains(&count), "{counts:?}");
        }
        let first: u32 = counts[..5].iter().sum();
        assert!((198_100..201_900).contains(&first), "{counts:?}");
    }
}
