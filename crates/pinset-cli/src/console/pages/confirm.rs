//! The password once more, before what can't be taken back.

use std::sync::Arc;

use axum::extract::{Query, State};
use axum::http::StatusCode;
use axum::response::{IntoResponse, Redirect, Response};
use axum::Extension;
use maud::html;
use pinset::timestamp::since_epoch;
use serde::Deserialize;
use zeroize::Zeroizing;

use super::layout;
use super::login::{self, Target};
use crate::console::access::{local_path, CurrentUser};
use crate::console::app::App;
use crate::console::form::{secret, Fields};

/// The fields of the form.
#[derive(Deserialize)]
pub(in crate::console) struct Confirm {
    #[serde(deserialize_with = "secret")]
    password: Zeroizing<String>,
    #[serde(default)]
    next: String,
}

/// Answers with the form.
pub(in crate::console) async fn page(
    Extension(user): Extension<CurrentUser>,
    Query(target): Query<Target>,
) -> Response {
    form(StatusCode::OK, &user, None, &target.next)
}

/// Answers a request that needs the password again. `next` is the page it was made on.
pub(in crate::console) fn needed(user: &CurrentUser, next: &str) -> Response {
    let why = "This needs your password again. Enter it, and then do it once more: nothing was \
               changed.";
    form(StatusCode::FORBIDDEN, user, Some(why), next)
}

fn form(status: StatusCode, user: &CurrentUser, why: Option<&str>, next: &str) -> Response {
    let content = html! {
        @if let Some(why) = why {
            (layout::summary(why))
        }
        p { "It is good for five minutes." }
        form.fields method="post" action="/confirm" {
            input type="hidden" name="next" value=(local_path(next));
            input type="hidden" name="name" value=(user.name) autocomplete="username";
            label {
                "Password of " (user.name)
                input name="password" type="password" autocomplete="current-password" required;
            }
            button type="submit" { "Confirm" }
        }
    };
    layout::page(status, "Your password again", Some(user), "", content)
}

/// Verifies the password, with the same lockouts as at the log-in.
pub(in crate::console) async fn confirm(
    State(app): State<Arc<App>>,
    Extension(user): Extension<CurrentUser>,
    Fields(fields): Fields<Confirm>,
) -> Response {
    let verified = login::verify(&app, user.name.clone(), fields.password, user.client);
    if let Err(why) = verified.await {
        return login::refused(why, |status, why| {
            form(status, &user, Some(why), &fields.next)
        });
    }
    match app.sessions.confirm(user.session, since_epoch()) {
        Ok(()) => Redirect::to(local_path(&fields.next)).into_response(),
        Err(error) => login::unrecorded(&error.to_string()),
    }
}
