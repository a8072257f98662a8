//! The pages on which a row is added or changed, and the answers to them.

use std::sync::Arc;
use std::time::Instant;

use axum::extract::{Query, State};
use axum::http::StatusCode;
use axum::response::Response;
use axum::Extension;
use maud::{html, Markup};
use pinset::list::FileKind;
use pinset::timestamp::since_epoch;
use serde::Deserialize;
use zeroize::Zeroizing;

use super::super::edit_error::{failed, unreadable};
use super::super::{error, layout};
use super::conflict;
use super::fields::{PinChoice, RowFields, STORED};
use super::form::{form, FormError};
use super::query::url;
use super::save::{self, SaveError};
use super::saved;
use super::saving::{self, RowResult, RowSave};
use crate::common::csv_list::{self, CsvList};
use crate::common::secret_maker::SecretForm;
use crate::console::access::CurrentUser;
use crate::console::app::App;
use crate::console::contents::{self, FileContents};
use crate::console::edits;
use crate::console::form::Fields;
use crate::console::lists;
use crate::console::once::OnceError;
use crate::console::rows::{self, RowIndex};
use crate::pin_files::tags::RowTag;

/// A row of a file, or none to add one.
#[derive(Clone, Deserialize)]
pub(in crate::console) struct FormQuery {
    name: String,
    #[serde(default)]
    row: String,
    /// The line in which the row was.
    #[serde(default)]
    line: u64,
    #[serde(default)]
    pin: PinChoice,
}

/// The reason why there is no form.
enum NoForm {
    NotCsv,
    Gone,
}

/// Answers with the form of a new row.
pub(in crate::console) async fn add_page(
    State(app): State<Arc<App>>,
    Extension(user): Extension<CurrentUser>,
    Query(query): Query<FormQuery>,
) -> Response {
    let name = query.name;
    let own_name = name.clone();
    let read = contents::read(&app, &name, move |app, _, contents, _| {
        let stored = match contents {
            FileContents::Index(index) => {
                default_form(app, |form| index.rows_of_form(form).unwrap_or_default())
            }
            // Which form most rows have is not known yet.
            FileContents::BeingRead => default_form(app, |_| 0),
            FileContents::Failed(_) => return Err(NoForm::NotCsv),
            FileContents::Text(text) => match csv_list::kind(&text) {
                None => default_form(app, |_| 0),
                Some(FileKind::Csv) => {
                    let list = CsvList::read(text).map_err(|_| NoForm::NotCsv)?;
                    most_used_form(app, &list)
                }
                Some(FileKind::Lines(_)) => return Err(NoForm::NotCsv),
            },
        };
        Ok(RowFields::new(&own_name, app.once.number(), stored))
    });
    match read.await {
        Ok(Ok(fields)) => page(StatusCode::OK, &app, &user, &fields, None),
        Ok(Err(why)) => no_form(&name, &why),
        Err(why) => unreadable(&name, &why),
    }
}

/// Answers with the form of a row of the file.
pub(in crate::console) async fn change_page(
    State(app): State<Arc<App>>,
    Extension(user): Extension<CurrentUser>,
    Query(query): Query<FormQuery>,
) -> Response {
    let name = query.name.clone();
    let of_contents = query.clone();
    let found = contents::read(&app, &name, move |app, _, contents, _| match contents {
        FileContents::Text(text) => Some(row_fields(app, &of_contents, text)),
        FileContents::Index(index) => indexed_fields(app, &of_contents, &index).map(Ok),
        FileContents::BeingRead | FileContents::Failed(_) => None,
    });
    let read = match found.await {
        // It is elsewhere in the file, or there is no index.
        Ok(None) => {
            edits::read(&app, &name, move |app, _, text| {
                Some(row_fields(app, &query, text))
            })
            .await
        }
        found => found,
    };
    match read.map(|found| found.unwrap_or(Err(NoForm::Gone))) {
        Ok(Ok(fields)) => page(StatusCode::OK, &app, &user, &fields, None),
        Ok(Err(why)) => no_form(&name, &why),
        Err(why) => unreadable(&name, &why),
    }
}

