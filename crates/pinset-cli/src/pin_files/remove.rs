//! Removing of rows from a PIN file.

use std::collections::BTreeSet;
use std::io;

use pinset::credential::table::TableError;
use pinset::list::{read, FileKind, Format, Gives};
use pinset::{Numbering, Pepper, Pin};
use thiserror::Error;
use zeroize::Zeroizing;

use crate::common::csv_list::{kind, load, same_caller, CsvList, CsvListError};

/// The rows to remove.
pub(crate) enum RemovedRows<'a> {
    /// Rows of an account, and only those of a caller number if there is one; of CSV and
    /// MD5 files.
    Account {
        account: &'a str,
        caller: Option<&'a str>,
    },
    /// Rows with a PIN, of plain and MD5 files.
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
    Table(#[from] TableError),
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
            ) => {
                let mut gone = BTreeSet::new();
                read(text.as_slice(), Format::Md5, true, |line| {
                    if matches!(line.gives, Gives::Account(found, _) if found == account.as_bytes())
                    {
                        gone.insert(line.number);
                    }
                    None::<()>
                })?;
                Ok(without_lines(&text, &gone))
            }
            (FileKind::Lines(format), Self::Pin(pin)) => {
                let rows = load(&text, FileKind::Lines(format), numbering)?;
                let found = rows.by_pin(pin, &Pepper::default());
                let gone = found.map(|row| row.line).collect();
                Ok(without_lines(&text, &gone))
            }
            (FileKind::Lines(Format::Plain), _) if text.trim_ascii().is_empty() => Ok((text, 0)),
            (FileKind::Lines(Format::Plain), _) => Err(RemoveError::NoAccounts),
            (FileKind::Lines(Format::Md5), Self::Account { .. }) => Err(RemoveError::NoCallers),
            (FileKind::Csv, Self::Pin(_)) => Err(RemoveError::MissingAccount),
        }
    }
}

/// Returns a list without these lines, and the number of removed lines.
pub(super) fn without_lines(text: &[u8], gone: &BTreeSet<u64>) -> (Zeroizing<Vec<u8>>, usize) {
    let mut left = Zeroizing::new(Vec::with_capacity(text.len()));
    for (line, number) in text.split_inclusive(|byte| *byte == b'\n').zip(1..) {
        if !gone.contains(&number) {
            left.extend_from_slice(line);
        }
    }
    (left, gone.len())
}
