//! Handing out of new PINs: once as CSV, once as letters.

use std::sync::Arc;

use axum::body::Body;
use axum::extract::State;
use axum::http::header::{CONTENT_DISPOSITION, CONTENT_TYPE};
use axum::http::{HeaderValue, StatusCode};
use axum::response::Response;
use axum::Extension;
use bytes::Bytes;
use maud::{html, Markup};
use pinset::timestamp::since_epoch;
use zeroize::Zeroizing;

use super::job::JobQuery;
use super::layout::{self, safe, time};
use super::{changes, error, job};
use crate::common::csv::{push_row, rows, RowReadError};
use crate::common::sanitize::safe_cell;
use crate::console::access::CurrentUser;
use crate::console::app::App;
use crate::console::form::Fields;
use crate::console::hand_out::{HandOut, HandOutForm};
use crate::console::held::HeldId;
use crate::console::jobs::JobView;
use crate::console::trail::Change;

/// The forms: the path, and what the button says.
const FORMS: [(HandOutForm, &str, &str); 2] = [
    (
        HandOutForm::Csv,
        "/pin-file/pins/csv",
        "CSV for a mail merge",
    ),
    (HandOutForm::Letters, "/pin-file/pins/letters", "letters"),
];

/// Returns the buttons that take the PINs.
pub(super) fn forms(id: HeldId, pins: &HandOut) -> Markup {
    html! {
        h2 { "Hand out the PINs" }
        p {
            "New PINs: " (pins.count) ". They can be taken once as CSV and once as letters, within "
            "10 minutes in this session. After that, or after a restart of the console, they can't be "
            "shown again: they are stored as hashes only. Taking them needs your password."
        }
        @for (form, path, text) in FORMS {
            @if let Some(taken) = pins.taken(form) {
                p { "As " (text) ": was taken at " (time(taken)) "." }
            } @else {
                form method="post" action=(path) {
                    input type="hidden" name="id" value=(id);
                    button type="submit" { "Take as " (text) }
                }
            }
        }
    }
}

/// Answers with the PINs as CSV.
pub(in crate::console) async fn csv(
    State(app): State<Arc<App>>,
    Extension(user): Extension<CurrentUser>,
    Fields(fields): Fields<JobQuery>,
) -> Response {
    let pins = match take(&app, &user, &fields, HandOutForm::Csv) {
        Ok((_, pins)) => pins,
        Err(answer) => return *answer,
    };
    let mut text = Zeroizing::new(Vec::with_capacity(2 * pins.len() + 64));
    let read = rows(&pins, |_, values| {
        let cells: Vec<_> = values.iter().map(|value| safe_cell(value)).collect();
        push_row(&mut text, cells.iter().map(AsRef::as_ref), "\r\n");
        Ok::<_, RowReadError>(())
    });
    if let Err(why) = read {
        return unreadable(&why);
    }
    // It is wiped once it is sent.
    let mut response = Response::new(Body::from(Bytes::from_owner(text)));
    let headers = response.headers_mut();
    let csv = HeaderValue::from_static("text/csv; charset=utf-8");
    headers.insert(CONTENT_TYPE, csv);
    let name = HeaderValue::from_static("attachment; filename=\"pins.csv\"");
    headers.insert(CONTENT_DISPOSITION, name);
    response
}

/// Answers with a letter for each PIN.
pub(in crate::console) async fn letters(
    State(app): State<Arc<App>>,
    Extension(user): Extension<CurrentUser>,
    Fields(fields): Fields<JobQuery>,
) -> Response {
    let (name, pins) = match take(&app, &user, &fields, HandOutForm::Letters) {
        Ok(taken) => taken,
        Err(answer) => return *answer,
    };
    let mut letters = Vec::new();
    let read = rows(&pins, |_, values| {
        if let [account, name, pin] = values {
            letters.push(letter(account, name, pin));
        }
        Ok::<_, RowReadError>(())
    });
    if let Err(why) = read {
        return unreadable(&why);
    }
    let content = html! {
        p.screen {
            "Print this page now: one sheet for each PIN. It can't be shown again."
        }
        // The first row is the header.
        @for letter in letters.iter().skip(1) { (letter) }
    };
    let title = format!("Letters: {}", safe(&name));
    layout::page(StatusCode::OK, &title, Some(&user), "", content)
}

fn letter(account: &str, name: &str, pin: &str) -> Markup {
    html! {
        section.letter {
            h2 { @if name.is_empty() { (safe(account)) } @else { (safe(name)) } }
            p { "Account: " (safe(account)) }
            p { "Your PIN for telephone calls: " strong.pin { (pin) } }
            p { "Do not give it to anybody. If it is lost, ask for a new one." }
        }
    }
}

/// Takes the PINs of a job, with the name of its file, and records who did.
fn take(
    app: &App,
    user: &CurrentUser,
    fields: &JobQuery,
    form: HandOutForm,
) -> Result<(String, Zeroizing<Vec<u8>>), Box<Response>> {
    let (_, job) = job::found(app, user, &fields.id)?;
    let JobView::Saved(saved) = job.view() else {
        return Err(Box::new(no_pins()));
    };
    let pins = saved.hand_out.as_ref().ok_or_else(|| Box::new(no_pins()))?;
    let change = Change {
        pin_set: job.name.clone(),
        after: format!("PINs: {}", pins.count),
        ..Change::of(match form {
            HandOutForm::Csv => "take PINs as CSV",
            HandOutForm::Letters => "take PINs as letters",
        })
    };
    let now = i64::try_from(since_epoch().as_millis()).unwrap_or(i64::MAX);
    match pins.take(form, now, || changes::record(app, user, &change))? {
        Ok(pins) => Ok((job.name.clone(), pins)),
        Err(taken) => Err(Box::new(error::page(
            StatusCode::GONE,
            &format!("The PINs were taken in this form at {}.", time(taken.time)),
            "They can be taken once in each form. Make new PINs if they are lost.",
        ))),
    }
}

fn no_pins() -> Response {
    error::page(
        StatusCode::GONE,
        "There are no PINs to hand out.",
        "Make new PINs on the page of the PIN file.",
    )
}

fn unreadable(why: &RowReadError) -> Response {
    error::page(
        StatusCode::INTERNAL_SERVER_ERROR,
        &format!("The PINs can't be read: {why}."),
        "Make new PINs on the page of the PIN file.",
    )
}
