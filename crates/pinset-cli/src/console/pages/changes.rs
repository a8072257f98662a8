//! The trail of changes, as a page and as CSV.

use std::sync::Arc;

use axum::extract::{Query, State};
use axum::http::header::{CONTENT_DISPOSITION, CONTENT_TYPE};
use axum::http::{HeaderValue, StatusCode};
use axum::response::{IntoResponse, Response};
use axum::Extension;
use maud::{html, Markup};
use pinset::timestamp::since_epoch;
use serde::Deserialize;

use super::layout::{self, safe, time};
use super::login::unrecorded;
use crate::common::csv::push_row;
use crate::common::sanitize::safe_cell;
use crate::console::access::CurrentUser;
use crate::console::app::App;
use crate::console::trail::{Change, StoredChange, COLUMNS, PAGE_ROWS};

/// The rows of a page.
#[derive(Deserialize)]
pub(in crate::console) struct PageQuery {
    /// Rows older than this one.
    before: Option<i64>,
}

const HEADINGS: [&str; 10] = [
    "Time",
    "User",
    "From",
    "What",
    "PIN set",
    "Account",
    "Before",
    "After",
    "File before",
    "File after",
];

/// Records a change, before it is made. Returns the page that nothing was changed if that
/// fails.
pub(super) fn record(app: &App, user: &CurrentUser, change: &Change) -> Result<(), Box<Response>> {
    app.trail
        .record(&user.name, user.client, change, since_epoch())
        .map_err(|error| Box::new(unrecorded(&error.to_string())))
}

/// Answers with a page of the trail, newest first.
pub(in crate::console) async fn page(
    State(app): State<Arc<App>>,
    Extension(user): Extension<CurrentUser>,
    Query(query): Query<PageQuery>,
) -> Response {
    let mut rows = match app.trail.newest(query.before, PAGE_ROWS + 1) {
        Ok(rows) => rows,
        Err(error) => return unrecorded(&error.to_string()),
    };
    let has_older = rows.len() > PAGE_ROWS;
    rows.truncate(PAGE_ROWS);
    let content = html! {
        div.table { (table(&rows)) }
        p {
            @if query.before.is_some() {
                a href="/changes" { "Newest" } " "
            }
            @if let Some(last) = rows.last().filter(|_| has_older) {
                a href={ "/changes?before=" (last.id) } { "Older" } " "
            }
            a href="/changes.csv" { "CSV of all" }
        }
    };
    layout::page(StatusCode::OK, "Changes", Some(&user), "/changes", content)
}

fn table(rows: &[StoredChange]) -> Markup {
    html! {
        table {
            caption { "Log-ins and changes, newest first. They contain no PIN." }
            thead {
                tr {
                    @for heading in HEADINGS {
                        th scope="col" { (heading) }
                    }
                }
            }
            tbody {
                @for row in rows {
                    tr {
                        td { (time(row.time)) }
                        @for field in &row.fields {
                            td { (safe(field)) }
                        }
                    }
                }
                @if rows.is_empty() {
                    tr { td colspan=(HEADINGS.len()) { "Nothing was changed yet." } }
                }
            }
        }
    }
}

/// Answers with the whole trail, newest first.
pub(in crate::console) async fn csv(State(app): State<Arc<App>>) -> Response {
    let rows = match app.trail.newest(None, usize::MAX) {
        Ok(rows) => rows,
        Err(error) => return unrecorded(&error.to_string()),
    };
    let mut text = Vec::new();
    push_row(&mut text, ["time"].into_iter().chain(COLUMNS), "\r\n");
    for row in &rows {
        let cells: Vec<String> = row.fields.iter().map(|field| safe(field)).collect();
        let cells: Vec<_> = cells.iter().map(|cell| safe_cell(cell)).collect();
        let time = time(row.time);
        let cells = cells.iter().map(AsRef::as_ref);
        push_row(&mut text, [time.as_str()].into_iter().chain(cells), "\r\n");
    }
    let mut response = text.into_response();
    let headers = response.headers_mut();
    let csv = HeaderValue::from_static("text/csv; charset=utf-8");
    headers.insert(CONTENT_TYPE, csv);
    let name = HeaderValue::from_static("attachment; filename=\"pinset-changes.csv\"");
    headers.insert(CONTENT_DISPOSITION, name);
    response
}
