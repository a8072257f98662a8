//! The first page: the PIN sets of all PBXs, and the PIN files in the folder of lists.

use std::sync::Arc;

use axum::extract::{Query, State};
use axum::http::StatusCode;
use axum::response::Response;
use axum::Extension;
use maud::html;
use serde::Deserialize;

use super::layout::{self, safe, time};
use super::sorting::{number, text, TableColumn, TableOrder};
use super::{pin_file, pin_sets};
use crate::console::access::CurrentUser;
use crate::console::app::App;
use crate::console::lists::{self, ListFile};
use crate::console::users::Role;

/// The headings of PIN files, the words of the columns in URLs, and whether they have
/// numbers.
const HEADINGS: [TableColumn; 4] = [
    ("Name", "name", false),
    ("Bytes", "bytes", true),
    ("Changed", "changed", false),
    ("State", "state", false),
];

/// The orders of the tables.
#[derive(Clone, Default, Deserialize)]
#[serde(default)]
pub(in crate::console) struct FirstQuery {
    pub sets: String,
    pub others: String,
    pub files: String,
}

impl FirstQuery {
    /// Returns the URL of the page with these orders.
    pub(super) fn url(&self) -> String {
        let mut query = form_urlencoded::Serializer::new(String::new());
        for (name, value) in [
            ("sets", &self.sets),
            ("others", &self.others),
            ("files", &self.files),
        ] {
            if !value.is_empty() {
                query.append_pair(name, value);
            }
        }
        format!("/?{}", query.finish())
    }
}

/// Answers with the page.
pub(in crate::console) async fn page(
    State(app): State<Arc<App>>,
    Extension(user): Extension<CurrentUser>,
    Query(query): Query<FirstQuery>,
) -> Response {
    let folder = &app.config.lists;
    let (mut files, why) = match lists::files(folder) {
        Ok(files) => (files, None),
        Err(error) => (Vec::new(), Some(error.to_string())),
    };
    let order = TableOrder::read(&query.files, &HEADINGS);
    order.sort(&mut files, |file, word| match word {
        "name" => text(&file.name),
        "bytes" => number(file.bytes),
        "changed" => number(u64::try_from(file.changed).unwrap_or_default()),
        _ => text(file.denied.as_deref().unwrap_or_default()),
    });
    let content = html! {
        (pin_sets::tables(&app, &query).await)
        @if user.role >= Role::Admin { p { a href="/new-pin-set" { "New PIN set" } } }
        @if let Some(why) = &why {
            (layout::summary(&format!("{}: {why}", folder.display())))
        }
        (layout::table(&format!("PIN files in {}", folder.display()), html! {
            (order.head(&HEADINGS, |order| {
                FirstQuery { files: order.to_owned(), ..query.clone() }.url()
            }))
            tbody {
                @for file in &files {
                    (row(file))
                }
                @if files.is_empty() {
                    tr {
                        td colspan="4" {
                            "There is no PIN file yet. As root: "
                            code { "pinset generate " (folder.display()) "/customers.csv --count 10" }
                        }
                    }
                }
            }
        }))
    };
    layout::page(StatusCode::OK, "PIN sets", Some(&user), "/", content)
}

fn row(file: &ListFile) -> maud::Markup {
    html! {
        tr {
            td { a href=(pin_file::url("/pin-file", &file.name)) { (safe(&file.name)) } }
            td.number { (file.bytes) }
            td { (time(file.changed)) }
            td {
                @match &file.denied {
                    None => { "writable" }
                    Some(remedy) => { "read only: " code { (safe(remedy)) } }
                }
            }
        }
    }
}
