//! Plain and MD5 files: PINs are added and deleted, and no page shows one that is stored.

pub(in crate::console) mod add;
pub(in crate::console) mod remove;

use std::sync::Arc;

use axum::http::StatusCode;
use axum::response::Response;
use maud::{html, Markup};
use pinset::list::{FileKind, Format};

use super::super::edit_error::{denied, unreadable};
use super::super::error;
use super::url;
use crate::common::csv_list::kind;
use crate::console::access::CurrentUser;
use crate::console::app::App;
use crate::console::edits;
use crate::console::users::Role;

/// Returns what the page of a file says of its PINs, with links to what a user can do.
pub(super) fn summary(
    name: &str,
    format: Option<Format>,
    (pins, invalid): (u64, usize),
    user: Option<&CurrentUser>,
) -> Markup {
    let kind = match format {
        None => "The file is empty.",
        Some(Format::Plain) => "A plain file: one PIN a line.",
        Some(Format::Md5) => "An MD5 file: account and MD5 of the PIN.",
    };
    let user = user.filter(|_| format.is_some());
    html! {
        p {
            (kind) " PINs: " (pins) ". "
            @if invalid > 0 { "Invalid lines: " (invalid) "." }
        }
        @if let Some(user) = user {
            p {
                a href=(url(add::PATH, name)) { "Add a PIN" } " "
                a href=(url("/pin-file/paste", name)) { "Paste a list" } " "
                a href=(url(remove::PATH, name)) { "Delete by PIN" } " "
                @if user.role >= Role::Admin {
                    a href=(url("/pin-file/convert", name)) { "Make it a CSV file" }
                }
            }
        }
        @if format.is_some() {
            p { "Names, levels, validity and single rows are in a CSV file only." }
        }
    }
}

/// Returns the format of a file that the console may change, or the page that says why it
/// has none.
async fn format(app: &Arc<App>, name: &str) -> Result<Format, Box<Response>> {
    let read = edits::read(app, name, |_, listed, text| (listed.denied, kind(&text)));
    match read.await {
        Err(why) => Err(Box::new(unreadable(name, &why))),
        Ok((Some(remedy), _)) => Err(Box::new(denied(name, &remedy))),
        Ok((None, Some(FileKind::Lines(format)))) => Ok(format),
        Ok((None, Some(FileKind::Csv) | None)) => Err(Box::new(other_kind(name))),
    }
}

/// Returns the page that a file is of another kind.
pub(in crate::console::pages) fn other_kind(name: &str) -> Response {
    error::page(
        StatusCode::CONFLICT,
        "The file is no plain or MD5 file, so nothing was changed.",
        &format!(
            "The page {} shows its rows, if it is CSV, and what can be done with it.",
            url("/pin-file", name)
        ),
    )
}
