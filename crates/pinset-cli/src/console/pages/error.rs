//! Pages of errors: what is wrong, and the remedy.

use axum::http::StatusCode;
use axum::response::Response;
use maud::html;

use super::layout;

/// Returns a page of an error.
pub(in crate::console) fn page(status: StatusCode, what: &str, remedy: &str) -> Response {
    let title = match status.canonical_reason() {
        Some(reason) => format!("{}: {reason}", status.as_u16()),
        None => status.as_u16().to_string(),
    };
    let content = html! {
        p { (what) }
        p { (remedy) }
        p { a href="/" { "To the PIN sets" } }
    };
    layout::page(status, &title, None, "", content)
}
