//! The save of a row in a large file: its progress, and its result once.

use std::sync::atomic::{AtomicUsize, Ordering::Relaxed};
use std::sync::Arc;
use std::time::Instant;

use axum::extract::{Query, State};
use axum::http::header::REFRESH;
use axum::http::{HeaderValue, StatusCode};
use axum::response::{IntoResponse, Redirect, Response};
use axum::Extension;
use maud::html;
use parking_lot::Mutex;

use super::super::error;
use super::super::job::{gone, JobQuery};
use super::super::layout::{self, safe};
use super::fields::RowFields;
use super::row::answer;
use super::save::{SaveError, SavedRow};
use crate::console::access::CurrentUser;
use crate::console::app::App;
use crate::console::edits::EditError;
use crate::console::held::{HeldId, Hold, HoldError};

/// Bytes of a file in which a row is saved while a page shows the progress: some 100,000
/// rows.
const MIN_BYTES: u64 = 8 << 20;

/// Bytes of memory of a save: the largest form, twice.
const HELD_BYTES: usize = 128 << 10;

const PATH: &str = "/pin-file/saving";

/// Seconds after which the page is loaded again.
const REFRESH_SECONDS: &str = "1";

/// What a save does, in this order.
const STEPS: [&str; 3] = [
    "the file is read",
    "the rows are checked",
    "the file is written",
];

/// The result of a save.
pub(super) type RowResult = Result<SavedRow, EditError<SaveError>>;

/// A save of a row.
pub(in crate::console) struct RowSave {
    pub(super) fields: RowFields,
    step: AtomicUsize,
    /// `None` while it runs.
    result: Mutex<Option<SaveResult>>,
}

enum SaveResult {
    /// Its answer is for one page, because it may have a new PIN.
    New(Box<RowResult>),
    Shown,
}

impl RowSave {
    pub(super) fn new(fields: RowFields) -> Self {
        Self {
            fields,
            step: AtomicUsize::new(0),
            result: Mutex::new(None),
        }
    }

    /// Begins the next step.
    pub(super) fn next_step(&self) {
        self.step.fetch_add(1, Relaxed);
    }

    pub(super) fn finish(&self, result: RowResult) {
        *self.result.lock() = Some(SaveResult::New(Box::new(result)));
    }
}

impl Hold for RowSave {
    fn bytes(&self) -> usize {
        HELD_BYTES
    }

    fn is_busy(&self) -> bool {
        self.result.lock().is_none()
    }
}

/// Returns whether a row of a file of this size is saved while a page shows the progress.
pub(super) fn is_long(bytes: u64) -> bool {
    bytes >= MIN_BYTES
}

/// Returns the redirect to the page of a save.
pub(super) fn redirect(id: HeldId) -> Response {
    Redirect::to(&format!("{PATH}?id={id}")).into_response()
}

/// Returns the page of a save that could not begin.
pub(super) fn not_begun(why: &HoldError) -> Response {
    error::page(
        StatusCode::SERVICE_UNAVAILABLE,
        &format!("Nothing was saved: {why}."),
        "Try again in some minutes.",
    )
}

/// Answers with the progress of a save, or with its result once.
pub(in crate::console) async fn page(
    State(app): State<Arc<App>>,
    Extension(user): Extension<CurrentUser>,
    Query(query): Query<JobQuery>,
) -> Response {
    let id = HeldId::parse(&query.id);
    let now = Instant::now();
    let Some(save) = id.and_then(|id| app.saves.find(user.session, id, now)) else {
        return gone();
    };
    let result = match &mut *save.result.lock() {
        None => None,
        Some(result) => match std::mem::replace(result, SaveResult::Shown) {
            SaveResult::New(result) => Some(result),
            SaveResult::Shown => return gone(),
        },
    };
    match result {
        None => running(&user, &save),
        Some(result) => answer(&app, &user, &save.fields, *result),
    }
}

fn running(user: &CurrentUser, save: &RowSave) -> Response {
    let step = save.step.load(Relaxed).min(STEPS.len() - 1);
    let text = STEPS.get(step).copied().unwrap_or_default();
    let content = html! {
        p {
            label {
                "Step " (step + 1) " of " (STEPS.len()) ": " (text)
                progress max=(STEPS.len()) value=(step) {}
            }
        }
        p { "The file is large. This page is loaded again every " (REFRESH_SECONDS) " s." }
    };
    let title = format!("Saving: {}", safe(&save.fields.name));
    let mut response = layout::page(StatusCode::OK, &title, Some(user), "", content);
    let refresh = HeaderValue::from_static(REFRESH_SECONDS);
    response.headers_mut().insert(REFRESH, refresh);
    response
}
