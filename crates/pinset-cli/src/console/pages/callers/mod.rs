//! Why was a caller refused: lockouts, rows and the last attempts of a number or an
//! account, on one page.

mod attempts;
mod found;

use std::sync::Arc;

use axum::extract::{Query, State};
use axum::http::StatusCode;
use axum::response::Response;
use axum::Extension;
use futures_util::future::{join, join_all};
use maud::{html, Markup};
use serde::Deserialize;

use super::layout::{self, safe};
use super::locked::{remaining, unlock_form};
use super::sorting::{number, text, TableColumn, TableOrder};
use super::{pbx, pin_file};
use crate::console::access::CurrentUser;
use crate::console::app::App;
use crate::console::pbx::{Lockout, PbxClient};
use crate::console::users::Role;
use attempts::{Attempts, CallerAttempt};
use found::{FoundRow, Identifiers};

/// The columns of the rows, and of the attempts.
const ROWS: [TableColumn; 9] = [
    ("PIN file", "file", false),
    ("Line", "line", true),
    ("Account", "account", false),
    ("Name", "name", false),
    ("Number", "number", false),
    ("Level", "level", true),
    ("Valid from", "from", false),
    ("Valid until", "until", false),
    ("State", "state", false),
];
const ATTEMPTS: [TableColumn; 6] = [
    ("Time", "time", false),
    ("Outcome", "outcome", false),
    ("PIN set", "pin_set", false),
    ("Identity", "identity", false),
    ("Number", "number", false),
    ("From", "from", false),
];

const TITLE: &str = "Callers";
const PATH: &str = "/callers";

/// The searched caller.
#[derive(Default, Deserialize)]
#[serde(default)]
pub(in crate::console) struct CallersQuery {
    /// A number, in any spelling, or an account.
    q: String,
    /// What an unlock has just ended.
    unlocked: Option<u64>,
    /// The orders of the rows and of the attempts.
    rows: String,
    attempts: String,
}

impl CallersQuery {
    /// Returns the URL of the page in these orders.
    fn url(&self, rows: &str, attempts: &str) -> String {
        let mut query = form_urlencoded::Serializer::new(String::new());
        query.append_pair("q", self.q.trim());
        for (name, order) in [("rows", rows), ("attempts", attempts)] {
            if !order.is_empty() {
                query.append_pair(name, order);
            }
        }
        format!("{PATH}?{}", query.finish())
    }

    fn row_order(&self) -> TableOrder {
        TableOrder::read(&self.rows, &ROWS)
    }

    fn attempt_order(&self) -> TableOrder {
        TableOrder::read(&self.attempts, &ATTEMPTS)
    }
}

/// Returns a link to the page of a caller or an account.
pub(super) fn link(wanted: &str, unlocked: Option<u64>) -> String {
    let mut query = form_urlencoded::Serializer::new(String::new());
    query.append_pair("q", wanted);
    if let Some(count) = unlocked {
        query.append_pair("unlocked", &count.to_string());
    }
    format!("{PATH}?{}", query.finish())
}

/// Answers with the page.
pub(in crate::console) async fn page(
    State(app): State<Arc<App>>,
    Extension(user): Extension<CurrentUser>,
    Query(query): Query<CallersQuery>,
) -> Response {
    let wanted = query.q.trim();
    let content = html! {
        @if let Some(count) = query.unlocked {
            p role="status" { "Unlocked: " (count) }
        }
        form.search method="get" action=(PATH) {
            label {
                "Number or account"
                input name="q" value=(wanted) autocomplete="off" required;
            }
            button type="submit" { "Search" }
        }
        @if wanted.is_empty() {
            p { "The page shows whether a caller is locked out, the rows, and the last attempts." }
        } @else {
            (results(&app, &user, &query).await)
        }
    };
    layout::page(StatusCode::OK, TITLE, Some(&user), PATH, content)
}

async fn results(app: &Arc<App>, user: &CurrentUser, query: &CallersQuery) -> Markup {
    let wanted = query.q.trim();
    let (rows, missing) = found::rows(app, wanted).await;
    let identifiers = Identifiers::new(wanted, &rows, &app.config.numbering);
    let attempts = attempts::find(app, &identifiers).await;
    let identifiers = &identifiers;
    let lockouts = app.pbxs.iter().map(|(name, client)| async move {
        match found::lockouts(client, identifiers).await {
            Ok(lockouts) => lockouts_of(name, &lockouts, user, wanted),
            Err(why) => pbx::failure(name, &why),
        }
    });
    let stored = app
        .pbxs
        .iter()
        .map(|(name, client)| stored_sets(name, client));
    let (lockouts, stored) = join(join_all(lockouts), join_all(stored)).await;
    html! {
        h2 { "Lockouts" }
        @if app.pbxs.is_empty() { (pbx::none_configured()) }
        @for lockouts in &lockouts { (lockouts) }
        h2 { "Rows" }
        (row_table(&rows, query, user))
        @for why in &missing { p.warning { (safe(why)) } }
        @for stored in &stored { (stored) }
        h2 { "Attempts" }
        (attempts_table(&attempts, &rows, query))
    }
}

