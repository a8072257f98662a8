//! Removing of rows from a PIN file.

use std::collections::BTreeSet;
use std::io;

use pinset::list::{read, FileKind, Format, Gives};
use pinset::{Numbering, Pin};
use thiserror::Error;
use zeroize::Zeroizing;

use crate::common::csv_list::{kind, same_caller, CsvList, CsvListError};

/// The rows to remove.
pub(crate) enum RemovedRows<'a> {
    /// Rows of an account, and only those of a caller number if there is one; of CSV and
    /// MD5 files.
    Account {
        account: &'a str,
        caller: Option<&'a str>,
    },
    /// Rows with a PIN, of plain files.
    Pin(&'a Pin),
}

/// The reason why no row can be removed.
#[derive(Debug, Error)]
pub(crate) enum RemoveError {
    #[error("a plain file has no accounts")]
    NoAccounts,
    #[error("an MD5 file has no caller numbers")]
    NoCallers,
    #[error("required for this file")]
    MissingAccount,
    #[error(transparent)]
    Csv(#[from] CsvListError),
    #[error(transparent)]
    Unreadable(#[from] io::Error),
}

impl RemovedRows<'_> {
    /// Returns the file without these rows, and how many it had.
    pub(crate) fn remove(
        &self,
        text: Zeroizing<Vec<u8>>,
        numbering: &Numbering,
    ) -> Result<(Zeroizing<Vec<u8>>, usize), RemoveError> {
        let kind = kind(&text).unwrap_or(FileKind::Lines(Format::Plain));
        match (kind, self) {
            (FileKind::Csv, Self::Account { account, caller }) => Ok(CsvList::read(text)?
                .without_rows(|row| {
                    let same =
                        caller.is_none() || same_caller(row.caller.as_deref(), *caller, numbering);
                    row.account == *account && same
                })),
            (
                FileKind::Lines(Format::Md5),
                Self::Account {
                    account,
                    caller: None,
                },
            ) => Ok(without_lines(
                &text,
                Format::Md5,
                |gives| matches!(gives, Gives::Account(found, _) if *found == account.as_bytes()),
            )?),
            (FileKind::Lines(Format::Plain), Self::Pin(pin)) => Ok(without_lines(
                &text,
                Format::Plain,
                |gives| matches!(gives, Gives::Pin(keys) if pin.is(keys)),
            )?),
            (FileKind::Lines(Format::Plain), _) if text.trim_ascii().is_empty() => Ok((text, 0)),
            (FileKind::Lines(Format::Plain), _) => Err(RemoveError::NoAccounts),
            (FileKind::Lines(Format::Md5), Self::Account { .. }) => Err(RemoveError::NoCallers),
            (_, Self::Pin(_)) => Err(RemoveError::MissingAccount),
        }
    }
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
