//! What pages share about PBXs: the named one, and a failed request.

use axum::http::StatusCode;
use axum::response::Response;
use maud::{html, Markup};

use super::{error, layout};
use crate::console::app::App;
use crate::console::pbx::{PbxClient, RequestError};

/// Returns the client of a PBX, or the page that there is none.
pub(super) fn named<'a>(app: &'a App, name: &str) -> Result<&'a PbxClient, Box<Response>> {
    app.pbxs.get(name).ok_or_else(|| {
        Box::new(error::page(
            StatusCode::NOT_FOUND,
            "There is no such PBX.",
            "console.toml names the PBXs, in sections [pbx.NAME].",
        ))
    })
}

/// Returns the named PBX, or all if none is named.
pub(super) fn selected<'a>(
    app: &'a App,
    name: Option<&'a str>,
) -> Result<Vec<(&'a str, &'a PbxClient)>, Box<Response>> {
    match name {
        Some(name) => Ok(vec![(name, named(app, name)?)]),
        None => Ok(app
            .pbxs
            .iter()
            .map(|(name, client)| (name.as_str(), client))
            .collect()),
    }
}

/// Returns the page of a failed request. It has changed nothing, unless the connection was
/// lost before the answer.
pub(super) fn failed(name: &str, why: &RequestError) -> Response {
    error::page(StatusCode::BAD_GATEWAY, &text(name, why), why.remedy())
}

/// Returns the failure of a request for a part of a page.
pub(super) fn failure(name: &str, why: &RequestError) -> Markup {
    layout::summary(&format!("{}. {}", text(name, why), why.remedy()))
}

fn text(name: &str, why: &RequestError) -> String {
    match why {
        // It names the PBX.
        RequestError::Down(outage) => outage.to_string(),
        why => format!("{name}: {why}"),
    }
}

/// Returns what to read instead of the tables if no PBX is configured.
pub(super) fn none_configured() -> Markup {
    html! {
        p {
            "No PBX is configured. Add a section " code { "[pbx.main]" }
            " to console.toml; " code { "pinset console init" } " writes one."
        }
    }
}
