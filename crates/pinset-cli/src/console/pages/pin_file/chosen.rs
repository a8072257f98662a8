//! Changes of chosen rows: all of them, or none.

use std::collections::{HashMap, HashSet};
use std::sync::Arc;

use axum::extract::State;
use axum::http::StatusCode;
use axum::response::{IntoResponse, Redirect, Response};
use axum::Extension;
use maud::{html, Markup};
use pinset::list::format::csv::Column;
use thiserror::Error;
use zeroize::Zeroizing;

use super::super::{confirm, edit_error, error};
use super::describe::described;
use super::query::url;
use crate::common::csv_list::CsvList;
use crate::console::access::CurrentUser;
use crate::console::app::App;
use crate::console::edits::{self, NewText};
use crate::console::form::Fields;
use crate::console::trail::Change;
use crate::pin_files::change::{change_rows, csv_list, ChangeError};
use crate::pin_files::tags::{RowTag, TagKey};

/// Most rows that can be deleted at once without the password.
pub(super) const MAX_UNCONFIRMED_DELETES: usize = 10;

/// What is done with the chosen rows.
#[derive(Clone, PartialEq, Eq, Debug)]
enum Action {
    Delete,
    /// A value of one column for all rows.
    Set(Column, String),
}

impl Action {
    /// Returns its name in the trail.
    fn name(&self) -> &'static str {
        match self {
            Self::Delete => "delete rows",
            Self::Set(Column::Enabled, value) if value.is_empty() => "enable rows",
            Self::Set(Column::Enabled, _) => "disable rows",
            Self::Set(..) => "set valid until",
        }
    }
}

/// The form as it was sent.
struct Chosen {
    name: String,
    action: Action,
    /// With repetitions, if rows have the same values.
    tags: Vec<RowTag>,
}

/// The reason why no chosen row is changed.
#[derive(Debug, Error)]
enum ChosenError {
    /// Some rows are no longer there, or have other values.
    #[error("{0} of the chosen rows were changed or deleted meanwhile")]
    Gone(usize),
    #[error("account {account}: {error}")]
    Change { account: String, error: ChangeError },
    #[error(transparent)]
    List(#[from] ChangeError),
}

/// Returns the form around the table.
pub(super) fn form(name: &str, table: &Markup) -> Markup {
    html! {
        form method="post" action="/pin-file/rows" {
            input type="hidden" name="name" value=(name);
            (table)
            fieldset {
                legend { "With the chosen rows" }
                label { "Valid until" input name="valid_until" placeholder="2026-12-31"; }
                button type="submit" name="action" value="disable" { "Disable" }
                button type="submit" name="action" value="enable" { "Enable" }
                button type="submit" name="action" value="valid_until" { "Set valid until" }
                button type="submit" name="action" value="delete" { "Delete" }
            }
        }
    }
}

/// Changes the chosen rows.
pub(in crate::console) async fn change(
    State(app): State<Arc<App>>,
    Extension(user): Extension<CurrentUser>,
    Fields(fields): Fields<Vec<(String, String)>>,
) -> Response {
    let chosen = match Chosen::read(&fields) {
        Ok(chosen) => chosen,
        Err((what, remedy)) => return error::page(StatusCode::UNPROCESSABLE_ENTITY, what, remedy),
    };
    let name = chosen.name.clone();
    let page = url("/pin-file", &name);
    let is_large = chosen.tags.len() > MAX_UNCONFIRMED_DELETES;
    if chosen.action == Action::Delete && is_large && !user.is_confirmed() {
        return confirm::needed(&user, &page);
    }
    let for_edit = Arc::clone(&app);
    let edited = edits::edit(&app, &user, &name, move |text| chosen.edit(text, &for_edit));
    match edited.await {
        Ok(()) => Redirect::to(&page).into_response(),
        Err(why) => edit_error::failed(&name, why, |why| {
            let status = match &why {
                ChosenError::Gone(_) => StatusCode::CONFLICT,
                _ => StatusCode::UNPROCESSABLE_ENTITY,
            };
            let what = format!("{why}. Nothing was changed.");
            error::page(
                status,
                &what,
                "Load the page of the file again, and choose the rows there.",
            )
        }),
    }
}

impl Chosen {
    fn read(fields: &[(String, String)]) -> Result<Self, (&'static str, &'static str)> {
        let one = |wanted| {
            let mut all = fields.iter();
            all.find_map(|(name, value)| (name == wanted).then_some(value.as_str()))
                .unwrap_or_default()
        };
        let rows = fields.iter().filter(|(name, _)| name == "row");
        let tags: Option<Vec<_>> = rows.map(|(_, value)| RowTag::parse(value)).collect();
        let again = "Use the buttons on the page of the file.";
        let action = match one("action") {
            "delete" => Action::Delete,
            "disable" => Action::Set(Column::Enabled, "no".to_owned()),
            "enable" => Action::Set(Column::Enabled, String::new()),
            "valid_until" => {
                let until = one("valid_until").trim().to_owned();
                Action::Set(Column::ValidUntil, until)
            }
            _ => return Err(("The form names no change.", again)),
        };
        match tags {
            None => Err(("The form names no rows of the file.", again)),
            Some(tags) if tags.is_empty() => Err((
                "No row is chosen, so nothing was changed.",
                "Go back, and choose rows in the first column.",
            )),
            Some(tags) => Ok(Self {
                name: one("name").to_owned(),
                action,
                tags,
            }),
        }
    }

