//! Generation of random PINs for new rows of a CSV file.

use std::collections::HashSet;
use std::ops::ControlFlow;

use pinset::credential::pepper::KeyId;
use pinset::credential::secret::{self, VerifyError};
use pinset::credential::table::{Rows, TableError};
use pinset::list::format::csv::Column;
use pinset::list::FileKind;
use pinset::pin::MAX_DIGITS;
use pinset::{Numbering, Pepper, Pin};
use thiserror::Error;
use zeroize::Zeroizing;

use super::field_error::FieldError;
use crate::common::csv::push_row;
use crate::common::csv_list::{kind, load, CsvList, CsvListError, RowValues};
use crate::common::pin_input::pin_from_digits;
use crate::common::reach::is_out_of_reach;
use crate::common::secret_maker::{SecretForm, SecretMaker, SecretMakerError};
use crate::common::weak_pins::weakness;

/// An account that gets a PIN.
pub(crate) struct NewAccount {
    pub account: String,
    /// A name for people, or nothing.
    pub name: String,
}

/// The rows to make.
pub(crate) struct NewPins<'a> {
    /// No account may be there twice.
    pub accounts: &'a [NewAccount],
    /// Number of digits of each PIN.
    pub digits: usize,
    pub maker: &'a SecretMaker,
}

/// New rows.
pub(crate) struct GeneratedPins {
    /// The file with the new rows.
    pub text: Zeroizing<Vec<u8>>,
    /// In the order of the accounts.
    pub pins: Vec<Pin>,
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

impl NewAccount {
    pub(crate) fn without_name(account: String) -> Self {
        Self {
            account,
            name: String::new(),
        }
    }
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
        check_digits(self.digits)?;
        let list = match kind(&text) {
            Some(FileKind::Csv) => CsvList::read(text)?,
            Some(FileKind::Lines(_)) => return Err(GenerateError::NotCsv),
            None => CsvList::new(&[Column::Account, Column::Secret]),
        };
        self.check_accounts(&list)?;
        let numbering = Numbering::default();
        let rows = load(list.text(), FileKind::Csv, &numbering)?;
        let pins = unused_pins(&rows, self.accounts.len(), self.digits, &self.maker.pepper)?;
        let secrets = self.maker.make_all(&pins, progress)?;
        let values = self.values(&secrets);
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
        let is_lost = |new: &&NewAccount| is_out_of_reach(&new.account, None, is_argon2id);
        Ok(GeneratedPins {
            text,
            pins,
            out_of_reach: self.accounts.iter().filter(is_lost).count(),
        })
    }

    /// Returns the rows with these secrets.
    fn values<'v>(&'v self, secrets: &'v [Zeroizing<String>]) -> Vec<RowValues<'v>> {
        let rows = self.accounts.iter().zip(secrets);
        let row = |(new, secret): (&'v NewAccount, &'v Zeroizing<String>)| {
            let mut values = vec![
                (Column::Account, new.account.as_str()),
                (Column::Secret, secret.as_str()),
            ];
            if !new.name.is_empty() {
                values.push((Column::Name, new.name.as_str()));
            }
            values
        };
        rows.map(row).collect()
    }

    /// Checks that no account has a row already.
    fn check_accounts(&self, list: &CsvList) -> Result<(), GenerateError> {
        let rows = list.rows().iter();
        let there: HashSet<&str> = rows.map(|row| row.account.as_str()).collect();
        let mut accounts = self.accounts.iter();
        match accounts.position(|new| there.contains(new.account.as_str())) {
            Some(at) => Err(GenerateError::AccountExists(at + 1)),
            None => Ok(()),
        }
    }
}

fn check_digits(digits: usize) -> Result<(), GenerateError> {
    let is_valid = (1..=MAX_DIGITS).contains(&digits);
    is_valid.then_some(()).ok_or(GenerateError::InvalidDigits)
}

/// Returns new PINs. None of them is weak, duplicate or that of one of the rows, except
/// that Argon2id rows can't be compared.
pub(crate) fn unused_pins(
    rows: &Rows,
    count: usize,
    digits: usize,
    pepper: &Pepper,
) -> Result<Vec<Pin>, GenerateError> {
    check_digits(digits)?;
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
        let mut found = rows.by_pin(&pin, pepper);
        if let Some(id) = found.missing().first() {
            return Err(GenerateError::MissingKey(*id));
        }
        let key = secret::Form::Plain.index_key(&pin, pepper)?;
        if found.next().is_none() && seen.insert(key) {
            drop(found);
            pins.push(pin);
        }
    }
    Ok(pins)
}

/// The reason why a file of accounts can't be used: its line, from 1.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Error)]
#[error("line {0}: duplicate account")]
pub(crate) struct DuplicateAccountError(u64);

/// Returns the accounts in a text with one per line. Blank lines are skipped.
pub(crate) fn accounts(text: &str) -> Result<Vec<NewAccount>, DuplicateAccountError> {
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
        accounts.push(NewAccount::without_name(account.to_owned()));
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

/// Returns accounts and PINs in the clear as CSV, with names if they are wanted.
pub(crate) fn clear(accounts: &[NewAccount], pins: &[Pin], with_names: bool) -> Zeroizing<Vec<u8>> {
    let rows = accounts.iter().zip(pins);
    let size =
        |(new, pin): (&NewAccount, &Pin)| 2 * (new.account.len() + new.name.len()) + pin.len() + 9;
    let size: usize = rows.clone().map(size).sum();
    let mut text = Zeroizing::new(Vec::with_capacity(size + 24));
    let mut push = |account: &str, name: &str, pin: &str| {
        let name = with_names.then_some(name);
        let values = [Some(account), name, Some(pin)];
        push_row(&mut text, values.into_iter().flatten(), "\n");
    };
    push("account", "name", "pin");
    for (new, pin) in rows {
        let digits = std::str::from_utf8(pin.as_bytes()).unwrap_or_default();
        push(&new.account, &new.name, digits);
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
