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
use super::sorting::{TableColumn, TableOrder};
use crate::common::csv::push_row;
use crate::common::sanitize::safe_cell;
use crate::console::access::CurrentUser;
use crate::console::app::App;
use crate::console::trail::{Change, StoredChange, TrailOrder, TrailPart, COLUMNS, PAGE_ROWS};

/// The rows of a page, and their order.
#[derive(Default, Deserialize)]
#[serde(default)]
pub(in crate::console) struct PageQuery {
    sort: String,
    /// Rows after or before the one with this id, in the order.
    after: Option<i64>,
    before: Option<i64>,
}

/// The order without a choice.
const NEWEST_FIRST: &str = "-time";

/// The headings, the words of the columns in URLs, and whether they have numbers. The words
/// are those of [`COLUMNS`].
const HEADINGS: [TableColumn; 10] = [
    ("Time", "time", false),
    ("User", "user", false),
    ("From", "client", false),
    ("What", "action", false),
    ("PIN set", "pin_set", false),
    ("Account", "account", false),
    ("Before", "before", false),
    ("After", "after", false),
    ("File before", "tag_before", false),
    ("File after", "tag_after", false),
];

impl PageQuery {
    fn order(&self) -> TableOrder {
        match TableOrder::read(&self.sort, &HEADINGS) {
            order if order.text().is_empty() => TableOrder::read(NEWEST_FIRST, &HEADINGS),
            order => order,
        }
    }

    fn trail_order(&self) -> TrailOrder {
        let order = self.order();
        let mut columns = COLUMNS.into_iter();
        TrailOrder {
            column: columns.find(|column| *column == order.word()),
            is_descending: order.is_descending,
        }
    }

    fn part(&self) -> TrailPart {
        match (self.after, self.before) {
            (Some(id), _) => TrailPart::After(id),
            (None, Some(id)) => TrailPart::Before(id),
            (None, None) => TrailPart::First,
        }
    }

    /// Returns the URL of a part in the order of this one.
    fn link(&self, name: &str, id: i64) -> String {
        format!("/changes?sort={}&{name}={id}", self.order().text())
    }
}

/// Records a change, before it is made. Returns the page that nothing was changed if that
/// fails.
pub(super) fn record(app: &App, user: &CurrentUser, change: &Change) -> Result<(), Box<Response>> {
    app.trail
        .record(&user.name, user.client, change, since_epoch())
        .map_err(|error| Box::new(unrecorded(&error.to_string())))
}

/// Answers with a page of the trail.
pub(in crate::console) async fn page(
    State(app): State<Arc<App>>,
    Extension(user): Extension<CurrentUser>,
    Query(query): Query<PageQuery>,
) -> Response {
    let part = query.part();
    let rows = app.trail.page(query.trail_order(), part, PAGE_ROWS + 1);
    let mut rows = match rows {
        Ok(rows) => rows,
        Err(error) => return unrecorded(&error.to_string()),
    };
    let has_more = rows.len() > PAGE_ROWS;
    let is_back = matches!(part, TrailPart::Before(_));
    match is_back {
        // The row in excess is at the front.
        true => drop(rows.drain(..rows.len().saturating_sub(PAGE_ROWS))),
        false => rows.truncate(PAGE_ROWS),
    }
    let has_previous = if is_back {
        has_more
    } else {
        !matches!(part, TrailPart::First)
    };
    let content = html! {
        (table(&query, &rows))
        p {
            @if let Some(first) = rows.first().filter(|_| has_previous) {
                a href={ "/changes?sort=" (query.order().text()) } { "First " (PAGE_ROWS) } " "
                a href=(query.link("before", first.id)) { "Previous " (PAGE_ROWS) } " "
            }
            @if let Some(last) = rows.last().filter(|_| is_back || has_more) {
                a href=(query.link("after", last.id)) { "Next " (PAGE_ROWS) } " "
            }
            a href="/changes.csv" { "CSV of all" }
        }
    };
    layout::page(StatusCode::OK, "Changes", Some(&user), "/changes", content)
}

fn table(query: &PageQuery, rows: &[StoredChange]) -> Markup {
    let caption = "Log-ins and changes. They contain no PIN.";
    let rows = html! {
        (query.order().head(&HEADINGS, |order| format!("/changes?sort={order}")))
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
    };
    layout::table(caption, rows)
}

/// Answers with the whole trail, newest first.
pub(in crate::console) async fn csv(State(app): State<Arc<App>>) -> Response {
    let rows = match app
        .trail
        .page(TrailOrder::NEWEST_FIRST, TrailPart::First, usize::MAX)
    {
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