fn row_fields(app: &App, query: &FormQuery, text: Zeroizing<Vec<u8>>) -> Result<RowFields, NoForm> {
    if csv_list::kind(&text) != Some(FileKind::Csv) {
        return Err(NoForm::NotCsv);
    }
    let list = CsvList::read(text).map_err(|_| NoForm::NotCsv)?;
    let tag = RowTag::parse(&query.row).ok_or(NoForm::Gone)?;
    let row = app.edits.tags.find(&list, tag, query.line);
    let row = row.ok_or(NoForm::Gone)?;
    let line = list.rows().get(row).map_or(0, |row| row.line);
    let stored = most_used_form(app, &list);
    Ok(fields_of(app, query, (&list, row), (tag, line), stored))
}

/// Returns the fields of a row that is still in its line.
fn indexed_fields(app: &App, query: &FormQuery, index: &RowIndex) -> Option<RowFields> {
    let tag = RowTag::parse(&query.row)?;
    let list = index.row_in_line(query.line).ok()??;
    // There is no other row.
    let row = app.edits.tags.find(&list, tag, 0)?;
    let stored = default_form(app, |form| index.rows_of_form(form).unwrap_or_default());
    Some(fields_of(
        app,
        query,
        (&list, row),
        (tag, query.line),
        stored,
    ))
}

fn fields_of(
    app: &App,
    query: &FormQuery,
    row: (&CsvList, usize),
    (tag, line): (RowTag, u64),
    stored: &str,
) -> RowFields {
    let once = app.once.number();
    let tag = (tag.to_string(), line);
    let mut fields = RowFields::of(&query.name, once, stored, row, tag);
    fields.pin_choice = query.pin;
    fields
}

/// Returns the form of a new secret in a file.
fn most_used_form(app: &App, list: &CsvList) -> &'static str {
    // An invalid file has no form.
    let rows = rows::all(list, &app.config.numbering).unwrap_or_default();
    default_form(app, |form| {
        rows.iter().filter(|row| row.form == form).count()
    })
}

/// Returns the form of a new secret: that of most rows of the file that can be made here.
fn default_form(app: &App, count: impl Fn(&str) -> usize) -> &'static str {
    let has_key = app.config.pepper.signing().is_some();
    let choices = STORED
        .into_iter()
        .filter(|(form, ..)| *form != SecretForm::Hmac || has_key);
    // Of equals, the last one is taken.
    let most = choices.rev().max_by_key(|(_, word, _)| count(word));
    most.map_or("", |(_, word, _)| word)
}

fn no_form(name: &str, why: &NoForm) -> Response {
    match why {
        NoForm::NotCsv => error::page(
            StatusCode::UNPROCESSABLE_ENTITY,
            "Rows can only be changed in a valid CSV file.",
            "\"Check the file\" on its page shows what is wrong, and \"Make it a CSV file\" \
             makes one of a plain or MD5 file.",
        ),
        NoForm::Gone => error::page(
            StatusCode::CONFLICT,
            "The row was changed or deleted meanwhile.",
            &format!("Choose it again on the page {}.", url("/pin-file", name)),
        ),
    }
}

/// Returns the page of the form.
fn page(
    status: StatusCode,
    app: &App,
    user: &CurrentUser,
    fields: &RowFields,
    error: Option<&FormError>,
) -> Response {
    let (title, button) = match fields.row.is_empty() {
        true => ("Add a row to", "Add the row"),
        false => ("Change a row of", "Save the change"),
    };
    let title = format!("{title} {}", layout::safe(&fields.name));
    let content = form(app, fields, error, button);
    layout::page(status, &title, Some(user), "", content)
}

/// Adds a row.
pub(in crate::console) async fn add(
    State(app): State<Arc<App>>,
    Extension(user): Extension<CurrentUser>,
    Fields(fields): Fields<RowFields>,
) -> Response {
    send(app, user, fields, save::add).await
}

/// Changes a row.
pub(in crate::console) async fn change(
    State(app): State<Arc<App>>,
    Extension(user): Extension<CurrentUser>,
    Fields(fields): Fields<RowFields>,
) -> Response {
    send(app, user, fields, save::change).await
}

