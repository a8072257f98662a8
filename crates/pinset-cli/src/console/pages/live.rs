//! The latest attempts, as the PBXs report them.

use std::sync::Arc;
use std::time::Duration;

use axum::extract::{Query, State};
use axum::http::StatusCode;
use axum::response::Response;
use axum::Extension;
use maud::{html, Markup};
use serde::Deserialize;
use tokio::time::timeout;

use super::{layout, pbx};
use crate::console::access::CurrentUser;
use crate::console::app::App;
use crate::console::pbx::{EventBatch, EventId, LiveEvent, PbxClient, PbxState};

/// Number of events of a PBX on the page.
const PAGE_ROWS: usize = 100;

const HEADINGS: [&str; 9] = [
    "Time", "Event", "PIN set", "Identity", "Caller", "Channel", "From", "Attempts", "Detail",
];

/// Longest wait for an event newer than the one that the reader has.
const NEWER_TIMEOUT: Duration = Duration::from_secs(5);

/// The part of the events.
#[derive(Deserialize)]
pub(in crate::console) struct LiveQuery {
    /// Events of this PBX only, those after the one with the id.
    pbx: Option<String>,
    after: Option<String>,
}

/// Answers with the latest events, the newest first.
pub(in crate::console) async fn page(
    State(app): State<Arc<App>>,
    Extension(user): Extension<CurrentUser>,
    Query(query): Query<LiveQuery>,
) -> Response {
    let pbxs = match pbx::selected(&app, query.pbx.as_deref()) {
        Ok(selected) => selected,
        Err(answer) => return *answer,
    };
    // Another id is one of an earlier run: all events are newer.
    let seen = query.after.filter(|_| query.pbx.is_some());
    let seen = seen.and_then(|id| id.parse::<EventId>().ok());
    if let (Some(_), [(_, client)]) = (seen, pbxs.as_slice()) {
        // Without one, the page says so.
        let _ = timeout(NEWER_TIMEOUT, client.events().wait_after(seen)).await;
    }
    let content = html! {
        @if app.pbxs.is_empty() { (pbx::none_configured()) }
        p { a href="/live" { "All, and refresh" } }
        @for (name, client) in pbxs {
            (outage(client))
            (table(name, &client.events().after(seen)))
        }
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

fn table(pbx: &str, batch: &EventBatch) -> Markup {
    let newest = batch.events.iter().rev();
    html! {
        div.table {
            table {
                caption { (pbx) ": the latest attempts since the console was started" }
                thead {
                    tr { @for heading in HEADINGS { th scope="col" { (heading) } } }
                }
                tbody {
                    @for event in newest.clone().take(PAGE_ROWS) { (row(event)) }
                    @if batch.events.is_empty() {
                        tr { td colspan=(HEADINGS.len()) { "There was no attempt." } }
                    }
                }
            }
        }
        @if batch.missed > 0 { p { "Older ones that are no longer kept: " (batch.missed) } }
        @if let Some(last) = newest.clone().next() {
            p { a href={ "/live?pbx=" (pbx) "&after=" (last.id) } {
                "Wait for newer ones of " (pbx)
            } }
        }
    }
}

fn row(event: &LiveEvent) -> Markup {
    let name = event.name.strip_prefix("Authenticate");
    html! {
        tr {
            td { (layout::time(event.received.as_millisecond())) }
            td { (name.unwrap_or(&event.name)) }
            td { (event.pin_set) }
            td { (event.identity) }
            td { (event.caller) }
            td { (event.channel) }
            td { (event.remote_address) }
            td.number { @if let Some(attempts) = event.attempts { (attempts) } }
            td { (detail(event)) }
        }
    }
}

fn detail(event: &LiveEvent) -> Markup {
    html! {
        @if let Some(kind) = event.locked_by {
            (kind.word()) " locked: " (event.locked_seconds)
            @if event.locked_seconds.parse::<u64>().is_ok() { " s" }
        }
        @if let Some(change) = &event.change {
            @if let Some(kind) = change.kind { (kind.word()) " " }
            (change.value)
            @if let Some(count) = change.count { " (" (count) ")" }
            ", by " (change.by) " " (change.user) " " (change.address)
        }
    }
}
