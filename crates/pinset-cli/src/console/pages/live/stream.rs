//! New events as a stream of updates (server-sent events, HTML standard, section 9.2).
//!
//! A reader that is slow costs no memory: an update has what has come since the last one
//! that was read, and the number of what is no longer kept.

use std::convert::Infallible;
use std::sync::Arc;
use std::time::Duration;

use axum::extract::{Query, State};
use axum::http::HeaderMap;
use axum::response::sse::{Event, Sse};
use axum::response::{IntoResponse, Response};
use axum::Extension;
use futures_util::future::select_all;
use futures_util::stream::unfold;
use tokio::time::{sleep_until, Instant};

use super::filter::LiveFilter;
use super::position::Position;
use super::table;
use crate::console::access::{self, CurrentUser};
use crate::console::app::App;
use crate::console::pages::pbx;
use crate::console::pbx::PbxClient;
use crate::http::connection::Stopping;

/// Shortest time between two updates: at most four in a second.
const UPDATE_INTERVAL: Duration = Duration::from_millis(250);
/// Maximum number of events of an update that have a row.
const UPDATE_ROWS: usize = 20;
/// Time between two checks that the session stands, and comments for proxies that close
/// silent connections.
const HEARTBEAT_INTERVAL: Duration = Duration::from_secs(15);

/// Answers with the stream of events after the position that the page has.
pub(in crate::console) async fn stream(
    State(app): State<Arc<App>>,
    Extension(user): Extension<CurrentUser>,
    Extension(stopping): Extension<Stopping>,
    Query(filter): Query<LiveFilter>,
    headers: HeaderMap,
) -> Response {
    if let Err(answer) = pbx::selected(&app, filter.pbx()) {
        return *answer;
    }
    // A browser that connects again sends the position of its last update.
    let last = headers.get("last-event-id").map(|id| id.to_str());
    let position = match last {
        Some(Ok(last)) => Position::parse(last),
        Some(Err(_)) | None => filter.after(),
    };
    let now = Instant::now();
    let reader = Reader {
        app,
        user,
        stopping,
        filter,
        position,
        next_update: now,
        next_heartbeat: now + HEARTBEAT_INTERVAL,
    };
    let events = unfold(Some(reader), |reader| async {
        let (event, reader) = reader?.next().await?;
        Some((Ok::<_, Infallible>(event), reader))
    });
    Sse::new(events).into_response()
}

/// A page that is open.
struct Reader {
    app: Arc<App>,
    user: CurrentUser,
    stopping: Stopping,
    filter: LiveFilter,
    position: Position,
    next_update: Instant,
    next_heartbeat: Instant,
}

impl Reader {
    /// Waits for the next update. Returns `None` when the service stops, and no reader with
    /// the last event.
    async fn next(mut self) -> Option<(Event, Option<Self>)> {
        loop {
            let newer = newer(&self.app, &self.filter, &self.position);
            let paced = async {
                newer.await;
                sleep_until(self.next_update).await;
            };
            tokio::select! {
                () = self.stopping.wait() => return None,
                () = sleep_until(self.next_heartbeat) => return Some(self.heartbeat()),
                () = paced => {}
            }
            self.next_update = Instant::now() + UPDATE_INTERVAL;
            if let Some(event) = self.update() {
                return Some((event, Some(self)));
            }
        }
    }

    fn heartbeat(mut self) -> (Event, Option<Self>) {
        if !access::stands(&self.app, &self.user) {
            return (Event::default().event("end").data("session"), None);
        }
        self.next_heartbeat = Instant::now() + HEARTBEAT_INTERVAL;
        (Event::default().comment(""), Some(self))
    }

    /// Returns the update of now, unless all new events are filtered out.
    fn update(&mut self) -> Option<Event> {
        let pbxs = selected(&self.app, &self.filter);
        let (update, position) = table::update(&pbxs, &self.filter, &self.position, UPDATE_ROWS);
        self.position = position;
        let id = self.position.to_string();
        (!update.is_empty()).then(|| Event::default().id(id).data(update.rows().into_string()))
    }
}

/// Returns the selected PBXs. Those of a configuration stay until the service stops.
fn selected<'a>(app: &'a App, filter: &'a LiveFilter) -> Vec<(&'a str, &'a PbxClient)> {
    pbx::selected(app, filter.pbx()).unwrap_or_default()
}

/// Waits until a selected PBX has an event after the position.
async fn newer(app: &App, filter: &LiveFilter, position: &Position) {
    let waits: Vec<_> = selected(app, filter)
        .into_iter()
        .map(|(name, client)| Box::pin(client.events().wait_after(position.of(name))))
        .collect();
    match waits.is_empty() {
        // Without a PBX there are no events.
        true => std::future::pending().await,
        false => {
            select_all(waits).await;
        }
    }
}