/// Returns what there is to say about the PIN sets of a PBX in PostgreSQL, whose rows are not
/// among those found.
async fn stored_sets(pbx: &str, client: &PbxClient) -> Markup {
    // A failure is shown with the lockouts.
    let mut sets = client.pin_sets().await.unwrap_or_default();
    sets.retain(|set| set.stored_name().is_some());
    html! {
        @for set in sets.iter().filter(|set| !set.usable) {
            p.warning { (pbx) ": PIN set " (set.name) " refuses all callers: " (set.state) }
        }
        @if !sets.is_empty() {
            p {
                (pbx) ": rows in PostgreSQL are not searched, of PIN sets: "
                (sets.iter().map(|set| set.name.as_str()).collect::<Vec<_>>().join(", "))
                ". " code { "authenticate show number NUMBER PINSET" }
                ", on the command line of Asterisk, shows those of a number."
            }
        }
    }
}

fn lockouts_of(pbx: &str, lockouts: &[Lockout], user: &CurrentUser, wanted: &str) -> Markup {
    html! {
        @if lockouts.is_empty() { p { (pbx) ": not locked out." } }
        @for lockout in lockouts {
            p {
                (pbx) ": " strong { (lockout.by.word()) " locked out" } ": " (lockout.value)
                @if !lockout.pin_set.is_empty() { ", PIN set " (lockout.pin_set) }
                ", " (remaining(lockout.seconds)) ", wrong PINs: " (lockout.failures)
            }
            (unlock_form(pbx, lockout, user, wanted))
        }
    }
}

fn row_table(rows: &[FoundRow], query: &CallersQuery, user: &CurrentUser) -> Markup {
    let may_change = user.role >= Role::Operator;
    let columns: Vec<TableColumn> = ROWS
        .into_iter()
        .chain(may_change.then_some(("Change", "", false)))
        .collect();
    let (order, attempts) = (query.row_order(), query.attempt_order().text());
    let mut rows: Vec<&FoundRow> = rows.iter().collect();
    order.sort(&mut rows, |found, word| match word {
        "file" => text(&found.file),
        "line" => number(found.row.line),
        "account" => text(&found.row.account),
        "name" => text(&found.row.name),
        "number" => text(&found.row.caller),
        "level" => number(found.row.level.parse().unwrap_or_default()),
        "from" => text(&found.row.valid_from),
        // Rows without an end are last.
        "until" if found.row.valid_until.is_empty() => (1, String::new()),
        "until" => text(&found.row.valid_until),
        _ => text(&found.state()),
    });
    html! {
        (layout::table("Rows of the PIN files of this machine, without secrets", html! {
            (order.head(&columns, |order| query.url(order, &attempts)))
            tbody {
                @for found in &rows {
                    @let row = &found.row;
                    tr {
                        td { a href=(pin_file::url("/pin-file", &found.file)) { (safe(&found.file)) } }
                        td.number { (row.line) }
                        td { (safe(&row.account)) }
                        td { (safe(&row.name)) }
                        td { (safe(&row.caller)) }
                        td.number { (safe(&row.level)) }
                        td { (safe(&row.valid_from)) }
                        td { (safe(&row.valid_until)) }
                        td { (found.state()) }
                        @if may_change {
                            td {
                                @match &found.tag {
                                    Some(tag) => {
                                        (pin_file::row_links(&found.file, tag, row.line, &safe(&row.account)))
                                    }
                                    None => "read only",
                                }
                            }
                        }
                    }
                }
                @if rows.is_empty() {
                    tr { td colspan=(columns.len()) { "No CSV file has a row of this number or account." } }
                }
            }
        }))
    }
}

fn attempts_table(attempts: &Attempts, rows: &[FoundRow], query: &CallersQuery) -> Markup {
    let (order, of_rows) = (query.attempt_order(), query.row_order().text());
    let mut all: Vec<&CallerAttempt> = attempts.all.iter().collect();
    order.sort(&mut all, |attempt, word| match word {
        "time" => number(u64::try_from(attempt.time).unwrap_or_default()),
        "outcome" => text(&attempts::words(attempt, rows)),
        "pin_set" => text(&attempt.pin_set),
        "identity" => text(&attempt.identity),
        "number" => text(&attempt.caller),
        _ => text(&attempt.from),
    });
    let caption = match order.text().is_empty() {
        true => "The last attempts, newest first",
        false => "The last attempts",
    };
    html! {
        @if let Some(why) = &attempts.unread { p.warning { (why) } }
        (layout::table(caption, html! {
            (order.head(&ATTEMPTS, |order| query.url(&of_rows, order)))
            tbody {
                @for attempt in &all {
                    tr {
                        td { (layout::time(attempt.time.saturating_mul(1000))) }
                        td { (attempts::words(attempt, rows)) }
                        td { (safe(&attempt.pin_set)) }
                        td { (safe(&attempt.identity)) }
                        td { (safe(&attempt.caller)) }
                        td { (safe(&attempt.from)) }
                    }
                }
                @if all.is_empty() {
                    tr { td colspan="6" { "There was no attempt." } }
                }
            }
        }))
    }
}
