//! Rows and lockouts of a caller.

use std::sync::Arc;

use pinset::lockout::Kind;
use pinset::Numbering;
use zeroize::Zeroizing;

use crate::common::csv_list::{same_caller, CsvList};
use crate::console::app::App;
use crate::console::contents::{self, FileContents};
use crate::console::lists;
use crate::console::pbx::{Lockout, PbxClient, RequestError};
use crate::console::rows::{self, RowState, RowView};

/// A row of a PIN file.
pub(super) struct FoundRow {
    pub file: String,
    pub row: RowView,
    /// The tag of the row, if the console can change the file.
    pub tag: Option<String>,
}

impl FoundRow {
    /// Returns whether the row admits its caller now.
    pub(super) fn state(&self) -> String {
        match &self.row.state {
            RowState::Invalid(why) => format!("invalid: {why}"),
            state => state.text().to_owned(),
        }
    }
}

/// The numbers and accounts by which lockouts and attempts are found: the searched text,
/// and those of the rows that it leads to.
pub(super) struct Identifiers {
    numbering: Numbering,
    pub numbers: Vec<String>,
    pub accounts: Vec<String>,
}

impl Identifiers {
    pub(super) fn new(wanted: &str, rows: &[FoundRow], numbering: &Numbering) -> Self {
        let with = |values: &mut dyn Iterator<Item = &String>| {
            let mut all = vec![wanted.to_owned()];
            for value in values {
                if !value.is_empty() && !all.contains(value) {
                    all.push(value.clone());
                }
            }
            all
        };
        Self {
            numbering: numbering.clone(),
            numbers: with(&mut rows.iter().map(|found| &found.row.caller)),
            accounts: with(&mut rows.iter().map(|found| &found.row.account)),
        }
    }

    pub(super) fn has_number(&self, text: &str) -> bool {
        let mut numbers = self.numbers.iter();
        numbers.any(|number| is_number(number, text, &self.numbering))
    }

    pub(super) fn has_account(&self, text: &str) -> bool {
        self.accounts.iter().any(|account| account == text)
    }

    fn is_locked_by(&self, lockout: &Lockout) -> bool {
        match lockout.by {
            Kind::Caller => self.has_number(&lockout.value),
            Kind::Account => self.has_account(&lockout.value),
            // All callers of the PIN set.
            Kind::PinSet => false,
        }
    }
}

fn is_number(one: &str, other: &str, numbering: &Numbering) -> bool {
    !other.is_empty() && same_caller(Some(one), Some(other), numbering)
}

/// Returns the rows with this number or account, and what is missing, by file.
pub(super) async fn rows(app: &Arc<App>, wanted: &str) -> (Vec<FoundRow>, Vec<String>) {
    let folder = &app.config.lists;
    let files = match lists::files(folder) {
        Ok(files) => files,
        Err(error) => return (Vec::new(), vec![format!("{}: {error}", folder.display())]),
    };
    let (mut found, mut missing) = (Vec::new(), Vec::new());
    for file in files {
        let wanted = wanted.to_owned();
        let read = contents::read(app, &file.name, move |app, listed, contents, _| {
            let numbering = &app.config.numbering;
            let (list, mut rows, left_out) = match contents {
                // Files of other formats have no accounts.
                FileContents::Text(text) => match all_rows(text, numbering) {
                    Some((list, rows)) => (list, rows, 0),
                    None => return Ok((Vec::new(), 0)),
                },
                FileContents::Index(index) => {
                    index.of_caller(&wanted).map_err(|why| why.to_string())?
                }
                FileContents::BeingRead => {
                    return Err("it is being read; load this page again".to_owned())
                }
                FileContents::Failed(why) => return Err(why),
            };
            rows.retain(|row| row.account == wanted || is_number(&wanted, &row.caller, numbering));
            let tag = |row: &RowView| app.edits.tags.row(&list, row.row).to_string();
            let can_change = listed.denied.is_none();
            let rows = rows.into_iter().map(|row| FoundRow {
                tag: can_change.then(|| tag(&row)),
                file: listed.name.clone(),
                row,
            });
            Ok((rows.collect(), left_out))
        });
        let read = read.await.map_err(|why| why.to_string());
        let why = match read.and_then(|rows: Result<(Vec<_>, usize), String>| rows) {
            Ok((rows, left_out)) => {
                found.extend(rows);
                (left_out > 0).then(|| {
                    format!("up to {left_out} more rows: search on the page of the PIN file")
                })
            }
            Err(why) => Some(why),
        };
        missing.extend(why.map(|why| format!("{}: {why}", file.name)));
    }
    (found, missing)
}

/// Returns a CSV file and all of its rows.
fn all_rows(text: Zeroizing<Vec<u8>>, numbering: &Numbering) -> Option<(CsvList, Vec<RowView>)> {
    let list = CsvList::read(text).ok()?;
    let rows = rows::all(&list, numbering).unwrap_or_default();
    Some((list, rows))
}

/// Returns the lockouts of these numbers and accounts.
pub(super) async fn lockouts(
    client: &PbxClient,
    identifiers: &Identifiers,
) -> Result<Vec<Lockout>, RequestError> {
    client
        .lockouts_that(|lockout| identifiers.is_locked_by(lockout))
        .await
}
