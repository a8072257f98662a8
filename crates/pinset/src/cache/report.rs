//! Reports about lists for the log.

use std::fmt;
use std::path::{Path, PathBuf};

use crate::credential::table::SignedRows;
use crate::list::index::{Index, MAX_REPORTED_LINES};

/// A message about a list for the administrator. It never holds a PIN.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum Report {
    /// The list admits nobody.
    Unreadable(PathBuf, String),
    /// The list admits nobody: it takes more bytes of memory than the limit.
    TooLarge(PathBuf, u64),
    /// The list admits nobody: it is written to all the time.
    Unsteady(PathBuf),
    /// All users may write to the list.
    WorldWritable(PathBuf),
    /// The MD5 of this account is that of the entry and a line end.
    LineEnd(PathBuf, Vec<u8>),
    /// A line that is no PIN; it is skipped.
    BrokenLine(PathBuf, u64),
    /// There are more of them than are named.
    MoreBrokenLines(PathBuf),
    /// The list admits nobody because of this error.
    Broken(PathBuf, String),
    /// A row has this error; it is skipped.
    BrokenRow(PathBuf, String),
    /// These rows can't be checked, as the pepper file lacks their key.
    Unchecked(PathBuf, SignedRows),
}

impl fmt::Display for Report {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            // The stock application's words.
            Self::Unreadable(path, why) => write!(
                f,
                "Unable to open file '{}' for authentication: {why}",
                path.display()
            ),
            Self::TooLarge(path, limit) => write!(
                f,
                "'{}' admits nobody: it takes more memory than max_list_memory allows, {limit} bytes",
                path.display()
            ),
            Self::Unsteady(path) => write!(
                f,
                "'{}' admits nobody while it is written to without a pause",
                path.display()
            ),
            Self::WorldWritable(path) => write!(
                f,
                "'{}' can be written to by everybody on this machine",
                path.display()
            ),
            Self::LineEnd(path, account) => write!(
                f,
                "'{}' gives '{}' the MD5 of a PIN and a line end, which nobody can enter: \
                 'echo -n' makes one without",
                path.display(),
                account.escape_ascii()
            ),
            Self::BrokenLine(path, line) => write!(
                f,
                "'{}' line {line} gives nobody a PIN and is skipped",
                path.display()
            ),
            Self::Broken(path, why) => write!(f, "'{}' can't be used: {why}", path.display()),
            Self::BrokenRow(path, why) => write!(
                f,
                "'{}' {why}: the row is skipped",
                path.display()
            ),
            Self::Unchecked(path, rows) => write!(f, "'{}': {rows}", path.display()),
            Self::MoreBrokenLines(path) => write!(
                f,
                "'{}' has more lines that give nobody a PIN: 'pinset check' names them all",
                path.display()
            ),
        }
    }
}

/// The reports of an index's broken lines.
pub fn broken_lines(path: &Path, index: &Index) -> Vec<Report> {
    let lines = index.broken().iter().take(MAX_REPORTED_LINES);
    let mut reports: Vec<_> = lines
        .map(|line| Report::BrokenLine(path.to_owned(), *line))
        .collect();
    if index.broken().len() > MAX_REPORTED_LINES {
        reports.push(Report::MoreBrokenLines(path.to_owned()));
    }
    reports
}
