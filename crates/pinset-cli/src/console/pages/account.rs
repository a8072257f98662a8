//! The user's own page: role, and the end of all sessions.

use std::sync::Arc;

use axum::extract::State;
use axum::http::StatusCode;
use axum::response::Response;
use axum::Extension;
use maud::html;

use super::{changes, layout, login};
use crate::console::access::CurrentUser;
use crate::console::app::App;
use crate::console::trail::Change;

/// Answers with the page.
pub(in crate::console) async fn page(Extension(user): Extension<CurrentUser>) -> Response {
    let content = html! {
        p { "You are logged in as " strong { (user.name) } ", whose role is " (user.role) "." }
        p {
            "Name, role and password are changed on the command line, as root: "
            code { "pinset console user passwd " (user.name) }
        }
        form method="post" action="/account/end-sessions" {
            button type="submit" { "Log out everywhere" }
        }
    };
    layout::page(
        StatusCode::OK,
        "Your account",
        Some(&user),
        "/account",
        content,
    )
}

/// Ends all sessions of the user.
pub(in crate::console) async fn end_sessions(
    State(app): State<Arc<App>>,
    Extension(user): Extension<CurrentUser>,
) -> Response {
    let change = Change::of("log out everywhere");
    if let Err(answer) = changes::record(&app, &user, &change) {
        return *answer;
    }
    match app.end_sessions_of(&user.name) {
        Ok(_) => login::leave(&app),
        Err(error) => login::unrecorded(&error.to_string()),
    }
}
