//! The latest attempts, as the PBXs report them.

mod filter;
mod position;
mod stream;
mod table;

pub(in crate::console) use stream::stream;

use std::sync::Arc;

use axum::extract::{Query, State};
use axum::http::header::CONTENT_TYPE;
use axum::http::{HeaderValue, StatusCode};
use axum::response::{IntoResponse, Response};
use axum::Extension;
use maud::{html, Markup};

use super::{layout, pbx};
use crate::console::access::CurrentUser;
use crate::console::app::App;
use crate::console::pbx::{PbxClient, PbxState};
use filter::LiveFilter;
use position::Position;

const SCRIPT: &str = include_str!("live.js");

/// Maximum number of events on the page. The script reads it from the page.
const PAGE_ROWS: usize = 100;

/// Answers with the latest events, the newest first.
pub(in crate::console) async fn page(
    State(app): State<Arc<App>>,
    Extension(user): Extension<CurrentUser>,
    Query(filter): Query<LiveFilter>,
) -> Response {
    let pbxs = match pbx::selected(&app, filter.pbx()) {
        Ok(selected) => selected,
        Err(answer) => return *answer,
    };
    let is_live = filter.is_newest_first();
    // Another order is that of all events that are kept.
    let limit = if is_live { PAGE_ROWS } else { usize::MAX };
    let (mut update, position) = table::update(&pbxs, &filter, &Position::default(), limit);
    if !is_live {
        update.sort(filter.order(), PAGE_ROWS);
    }
    let content = html! {
        @if app.pbxs.is_empty() { (pbx::none_configured()) }
        @for (_, client) in &pbxs { (outage(client)) }
        (filter.form(&app))
        p {
            a href=(filter.url("/live", None)) { "Refresh" } " "
            @if is_live {
                button type="button" id="pause" hidden { "Pause" } " "
                span id="state" role="status" {}
            } @else {
                a href=(filter.sorted_url("")) { "Newest first" }
                ". In another order, new attempts do not appear by themselves."
            }
        }
        (table::table(&update, &filter, &filter.url("/live/events", Some(&position))))
        @if is_live { script src="/live.js" {} }
    };
    layout::page(StatusCode::OK, "Live", Some(&user), "/live", content)
}

/// Without a connection there are no new events.
fn outage(client: &PbxClient) -> Markup {
    match client.state() {
        PbxState::Down(outage) => layout::summary(&outage.to_string()),
        PbxState::Connecting | PbxState::Up | PbxState::Stopped => html! {},
    }
}

/// Answers with the script that adds new events to the page.
pub(in crate::console) async fn script() -> Response {
    let mut response = SCRIPT.into_response();
    let javascript = HeaderValue::from_static("text/javascript; charset=utf-8");
    response.headers_mut().insert(CONTENT_TYPE, javascript);
    response
}
