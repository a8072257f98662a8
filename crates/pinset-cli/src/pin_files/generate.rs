//! Generation of random PINs for new rows of a CSV file.

use std::collections::HashSet;
use std::ops::ControlFlow;

use pinset::credential::pepper::KeyId;
use pinset::credential::secret::{self, VerifyError};
use pinset::credential::table::{Rows, TableError};
use pinset::list::format::csv::Column;
use pinset::list::FileKind;
use pinset::pin::MAX_DIGITS;
use pinset::{Numbering, Pin};
use thiserror::Error;
use zeroize::Zeroizing;

use super::field_error::FieldError;
use crate::common::csv::push_row;
use crate::common::csv_list::{kind, load, CsvList, CsvListError};
use crate::common::pin_input::pin_from_digits;
use crate::common::reach::is_out_of_reach;
use crate::common::secret_maker::{SecretForm, SecretMaker, SecretMakerError};
use crate::common::weak_pins::weakness;

/// The rows to make.
pub(crate) struct NewPins<'a> {
    /// No account may be there twice.
    pub accounts: &'a [String],
    /// Number of digits of each PIN.
    pub digits: usize,
    pub maker: &'a SecretMaker,
}

/// New rows.
pub(crate) struct GeneratedPins {
    /// The file with the new rows.
    pub text: Zeroizing<Vec<u8>>,
    /// Accounts and PINs in the clear, as CSV.
    pub clear: Zeroizing<Vec<u8>>,
    /// Number of new rows that admit nobody, because of their accounts.
    pub out_of_reach: usize,
}

/// The reason why PINs can't be generated. Accounts are counted from 1.
#[derive(Debug, Error)]
pub(crate) enum GenerateError {
    #[error("1 to {MAX_DIGITS}")]
    InvalidDigits,
    #[error("not a CSV file")]
    NotCsv,
    #[error("account {0} has a row already")]
    AccountExists(usize),
    #[error("account {0}: {error}", error = .1.error)]
    InvalidAccount(u64, FieldError),
    #[error("too few PINs of {0} digits")]
    TooFewPins(usize),
    #[error("rows with secrets of key {0} can't be compared without it (--pepper)")]
    MissingKey(KeyId),
    #[error(transparent)]
    Index(#[from] VerifyError),
    #[error("{0}")]
    Random(getrandom::Error),
    #[error(transparent)]
    Secret(#[from] SecretMakerError),
    #[error(transparent)]
    Csv(#[from] CsvListError),
    #[error(transparent)]
    Table(#[from] TableError),
}

impl NewPins<'_> {
    /// Returns a CSV file, which may be empty, with rows for new PINs. None of them is
    /// weak, duplicate or in the file, except that Argon2id rows can't be compared.
    ///
    /// Calls `progress` after each PIN that was hashed, which takes long for Argon2id.
    pub(crate) fn generate(
        &self,
        text: Zeroizing<Vec<u8>>,
        progress: impl FnMut() -> ControlFlow<()>,
    ) -> Result<GeneratedPins, GenerateError> {
        if !(1..=MAX_DIGITS).contains(&self.digits) {
            return Err(GenerateError::InvalidDigits);
        }
        let list = match kind(&text) {
            Some(FileKind::Csv) => CsvList::read(text)?,
            Some(FileKind::Lines(_)) => return Err(GenerateError::NotCsv),
            None => CsvList::new(&[Column::Account, Column::Secret]),
        };
        self.check_accounts(&list)?;
        let numbering = Numbering::default();
        let rows = load(list.text(), FileKind::Csv, &numbering)?;
        let pins = self.pins(&rows)?;
        let secrets = self.maker.make_all(&pins, progress)?;
        let values: Vec<_> = self
            .accounts
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
        let alone = load(&alone, FileKind::Csv, &numbering)?;
        if let Some(error) = alone.broken().first() {
            // One line each, after the header.
            let number = error.line - 1;
            return Err(GenerateError::InvalidAccount(number, FieldError::of(error)));
        }
        let text = list.with_rows(&values);
        load(&text, FileKind::Csv, &numbering)?;
        let is_argon2id = self.maker.form == SecretForm::Argon2id;
        let is_lost = |account: &&String| is_out_of_reach(account, None, is_argon2id);
        Ok(GeneratedPins {
            text,
            clear: clear(self.accounts, &pins),
            out_of_reach: self.accounts.iter().filter(is_lost).count(),
        })
    }

    /// Checks that no account has a row already.
    fn check_accounts(&self, list: &CsvList) -> Result<(), GenerateError> {
        let rows = list.rows().iter();
        let there: HashSet<&str> = rows.map(|row| row.account.as_str()).collect();
        let mut accounts = self.accounts.iter();
        match accounts.position(|account| there.contains(account.as_str())) {
            Some(at) => Err(GenerateError::AccountExists(at + 1)),
            None => Ok(()),
        }
    }

    /// Returns a PIN for each account.
    fn pins(&self, rows: &Rows) -> Result<Vec<Pin>, GenerateError> {
        let Self { digits, maker, .. } = *self;
        let count = self.accounts.len();
        let there = usize::try_from(rows.len()).unwrap_or(usize::MAX);
        let all = u32::try_from(digits)
            .ok()
            .and_then(|digits| 10_usize.checked_pow(digits));
        if all.is_some_and(|all| count.saturating_add(there) > all / 2) {
            return Err(GenerateError::TooFewPins(digits));
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
}

/// The reason why a file of accounts can't be used: its line, from 1.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Error)]
#[error("line {0}: duplicate account")]
pub(crate) struct DuplicateAccountError(u64);

/// Returns the accounts in a text with one per line. Blank lines are skipped.
pub(crate) fn accounts(text: &str) -> Result<Vec<String>, DuplicateAccountError> {
    let text = text.strip_prefix('\u{feff}').unwrap_or(text);
    let mut seen = HashSet::new();
    let mut accounts = Vec::new();
    for (line, number) in text.lines().zip(1..) {
        let account = line.trim();
        if account.is_empty() {
            continue;
        }
        if !seen.insert(account) {
            return Err(DuplicateAccountError(number));
        }
        accounts.push(account.to_owned());
    }
    Ok(accounts)
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
