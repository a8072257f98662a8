//! The lockouts in force, and their end by hand.

use std::sync::Arc;

use axum::extract::{Query, State};
use axum::http::StatusCode;
use axum::response::{IntoResponse, Redirect, Response};
use axum::Extension;
use maud::{html, Markup};
use pinset::lockout::Kind;
use serde::Deserialize;

use super::{changes, error, layout, pbx};
use crate::console::access::CurrentUser;
use crate::console::app::App;
use crate::console::form::Fields;
use crate::console::pbx::{AmiPage, ListPart, Lockout};
use crate::console::trail::Change;
use crate::console::users::Role;

/// Number of lockouts of a PBX on a page.
const PAGE_ROWS: u16 = 50;

const HEADINGS: [&str; 8] = [
    "PIN set",
    "Locked",
    "Value",
    "Endpoint",
    "Remaining",
    "Times",
    "Wrong PINs",
    "Unlock",
];

/// The part of the lockouts.
#[derive(Deserialize)]
pub(in crate::console) struct LockedQuery {
    /// Lockouts of this PBX only, those after the one with the key.
    pbx: Option<String>,
    after: Option<String>,
    /// What an unlock has just ended.
    unlocked: Option<u64>,
}

/// Answers with the lockouts of all PBXs.
pub(in crate::console) async fn page(
    State(app): State<Arc<App>>,
    Extension(user): Extension<CurrentUser>,
    Query(query): Query<LockedQuery>,
) -> Response {
    let part = ListPart {
        limit: Some(PAGE_ROWS),
        after: query.after.filter(|_| query.pbx.is_some()),
    };
    let mut tables = Vec::new();
    for (name, client) in match pbx::selected(&app, query.pbx.as_deref()) {
        Ok(selected) => selected,
        Err(answer) => return *answer,
    } {
        tables.push(match client.lockouts(None, &part).await {
            Ok(lockouts) => table(name, &lockouts, &user),
            Err(why) => pbx::failure(name, &why),
        });
    }
    let content = html! {
        @if let Some(count) = query.unlocked {
            p role="status" { "Unlocked: " (count) }
        }
        @if app.pbxs.is_empty() { (pbx::none_configured()) }
        @for table in &tables { (table) }
    };
    layout::page(
        StatusCode::OK,
        "Locked out",
        Some(&user),
        "/locked",
        content,
    )
}

fn table(pbx: &str, lockouts: &AmiPage<Lockout>, user: &CurrentUser) -> Markup {
    let shown = lockouts.rows.len();
    let is_part = u64::try_from(shown).is_ok_and(|shown| shown < lockouts.total);
    html! {
        div.table {
            table {
                caption {
                    (pbx) ": "
                    @if lockouts.total == 0 { "nobody is locked out" } @else {
                        "lockouts in force: " (lockouts.total)
                    }
                }
                thead {
                    tr {
                        @for heading in HEADINGS { th scope="col" { (heading) } }
                    }
                }
                tbody {
                    @for lockout in &lockouts.rows { (row(pbx, lockout, user)) }
                    @if lockouts.rows.is_empty() {
                        tr { td colspan=(HEADINGS.len()) { "There is no lockout." } }
                    }
                }
            }
        }
        @if let Some(last) = lockouts.rows.last().filter(|_| is_part) {
            p {
                a href={ "/locked?pbx=" (pbx) } { "First " (PAGE_ROWS) } " "
                a href={ "/locked?pbx=" (pbx) "&after=" (last.key) } { "Next " (PAGE_ROWS) }
            }
        }
    }
}

fn row(pbx: &str, lockout: &Lockout, user: &CurrentUser) -> Markup {
    let what = lockout.by.word();
    html! {
        tr {
            td { (lockout.pin_set) }
            td { (what) }
            td {
                @if lockout.value.is_empty() { "an account in no PIN file" } @else {
                    (lockout.value)
                }
            }
            td { (lockout.endpoint) }
            td { (remaining(lockout.seconds)) }
            td.number { (lockout.times) }
            td.number { (lockout.failures) }
            td {
                @if user.role < Role::Operator {
                    "needs the role operator"
                } @else if lockout.value.is_empty() {
                    "ends by itself"
                } @else {
                    form method="post" action="/locked/unlock" {
                        input type="hidden" name="pbx" value=(pbx);
                        input type="hidden" name="kind" value=(what);
                        input type="hidden" name="value" value=(lockout.value);
                        input type="hidden" name="pin_set" value=(lockout.pin_set);
                        button type="submit" aria-label={ "Unlock " (what) " " (lockout.value) } {
                            "Unlock"
                        }
                    }
                }
            }
        }
    }
}

/// Returns the rest of a lockout, in minutes above one.
fn remaining(seconds: Option<u64>) -> String {
    match seconds {
        None => "until it is unlocked".to_owned(),
        Some(seconds @ ..60) => format!("{seconds} s"),
        Some(seconds) => format!("{} min", seconds.div_ceil(60)),
    }
}

/// The fields of the form of one lockout.
#[derive(Deserialize)]
pub(in crate::console) struct Unlock {
    pbx: String,
    kind: String,
    value: String,
    pin_set: String,
}

/// Ends a lockout.
pub(in crate::console) async fn unlock(
    State(app): State<Arc<App>>,
    Extension(user): Extension<CurrentUser>,
    Fields(fields): Fields<Unlock>,
) -> Response {
    let kind = Kind::ALL
        .into_iter()
        .find(|kind| kind.word() == fields.kind);
    let Some(kind) = kind.filter(|_| !fields.value.is_empty()) else {
        return error::page(
            StatusCode::UNPROCESSABLE_ENTITY,
            "The form names no lockout.",
            "Use the button on the page /locked.",
        );
    };
    let client = match pbx::named(&app, &fields.pbx) {
        Ok(client) => client,
        Err(answer) => return *answer,
    };
    let change = Change {
        pin_set: fields.pin_set.clone(),
        before: format!("locked {} {}", kind.word(), fields.value),
        ..Change::of("unlock")
    };
    if let Err(answer) = changes::record(&app, &user, &change) {
        return *answer;
    }
    let pin_set = Some(fields.pin_set.as_str()).filter(|name| !name.is_empty());
    match client.unlock(kind, &fields.value, pin_set).await {
        Ok(count) => Redirect::to(&format!("/locked?unlocked={count}")).into_response(),
        Err(why) => pbx::failed(&fields.pbx, &why),
    }
}
