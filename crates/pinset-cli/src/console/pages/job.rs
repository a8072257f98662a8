//! A save of many rows: its progress, its result, the way to stop it.

use std::sync::Arc;
use std::time::Instant;

use axum::extract::{Query, State};
use axum::http::header::REFRESH;
use axum::http::{HeaderValue, StatusCode};
use axum::response::{IntoResponse, Redirect, Response};
use axum::Extension;
use maud::{html, Markup};
use serde::Deserialize;

use super::layout::{self, safe};
use super::{edit_error, error, hand_out, pin_file};
use crate::common::reach::{OUT_OF_REACH, REMEDY};
use crate::console::access::CurrentUser;
use crate::console::app::App;
use crate::console::form::Fields;
use crate::console::held::HeldId;
use crate::console::jobs::{Job, JobError, JobView, Saved, StartError};

/// The path of the page.
const PATH: &str = "/pin-file/job";

/// Seconds after which the page of a job that runs is loaded again.
const REFRESH_SECONDS: &str = "2";

/// Names a job, in a link or a form.
#[derive(Deserialize)]
pub(in crate::console) struct JobQuery {
    pub id: String,
}

/// Returns the URL of a job.
pub(super) fn url(id: HeldId) -> String {
    format!("{PATH}?id={id}")
}

/// Answers with the state of a job.
pub(in crate::console) async fn page(
    State(app): State<Arc<App>>,
    Extension(user): Extension<CurrentUser>,
    Query(query): Query<JobQuery>,
) -> Response {
    match found(&app, &user, &query.id) {
        Ok((id, job)) => state(&user, id, &job),
        Err(answer) => *answer,
    }
}

/// Stops a job.
pub(in crate::console) async fn stop(
    State(app): State<Arc<App>>,
    Extension(user): Extension<CurrentUser>,
    Fields(fields): Fields<JobQuery>,
) -> Response {
    match found(&app, &user, &fields.id) {
        Ok((id, job)) => {
            job.stop();
            Redirect::to(&url(id)).into_response()
        }
        Err(answer) => *answer,
    }
}

/// Returns a job of this session, or the page that it is gone.
pub(super) fn found(
    app: &App,
    user: &CurrentUser,
    id: &str,
) -> Result<(HeldId, Arc<Job>), Box<Response>> {
    let found = HeldId::parse(id).and_then(|id| {
        let job = app.jobs.find(user.session, id, Instant::now())?;
        Some((id, job))
    });
    found.ok_or_else(|| Box::new(gone()))
}

/// Returns the page that a result is no longer there.
pub(super) fn gone() -> Response {
    error::page(
        StatusCode::GONE,
        "This is no longer here.",
        "Results and new PINs wait for 10 minutes in the session that has made them, and until a \
         restart of the console. Look at the PIN file and at /changes.",
    )
}

/// Answers a job that could not be started.
pub(super) fn not_started(why: &StartError) -> Response {
    error::page(
        StatusCode::SERVICE_UNAVAILABLE,
        &format!("Nothing was saved: {why}."),
        "Try again in some minutes.",
    )
}

fn state(user: &CurrentUser, id: HeldId, job: &Job) -> Response {
    let name = safe(&job.name);
    match job.view() {
        JobView::Running => {
            let title = format!("Saving: {name}");
            let content = running(id, job);
            let mut response = layout::page(StatusCode::OK, &title, Some(user), "", content);
            let refresh = HeaderValue::from_static(REFRESH_SECONDS);
            response.headers_mut().insert(REFRESH, refresh);
            response
        }
        JobView::Saved(saved) => {
            let title = format!("Saved: {name}");
            let content = saved_rows(id, job, &saved);
            layout::page(StatusCode::OK, &title, Some(user), "", content)
        }
        JobView::Stopped => {
            let title = format!("Stopped: {name}");
            let content = html! {
                p role="status" { "It was stopped. Nothing was saved." }
                p { a href=(job.origin) { "Back" } }
            };
            layout::page(StatusCode::OK, &title, Some(user), "", content)
        }
        JobView::Failed(Some(why)) => edit_error::failed(&job.name, why, |why| failed(job, &why)),
        JobView::Failed(None) => error::page(
            StatusCode::GONE,
            "Nothing was saved, and the reason was shown before.",
            "Begin again.",
        ),
    }
}

/// Returns the page of a failure that no form can show.
pub(super) fn failed(job: &Job, why: &JobError) -> Response {
    let name = safe(&job.name);
    match why {
        JobError::Changed => error::page(
            StatusCode::CONFLICT,
            &format!("{name} has changed meanwhile, so nothing was saved."),
            "Go back, look at it once more, and save again.",
        ),
        JobError::Stopped | JobError::Invalid(..) => error::page(
            StatusCode::UNPROCESSABLE_ENTITY,
            &format!("{name} can't have these rows, so nothing was saved: {why}."),
            "Correct the list, or choose another form of secrets.",
        ),
    }
}

fn running(id: HeldId, job: &Job) -> Markup {
    let (done, left) = (job.done(), job.left().as_secs());
    html! {
        p {
            label {
                "PINs are hashed: " (done) " of " (job.total)
                progress max=(job.total) value=(done) {}
            }
        }
        p { "About " (left) " s left. Nothing is saved before the end. This page is loaded again every " (REFRESH_SECONDS) " s." }
        p { a href=(url(id)) { "Load it now" } }
        form method="post" action={ (PATH) "/stop" } {
            input type="hidden" name="id" value=(id);
            button type="submit" { "Stop" }
        }
    }
}

fn saved_rows(id: HeldId, job: &Job, saved: &Saved) -> Markup {
    html! {
        p role="status" {
            "Rows added: " (saved.added) "."
            @if saved.removed > 0 { " Rows removed: " (saved.removed) "." }
            " They count at the next call."
        }
        @if saved.out_of_reach > 0 {
            p.error {
                "New rows that admit nobody: " (saved.out_of_reach) ". " (OUT_OF_REACH) ": " (REMEDY) "."
            }
        }
        @if let Some(pins) = &saved.hand_out { (hand_out::forms(id, pins)) }
        p { a href=(pin_file::url("/pin-file", &job.name)) { "To " (safe(&job.name)) } }
    }
}
