//! Pasting a list into a PIN file: the form, a preview in which nothing is saved, the save.
//! Making a CSV file of another one, in the same steps.

pub(in crate::console) mod convert;
mod plan;
mod preview;
mod save;
mod upload;

use std::sync::Arc;
use std::time::Instant;

use axum::extract::multipart::MultipartRejection;
use axum::extract::{Multipart, Query, State};
use axum::http::StatusCode;
use axum::response::{IntoResponse, Redirect, Response};
use axum::Extension;
use maud::{html, Markup};
use serde::Deserialize;

use super::edit_error::{denied, unreadable};
use super::layout::{self, safe};
use super::{error, pin_file};
use crate::console::access::CurrentUser;
use crate::console::app::App;
use crate::console::lists;
use crate::pin_files::import::{SourceFormat, SourceOptions};
use upload::{Upload, UploadError};

pub(in crate::console) use plan::Paste;
pub(in crate::console) use preview::page as preview;
pub(in crate::console) use save::{add, discard, replace};
pub(in crate::console) use upload::MAX_LIST_BYTES;

/// The path of the form.
const PATH: &str = "/pin-file/paste";

/// The formats of lists, and what pages call them.
const FORMATS: [(&str, SourceFormat, &str); 8] = [
    ("auto", SourceFormat::Auto, "detect it"),
    (
        "plain",
        SourceFormat::Plain,
        "one PIN a line, as FreePBX has them",
    ),
    (
        "account-pin",
        SourceFormat::AccountPin,
        "account,pin,name,number,level,until,uses",
    ),
    ("csv", SourceFormat::Csv, "CSV of pinset: account,secret,…"),
    ("md5", SourceFormat::Md5, "account:md5 a line"),
    (
        "database-show",
        SourceFormat::DatabaseShow,
        "output of database show",
    ),
    ("fusionpbx", SourceFormat::Fusionpbx, "export of FusionPBX"),
    ("cisco-fac", SourceFormat::CiscoFac, "export of Cisco (BAT)"),
];

/// The query of the form.
#[derive(Deserialize)]
pub(in crate::console) struct PasteQuery {
    name: String,
}

/// Answers with the form.
pub(in crate::console) async fn page(
    State(app): State<Arc<App>>,
    Extension(user): Extension<CurrentUser>,
    Query(query): Query<PasteQuery>,
) -> Response {
    let listed = lists::stat(&app.config.lists, &query.name);
    match listed.map(|listed| listed.denied) {
        Ok(None) => form(StatusCode::OK, &user, &query.name, &Upload::default(), None),
        Ok(Some(remedy)) => denied(&query.name, &remedy),
        Err(why) => unreadable(&query.name, &why),
    }
}

/// Returns the form, with what is wrong and what to do. A list is never in it.
fn form(
    status: StatusCode,
    user: &CurrentUser,
    name: &str,
    upload: &Upload,
    wrong: Option<(&str, &str)>,
) -> Response {
    let content = html! {
        @if let Some((what, remedy)) = wrong {
            (layout::summary(&format!("{what} {remedy}")))
        }
        p {
            "One PIN a line, or a table with account, PIN and more columns. A preview follows; "
            "nothing is saved before."
        }
        form.fields.wide method="post" action=(pin_file::url(PATH, name)) enctype="multipart/form-data" {
            (list_fields(wrong.map(|(what, _)| what)))
            label {
                "Format"
                select name="format" {
                    @for (word, _, text) in FORMATS {
                        option value=(word) selected[word == upload.format] { (text) }
                    }
                }
            }
            label.check {
                input type="checkbox" name="shared" value="yes" checked[upload.shared_pins];
                "Several accounts may have the same PIN (callers are identified by number or account)"
            }
            button type="submit" { "Preview" }
        }
        p { a href=(pin_file::url("/pin-file", name)) { "Back to " (safe(name)) } }
    };
    let title = format!("Paste a list: {}", safe(name));
    layout::page(status, &title, Some(user), "", content)
}

fn list_fields(wrong: Option<&str>) -> Markup {
    let describes = wrong.map(|_| "list-error");
    let invalid = wrong.map(|_| "true");
    html! {
        label {
            "List"
            textarea name="text" rows="12" spellcheck="false" autocomplete="off"
                aria-describedby=[describes] aria-invalid=[invalid] {}
        }
        label {
            "Or a file of at most " (MAX_LIST_BYTES >> 20) " MiB"
            input type="file" name="file" aria-describedby=[describes] aria-invalid=[invalid];
        }
        @if let Some(what) = wrong { p.error id="list-error" { (what) } }
    }
}

/// Holds the list, and sends the browser to the preview.
pub(in crate::console) async fn upload(
    State(app): State<Arc<App>>,
    Extension(user): Extension<CurrentUser>,
    Query(query): Query<PasteQuery>,
    sent: Result<Multipart, MultipartRejection>,
) -> Response {
    let Ok(sent) = sent else {
        return incomplete();
    };
    let name = query.name;
    let refused = |upload: &Upload, what: &str, remedy: &str| {
        let status = StatusCode::UNPROCESSABLE_ENTITY;
        form(status, &user, &name, upload, Some((what, remedy)))
    };
    let mut upload = match upload::read(sent).await {
        Ok(upload) => upload,
        Err(UploadError::Incomplete) => return incomplete(),
        Err(UploadError::TwoLists) => {
            let remedy = "Paste the list or choose a file, not both.";
            return refused(&Upload::default(), "There are two lists.", remedy);
        }
        Err(why @ UploadError::TooLarge) => {
            return error::page(
                StatusCode::PAYLOAD_TOO_LARGE,
                &format!("The list is {why}."),
                "Use the command pinset convert on the PBX.",
            );
        }
    };
    let mut formats = FORMATS.into_iter();
    let Some((_, format, _)) = formats.find(|(word, ..)| *word == upload.format) else {
        return incomplete();
    };
    let paste = Paste {
        name: name.clone(),
        text: std::mem::take(&mut upload.text),
        options: SourceOptions {
            format,
            assume_enabled: false,
            shared_pins: upload.shared_pins,
        },
    };
    let reading = Arc::clone(&app);
    let checked =
        tokio::task::spawn_blocking(move || match paste.import(&reading.config.numbering) {
            Ok(_) => Ok(paste),
            Err(why) => Err((why.to_string(), why.remedy())),
        });
    let paste = match checked.await {
        Ok(Ok(paste)) => paste,
        Ok(Err((what, remedy))) => return refused(&upload, &what, remedy),
        Err(_) => return refused(&upload, "The list can't be read.", "Choose its format."),
    };
    match app
        .pastes
        .put(user.session, &user.name, paste, Instant::now())
    {
        Ok(id) => Redirect::to(&preview::url(id)).into_response(),
        Err(why) => error::page(
            StatusCode::SERVICE_UNAVAILABLE,
            &format!("The list can't be held: {why}."),
            "Save or discard other lists, or try again in 10 minutes.",
        ),
    }
}

fn incomplete() -> Response {
    error::page(
        StatusCode::BAD_REQUEST,
        "The form is incomplete.",
        "Load its page again, and send it from there.",
    )
}

/// Returns the text for a preview of a file that has changed since.
fn stale(name: &str) -> String {
    format!(
        "{} has changed since the preview, so nothing was saved. This preview is made of the file \
         as it is now: look at it, and save again.",
        safe(name)
    )
}
