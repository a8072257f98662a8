//! Downloads of a PIN file: its rows without secrets, or the file as it is.

use std::sync::Arc;

use axum::body::Body;
use axum::extract::{Query, State};
use axum::http::header::{CONTENT_DISPOSITION, CONTENT_TYPE};
use axum::http::{HeaderValue, StatusCode};
use axum::response::{IntoResponse, Response};
use axum::Extension;
use bytes::Bytes;
use maud::{html, Markup};
use pinset::list::format::csv::Column;
use pinset::list::FileKind;
use serde::Deserialize;
use zeroize::Zeroizing;

use super::super::edit_error::unreadable;
use super::super::layout::safe;
use super::super::{changes, error};
use super::query::url;
use crate::common::csv::push_row;
use crate::common::csv_list::{kind, CsvList};
use crate::common::sanitize::safe_cell;
use crate::console::access::CurrentUser;
use crate::console::app::App;
use crate::console::edits;
use crate::console::form::Fields;
use crate::console::trail::Change;
use crate::console::users::Role;

/// The name of a file.
#[derive(Deserialize)]
pub(in crate::console) struct Named {
    name: String,
}

/// Returns the ways to download a CSV file.
pub(super) fn links(name: &str, user: &CurrentUser) -> Markup {
    html! {
        p { a href=(url("/pin-file/rows.csv", name)) { "Download without secrets" } }
        @if user.role >= Role::Admin {
            form.inline method="post" action="/pin-file/download" {
                input type="hidden" name="name" value=(name);
                button type="submit" { "Download with secrets" }
            }
        }
    }
}

/// Answers with the rows of a CSV file, without secrets.
pub(in crate::console) async fn without_secrets(
    State(app): State<Arc<App>>,
    Query(query): Query<Named>,
) -> Response {
    let read = edits::read(&app, &query.name, |_, _, text| {
        let is_csv = kind(&text) == Some(FileKind::Csv);
        is_csv.then(|| CsvList::read(text).map(|list| rows(&list)))
    });
    match read.await {
        Ok(Some(Ok(text))) => attachment(text.into(), &query.name),
        Ok(Some(Err(why))) => no_rows(&why.to_string()),
        Ok(None) => no_rows("The file is no CSV file."),
        Err(why) => unreadable(&query.name, &why),
    }
}

fn no_rows(why: &str) -> Response {
    error::page(
        StatusCode::UNPROCESSABLE_ENTITY,
        why,
        "\"Check the file\" on its page shows what is wrong, and \"Make it a CSV file\" makes one of \
         a plain or MD5 file.",
    )
}

/// Returns the values of all rows but the secrets, so that no spreadsheet evaluates them.
fn rows(list: &CsvList) -> Vec<u8> {
    let columns: Vec<Column> = Column::ALL
        .into_iter()
        .filter(|column| *column != Column::Secret && list.has(*column))
        .collect();
    let mut text = Vec::new();
    push_row(
        &mut text,
        columns.iter().map(|column| column.name()),
        "\r\n",
    );
    for row in 0..list.rows().len() {
        let value = |column: &Column| safe(&list.value(row, *column).unwrap_or_default());
        let values: Vec<String> = columns.iter().map(value).collect();
        let cells: Vec<_> = values.iter().map(|value| safe_cell(value)).collect();
        push_row(&mut text, cells.iter().map(AsRef::as_ref), "\r\n");
    }
    text
}

/// Answers with the file as it is.
pub(in crate::console) async fn with_secrets(
    State(app): State<Arc<App>>,
    Extension(user): Extension<CurrentUser>,
    Fields(fields): Fields<Named>,
) -> Response {
    let read = edits::read(&app, &fields.name, |app, _, text| {
        let tag = app.edits.tags.file(&text).to_string();
        (text, tag)
    });
    let (text, tag) = match read.await {
        Ok(read) => read,
        Err(why) => return unreadable(&fields.name, &why),
    };
    let change = Change {
        pin_set: fields.name.clone(),
        tag_before: tag,
        ..Change::of("download with secrets")
    };
    match changes::record(&app, &user, &change) {
        Ok(()) => attachment(wiped(text), &fields.name),
        Err(answer) => *answer,
    }
}

/// Returns a body that is wiped once it is sent.
fn wiped(text: Zeroizing<Vec<u8>>) -> Body {
    Body::from(Bytes::from_owner(text))
}

fn attachment(body: Body, name: &str) -> Response {
    // No quotes, and no characters that headers may not have.
    let is_plain = |letter: char| letter.is_ascii_alphanumeric() || "-._".contains(letter);
    let plain = |letter| if is_plain(letter) { letter } else { '_' };
    let name: String = name.chars().map(plain).collect();
    let disposition = format!("attachment; filename=\"{name}\"");
    let mut response = body.into_response();
    let headers = response.headers_mut();
    let csv = HeaderValue::from_static("text/csv; charset=utf-8");
    headers.insert(CONTENT_TYPE, csv);
    if let Ok(disposition) = HeaderValue::from_str(&disposition) {
        headers.insert(CONTENT_DISPOSITION, disposition);
    }
    response
}
