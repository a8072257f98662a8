//! Index of a large CSV file in SQLite: which of its rows a page shows, without secrets.
//!
//! The rows of a page are read from the file, by their places. The index has the texts
//! that are searched, the states, and the orders, each as blobs of many rows: a search of
//! a million rows as a table takes SQLite a quarter of a second.

mod build;
mod lookup;
mod search;
mod version;

use std::fs::File;
use std::path::Path;

use pinset::Numbering;

use rusqlite::{params, Connection, OptionalExtension};
use thiserror::Error;

pub(in crate::console) use version::FileVersion;

use crate::common::csv_list::CsvListError;
use crate::common::database::open_read_only;

/// Number of rows in a blob.
const CHUNK_ROWS: usize = 4096;

/// An index has one row in `file`, which is written last.
const TABLES: &str = "
CREATE TABLE file (
    version TEXT NOT NULL,
    -- The bytes of the header.
    header INTEGER NOT NULL,
    header_end INTEGER NOT NULL,
    row_count INTEGER NOT NULL,
    account_count INTEGER NOT NULL
);
-- The number of rows with a form of secrets.
CREATE TABLE form (
    word TEXT NOT NULL PRIMARY KEY,
    row_count INTEGER NOT NULL
);
CREATE TABLE part (
    kind TEXT NOT NULL,
    chunk INTEGER NOT NULL,
    data BLOB NOT NULL,
    PRIMARY KEY (kind, chunk)
);";

/// What a part has of each row.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
enum PartKind {
    /// Offset and line, and those of the row after the part.
    Places,
    /// Account, name and caller number, in lower case.
    Texts,
    /// The digits of the caller number.
    Digits,
    /// The caller number as numbers are compared.
    Numbers,
    /// Form of the secret, state and times.
    States,
    /// The rows in the order of a column.
    Order(super::SortColumn),
}

impl PartKind {
    fn word(self) -> &'static str {
        match self {
            Self::Places => "places",
            Self::Texts => "texts",
            Self::Digits => "digits",
            Self::Numbers => "numbers",
            Self::States => "states",
            Self::Order(column) => column.word(),
        }
    }
}

/// The bytes before each value of a row, and after its last one. UTF-8 has neither.
const VALUE: u8 = 0xff;
const ROW_END: u8 = 0xfe;

/// The reason why there is no index, or why it can't be used.
#[derive(Debug, Error)]
pub(in crate::console) enum IndexError {
    #[error(transparent)]
    List(#[from] CsvListError),
    #[error("its index: {0}")]
    Database(#[from] rusqlite::Error),
    #[error("its index: {0}")]
    Io(#[from] std::io::Error),
    /// The file, or the index, is another one meanwhile.
    #[error("it has changed meanwhile")]
    Changed,
}

/// The index of a file, and the file.
pub(in crate::console) struct RowIndex {
    database: Connection,
    file: File,
    version: FileVersion,
    numbering: Numbering,
    header: (u64, u64),
    rows: usize,
    accounts: usize,
}

impl RowIndex {
    /// Opens the index of this version of a file. Returns `None` if there is none.
    pub(in crate::console) fn open(
        path: &Path,
        file: File,
        version: &FileVersion,
        numbering: &Numbering,
    ) -> Option<Self> {
        let database = open_read_only(path).ok()?;
        let select = "SELECT header, header_end, row_count, account_count FROM file \
                      WHERE version = ?";
        let found = database
            .query_row(select, [version.as_str()], |row| {
                Ok((
                    (row.get(0)?, row.get(1)?),
                    row.get::<_, i64>(2)?,
                    row.get::<_, i64>(3)?,
                ))
            })
            .ok()?;
        let (header, rows, accounts) = found;
        Some(Self {
            database,
            file,
            version: version.clone(),
            numbering: numbering.clone(),
            header,
            rows: usize::try_from(rows).ok()?,
            accounts: usize::try_from(accounts).ok()?,
        })
    }

    /// Returns the number of rows.
    pub(in crate::console) fn rows(&self) -> usize {
        self.rows
    }

    /// Returns the number of accounts.
    pub(in crate::console) fn accounts(&self) -> usize {
        self.accounts
    }

    /// Returns the number of rows with secrets of a form.
    pub(in crate::console) fn rows_of_form(&self, word: &str) -> Result<usize, IndexError> {
        let select = "SELECT row_count FROM form WHERE word = ?";
        let count = self
            .database
            .query_row(select, [word], |row| row.get::<_, i64>(0))
            .optional()?;
        Ok(usize::try_from(count.unwrap_or_default()).unwrap_or_default())
    }

    /// Calls `part` with each part of a kind.
    fn each(&self, kind: PartKind, mut part: impl FnMut(&[u8])) -> Result<(), IndexError> {
        let select = "SELECT data FROM part WHERE kind = ? ORDER BY chunk";
        let mut select = self.database.prepare_cached(select)?;
        let mut parts = select.query([kind.word()])?;
        while let Some(row) = parts.next()? {
            part(row.get_ref(0)?.as_blob().map_err(rusqlite::Error::from)?);
        }
        Ok(())
    }

    /// Returns the part of a kind that has a row.
    fn part(&self, kind: PartKind, row: usize) -> Result<Vec<u8>, IndexError> {
        let select = "SELECT data FROM part WHERE kind = ? AND chunk = ?";
        let mut select = self.database.prepare_cached(select)?;
        let chunk = row / CHUNK_ROWS;
        Ok(select.query_row(params![kind.word(), chunk as i64], |row| row.get(0))?)
    }
}

/// Returns `N` bytes at this position of a part.
fn bytes_at<const N: usize>(part: &[u8], at: usize) -> Result<[u8; N], IndexError> {
    let bytes = part.get(at..).and_then(<[u8]>::first_chunk);
    bytes.copied().ok_or(IndexError::Changed)
}

#[cfg(test)]
mod tests;
