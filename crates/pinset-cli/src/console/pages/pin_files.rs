//! The first page: the PIN sets of all PBXs, and the PIN files in the folder of lists.

use std::sync::Arc;

use axum::extract::State;
use axum::http::StatusCode;
use axum::response::Response;
use axum::Extension;
use maud::html;

use super::layout::{self, safe, time};
use super::pin_sets;
use crate::console::access::CurrentUser;
use crate::console::app::App;
use crate::console::lists::{self, ListFile};

/// Answers with the page.
pub(in crate::console) async fn page(
    State(app): State<Arc<App>>,
    Extension(user): Extension<CurrentUser>,
) -> Response {
    let folder = &app.config.lists;
    let (files, why) = match lists::files(folder) {
        Ok(files) => (files, None),
        Err(error) => (Vec::new(), Some(error.to_string())),
    };
    let content = html! {
        (pin_sets::tables(&app).await)
        @if let Some(why) = &why {
            (layout::summary(&format!("{}: {why}", folder.display())))
        }
        div.table {
            table {
                caption { "PIN files in " code { (folder.display()) } }
                thead {
                    tr {
                        th scope="col" { "Name" }
                        th scope="col".number { "Bytes" }
                        th scope="col" { "Changed" }
                        th scope="col" { "State" }
                    }
                }
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
            }
        }
    };
    layout::page(StatusCode::OK, "PIN sets", Some(&user), "/", content)
}

fn row(file: &ListFile) -> maud::Markup {
    html! {
        tr {
            td { (safe(&file.name)) }
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