    fn edit(&self, text: Zeroizing<Vec<u8>>, app: &App) -> Result<NewText<()>, ChosenError> {
        let list = csv_list(text)?;
        let rows = self.positions(&list, &app.edits.tags)?;
        let account = |row: &usize| list.value(*row, Column::Account).unwrap_or_default();
        let accounts: Vec<_> = rows.iter().map(account).collect();
        let before: Vec<_> = rows.iter().map(|row| described(&list, *row)).collect();
        let change = Change {
            account: accounts.join(", "),
            before: before.join("; "),
            ..Change::of(self.action.name())
        };
        let (text, after) = match &self.action {
            Action::Delete => (without(&list, &rows), String::new()),
            Action::Set(column, value) => {
                let values = vec![(*column, value.as_str())];
                let changed = change_rows(&list, &rows, &values, &app.config.numbering);
                let text = changed.map_err(|(row, error)| match row {
                    Some(row) => ChosenError::Change {
                        account: account(&row).into_owned(),
                        error,
                    },
                    None => ChosenError::List(error),
                })?;
                (text, format!("{}={value}", column.name()))
            }
        };
        Ok(NewText {
            text,
            change: Change { after, ..change },
            result: (),
        })
    }

    /// Returns the positions of the chosen rows, in order.
    fn positions(&self, list: &CsvList, key: &TagKey) -> Result<Vec<usize>, ChosenError> {
        let mut wanted: HashMap<RowTag, usize> = HashMap::new();
        for tag in &self.tags {
            *wanted.entry(*tag).or_default() += 1;
        }
        let is_chosen = |row: &usize| match wanted.get_mut(&key.row(list, *row)) {
            Some(count) if *count > 0 => {
                *count -= 1;
                true
            }
            _ => false,
        };
        let rows: Vec<usize> = (0..list.rows().len()).filter(is_chosen).collect();
        match self.tags.len() - rows.len() {
            0 => Ok(rows),
            gone => Err(ChosenError::Gone(gone)),
        }
    }
}

fn without(list: &CsvList, rows: &[usize]) -> Zeroizing<Vec<u8>> {
    let rows: HashSet<usize> = rows.iter().copied().collect();
    let mut positions = 0..;
    let is_chosen = |_: &_| positions.next().is_some_and(|row| rows.contains(&row));
    list.without_rows(is_chosen).0
}
