//! Rows of CSV files, without secrets: what pages show of them, search, filters, order.
//!
//! The rows of small files are selected from all of them, those of large ones by an index.

mod index;
mod select;

use std::time::SystemTime;

use pinset::credential::secret::Form;
use pinset::credential::table::{RowError, RowErrorKind};
use pinset::list::format::csv::{Column, Reader, Row};
use pinset::timestamp::{Moment, Zone};
use pinset::{Numbering, Secret};

use crate::common::csv_list::{CsvList, CsvListError};
pub(super) use index::{FileVersion, IndexError, RowIndex};
pub(super) use select::{select, Anchor, RowFilter, RowSelection, SortColumn, UseCounts};

/// Number of rows on a page.
pub(super) const PAGE_ROWS: usize = 50;

/// A row without its secret.
#[derive(Clone)]
pub(super) struct RowView {
    /// Its position, from 0.
    pub row: usize,
    /// The line in which it begins, from 1.
    pub line: u64,
    pub account: String,
    pub name: String,
    pub caller: String,
    pub level: String,
    pub valid_from: String,
    pub valid_until: String,
    pub max_uses: String,
    /// The form of its secret, or nothing if that is invalid.
    pub form: &'static str,
    pub state: RowState,
    from: Option<Moment>,
    until: Option<Moment>,
}

/// Whether a row admits its caller now.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(super) enum RowState {
    Valid,
    Disabled,
    NotYet,
    Expired,
    /// With the reason, which has no value of the row.
    Invalid(String),
}

impl RowState {
    /// The words for states in URLs, and what pages call them.
    pub(super) const WORDS: [(&'static str, &'static str); 5] = [
        ("valid", "valid"),
        ("disabled", "disabled"),
        ("not-yet", "not yet valid"),
        ("expired", "expired"),
        ("invalid", "invalid"),
    ];

    /// Returns the state of a row that is enabled and valid. Times are seconds since 1970.
    fn in_time(from: i64, until: i64, now: i64) -> Self {
        match () {
            () if now < from => Self::NotYet,
            () if until <= now => Self::Expired,
            () => Self::Valid,
        }
    }

    fn at(&self) -> usize {
        match self {
            Self::Valid => 0,
            Self::Disabled => 1,
            Self::NotYet => 2,
            Self::Expired => 3,
            Self::Invalid(_) => 4,
        }
    }

    /// Returns its word in URLs.
    fn word(&self) -> &'static str {
        Self::WORDS.get(self.at()).map_or("", |(word, _)| word)
    }

    /// Returns its text on pages.
    pub(super) fn text(&self) -> &'static str {
        Self::WORDS.get(self.at()).map_or("", |(_, text)| text)
    }
}

/// The rows of a page.
pub(super) struct RowsPage {
    pub rows: Vec<RowView>,
    /// The number of rows that fit.
    pub found: usize,
    pub has_previous: bool,
    pub has_next: bool,
    /// What the first and the last row are sorted by.
    pub ends: Option<(Anchor, Anchor)>,
}

/// Returns all rows in the order of the file.
pub(super) fn all(list: &CsvList, numbering: &Numbering) -> Result<Vec<RowView>, CsvListError> {
    let mut views = Vec::with_capacity(list.rows().len());
    each(list, numbering, |view| views.push(view))?;
    Ok(views)
}

/// Calls `view` with each row in the order of the file.
fn each(
    list: &CsvList,
    numbering: &Numbering,
    mut view: impl FnMut(RowView),
) -> Result<(), CsvListError> {
    let (zone, now) = (Zone::of_the_machine(), Moment::of(SystemTime::now()));
    let mut reader = Reader::new(list.text(), true, &zone);
    let mut position = 0;
    while let Some(row) = reader.next_row()? {
        view(match row {
            Ok(row) => of_row(&row, list, position, numbering, now),
            Err(error) => {
                let line = error.line;
                let state = RowState::Invalid(text(&error.into()));
                from_list(list, position, line, state)
            }
        });
        position += 1;
    }
    Ok(())
}

fn of_row(
    row: &Row<'_>,
    list: &CsvList,
    position: usize,
    numbering: &Numbering,
    now: Moment,
) -> RowView {
    let invalid = |column, error| {
        let error = RowError {
            line: row.line,
            column: Some(column),
            error,
        };
        RowState::Invalid(text(&error))
    };
    let caller = row.caller.map(|text| numbering.normalize(text.as_bytes()));
    let state = match Secret::parse(row.secret.as_bytes()) {
        Err(error) => invalid(Column::Secret, RowErrorKind::Secret(error)),
        Ok(_) if caller == Some(None) => invalid(Column::Caller, RowErrorKind::InvalidNumber),
        Ok(_) if !row.enabled => RowState::Disabled,
        Ok(_) => {
            let from = row.from.map_or(i64::MIN, Moment::seconds);
            let until = row.until.map_or(i64::MAX, Moment::seconds);
            RowState::in_time(from, until, now.seconds())
        }
    };
    RowView {
        from: row.from,
        until: row.until,
        ..from_list(list, position, row.line, state)
    }
}

/// Returns an error without its line, which the page shows for each row.
fn text(error: &RowError) -> String {
    let column = error.column.map_or("", Column::name);
    format!("{column}: {}", error.error)
}

fn from_list(list: &CsvList, row: usize, line: u64, state: RowState) -> RowView {
    let value = |column| list.value(row, column).unwrap_or_default().into_owned();
    let secret = list.value(row, Column::Secret).unwrap_or_default();
    RowView {
        row,
        line,
        account: value(Column::Account),
        name: value(Column::Name),
        caller: value(Column::Caller),
        level: value(Column::Level),
        valid_from: value(Column::ValidFrom),
        valid_until: value(Column::ValidUntil),
        max_uses: value(Column::MaxUses),
        form: form(&secret),
        state,
        from: None,
        until: None,
    }
}

/// Returns the form of a secret, or nothing if it is invalid.
pub(super) fn form(secret: &str) -> &'static str {
    match Secret::parse(secret.as_bytes()).map(|secret| secret.form()) {
        Ok(Form::Argon2id) => "argon2id",
        Ok(Form::Hmac(_)) => "hmac-sha256",
        Ok(Form::Md5) => "md5",
        Ok(Form::Plain) => "plain",
        Err(_) => "",
    }
}

/// The forms of secrets.
pub(super) const FORMS: [&str; 4] = ["argon2id", "hmac-sha256", "md5", "plain"];