/// An operation on a row.
type Operation =
    fn(&RowFields, Zeroizing<Vec<u8>>, &App) -> Result<edits::NewText<save::SavedRow>, SaveError>;

/// Does what a form says, once, and to its end even if the browser leaves.
async fn send(
    app: Arc<App>,
    user: CurrentUser,
    fields: RowFields,
    operation: Operation,
) -> Response {
    let now = i64::try_from(since_epoch().as_millis()).unwrap_or(i64::MAX);
    if let Err(why) = app.once.take(user.session, &fields.once, now) {
        return not_again(&fields.name, why);
    }
    let listed = lists::stat(&app.config.lists, &fields.name);
    let is_long = listed.is_ok_and(|listed| saving::is_long(listed.bytes));
    let name = fields.name.clone();
    let save = RowSave::new(fields);
    if is_long {
        let begun = app
            .saves
            .put(user.session, &user.name, save, Instant::now());
        let id = match begun {
            Ok(id) => id,
            Err(why) => return saving::not_begun(&why),
        };
        if let Some(save) = app.saves.find(user.session, id, Instant::now()) {
            tokio::spawn(async move {
                let result = edited(&app, &user, Arc::clone(&save), operation).await;
                save.finish(result);
            });
        }
        return saving::redirect(id);
    }
    let done = tokio::spawn(async move {
        let save = Arc::new(save);
        let result = edited(&app, &user, Arc::clone(&save), operation).await;
        answer(&app, &user, &save.fields, result)
    });
    let stopped = |_| {
        error::page(
            StatusCode::INTERNAL_SERVER_ERROR,
            "The change has failed.",
            &format!(
                "Load the page {} to see whether it was made.",
                url("/pin-file", &name)
            ),
        )
    };
    done.await.unwrap_or_else(stopped)
}

async fn edited(
    app: &Arc<App>,
    user: &CurrentUser,
    save: Arc<RowSave>,
    operation: Operation,
) -> RowResult {
    let (for_edit, own_app) = (Arc::clone(&save), Arc::clone(app));
    let edited = edits::edit(app, user, &save.fields.name, move |text| {
        for_edit.next_step();
        let edited = operation(&for_edit.fields, text, &own_app);
        for_edit.next_step();
        edited
    });
    let result = edited.await;
    if result.is_err() {
        app.once.give_back(user.session, &save.fields.once);
    }
    result
}

/// Returns the page with the result of a save.
pub(super) fn answer(
    app: &App,
    user: &CurrentUser,
    fields: &RowFields,
    result: RowResult,
) -> Response {
    match result {
        Ok(row) => saved::page(user, &fields.name, &row),
        Err(why) => failed(&fields.name, why, |why| refused(app, user, fields, why)),
    }
}

fn refused(app: &App, user: &CurrentUser, fields: &RowFields, why: SaveError) -> Response {
    match why {
        SaveError::Gone(current) => conflict::page(app, user, fields, current),
        why => {
            let error = why.in_form();
            page(
                StatusCode::UNPROCESSABLE_ENTITY,
                app,
                user,
                fields,
                Some(&error),
            )
        }
    }
}

/// Returns the page that a form was done before, or is of an earlier run of the console.
pub(in crate::console::pages) fn not_again(name: &str, why: OnceError) -> Response {
    let page = url("/pin-file", name);
    let (what, remedy) = match why {
        OnceError::Used(time) => (
            format!(
                "This was done at {}. The PIN is not kept.",
                layout::clock(time)
            ),
            format!("The file is on the page {page}. If a PIN is lost, make a new one there."),
        ),
        OnceError::Foreign => (
            "The console was restarted since the form was loaded, so nothing was changed."
                .to_owned(),
            format!("Load the form again from the page {page}."),
        ),
    };
    error::page(StatusCode::CONFLICT, &what, &remedy)
}

/// Returns the links to the forms of a row.
pub(in crate::console::pages) fn links(name: &str, tag: &str, line: u64, account: &str) -> Markup {
    let change = super::query::row_url("/pin-file/change", name, tag, line);
    html! {
        a href=(change) aria-label={ "Change " (account) } { "Change" } " "
        a href={ (change) "&pin=make" } aria-label={ "New PIN of " (account) } { "New PIN" }
    }
}
