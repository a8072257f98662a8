//! The undo of the last change of a PIN file.

use std::sync::Arc;

use axum::extract::State;
use axum::http::StatusCode;
use axum::response::{IntoResponse, Redirect, Response};
use axum::Extension;
use maud::{html, Markup};
use serde::Deserialize;

use super::super::{edit_error, error};
use super::query::url;
use crate::console::access::CurrentUser;
use crate::console::app::App;
use crate::console::edits::{self, UNDO_TIMEOUT};
use crate::console::form::Fields;
use crate::pin_files::tags::FileTag;

/// The fields of the form.
#[derive(Deserialize)]
pub(in crate::console) struct Undo {
    name: String,
    /// The tag of the file after the change.
    tag: String,
}

/// Returns the form.
pub(super) fn form(name: &str, action: &str, tag: FileTag) -> Markup {
    html! {
        form.inline method="post" action="/pin-file/undo" {
            input type="hidden" name="name" value=(name);
            input type="hidden" name="tag" value=(tag);
            span { "Your last change: " (action) ". " }
            button type="submit" { "Undo" }
        }
    }
}

/// Takes back the last change.
pub(in crate::console) async fn undo(
    State(app): State<Arc<App>>,
    Extension(user): Extension<CurrentUser>,
    Fields(fields): Fields<Undo>,
) -> Response {
    match edits::undo(&app, &user, &fields.name, &fields.tag).await {
        Ok(()) => Redirect::to(&url("/pin-file", &fields.name)).into_response(),
        Err(why) => edit_error::failed(&fields.name, why, |()| {
            error::page(
                StatusCode::CONFLICT,
                "There is nothing to undo, so nothing was changed.",
                &format!(
                    "A change can be undone for {} minutes, in the same session, and unless \
                     somebody has changed the file since.",
                    UNDO_TIMEOUT.as_secs() / 60
                ),
            )
        }),
    }
}
