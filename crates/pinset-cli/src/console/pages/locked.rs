//! The lockouts in force, and their end by hand.

use std::sync::Arc;

use axum::extract::{Query, State};
use axum::http::StatusCode;
use axum::response::{IntoResponse, Redirect, Response};
use axum::Extension;
use futures_util::future::join_all;
use maud::{html, Markup};
use pinset::lockout::Kind;
use serde::Deserialize;

use super::sorting::{number, text, TableColumn, TableOrder};
use super::{callers, changes, error, layout, pbx, pin_file};
use crate::console::access::CurrentUser;
use crate::console::app::App;
use crate::console::form::Fields;
use crate::console::pbx::{ListPart, Lockout, PbxClient, RequestError, LOCKOUTS_AT_ONCE};
use crate::console::trail::Change;
use crate::console::users::Role;

/// Number of lockouts of a PBX on a page.
const PAGE_ROWS: u16 = 50;

const HEADINGS: [TableColumn; 8] = [
    ("PIN set", "pin_set", false),
    ("Locked", "locked", false),
    ("Value", "value", false),
    ("Endpoint", "endpoint", false),
    ("Remaining", "remaining", true),
    ("Times", "times", true),
    ("Wrong PINs", "wrong", true),
    ("Unlock", "", false),
];

/// The part of the lockouts, and their order.
#[derive(Clone, Default, Deserialize)]
#[serde(default)]
pub(in crate::console) struct LockedQuery {
    /// Lockouts of this PBX only, those after the one with the key.
    pbx: Option<String>,
    after: Option<String>,
    /// The text that value, endpoint or PIN set contain.
    q: String,
    sort: String,
    /// What an unlock has just ended.
    unlocked: Option<u64>,
}

/// The lockouts of a PBX that a page shows.
struct LockedPart {
    rows: Vec<Lockout>,
    /// The number of all that fit.
    total: u64,
    is_last: bool,
    /// Whether there are too many to sort them.
    is_unsorted: bool,
}

/// Answers with the lockouts of all PBXs.
pub(in crate::console) async fn page(
    State(app): State<Arc<App>>,
    Extension(user): Extension<CurrentUser>,
    Query(query): Query<LockedQuery>,
) -> Response {
    let selected = match pbx::selected(&app, query.pbx.as_deref()) {
        Ok(selected) => selected,
        Err(answer) => return *answer,
    };
    let (query, asking) = (&query, &user);
    let tables = selected.into_iter().map(|(name, client)| async move {
        match part(client, query).await {
            Ok(part) => table(name, &part, query, asking),
            Err(why) => pbx::failure(name, &why),
        }
    });
    let tables = join_all(tables).await;
    let content = html! {
        @if let Some(count) = query.unlocked {
            p role="status" { "Unlocked: " (count) }
        }
        @if app.pbxs.is_empty() { (pbx::none_configured()) } @else { (query.form()) }
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

impl LockedQuery {
    fn order(&self) -> TableOrder {
        TableOrder::read(&self.sort, &HEADINGS)
    }

    /// Returns the search without blanks around it, in lower case.
    fn search(&self) -> String {
        self.q.trim().to_lowercase()
    }

    /// Returns the URL of a page in an order, of one PBX or of all.
    fn url(&self, sort: &str, pbx: Option<&str>, after: &str) -> String {
        let mut query = form_urlencoded::Serializer::new(String::new());
        for (name, value) in [
            ("pbx", pbx.unwrap_or_default()),
            ("q", self.q.trim()),
            ("sort", sort),
            ("after", after),
        ] {
            if !value.is_empty() {
                query.append_pair(name, value);
            }
        }
        format!("/locked?{}", query.finish())
    }

    fn form(&self) -> Markup {
        html! {
            form.search method="get" action="/locked" role="search" {
                @if let Some(pbx) = &self.pbx { input type="hidden" name="pbx" value=(pbx); }
                input type="hidden" name="sort" value=(self.order().text());
                label {
                    "Value, endpoint or PIN set"
                    input name="q" type="search" value=(self.q) autocomplete="off";
                }
                button type="submit" { "Search" }
                a href="/locked" { "All lockouts" }
            }
        }
    }
}

/// Returns the lockouts of a page. The PBX has an order of its own; for another one, all are
/// read, if they are not too many, and for a search in any case.
async fn part(client: &PbxClient, query: &LockedQuery) -> Result<LockedPart, RequestError> {
    let (order, search) = (query.order(), query.search());
    if !search.is_empty() {
        let has = |text: &str| text.to_lowercase().contains(&search);
        let fits = |lockout: &Lockout| {
            has(&lockout.value) || has(&lockout.endpoint) || has(&lockout.pin_set)
        };
        let rows = client.lockouts_that(fits).await?;
        return Ok(sorted(rows, order, query));
    }
    if !order.text().is_empty() {
        let all = ListPart {
            limit: Some(LOCKOUTS_AT_ONCE),
            after: None,
        };
        let all = client.lockouts(None, &all).await?;
        if all.total <= all.rows.len() as u64 {
            return Ok(sorted(all.rows, order, query));
        }
    }
    let part = ListPart {
        limit: Some(PAGE_ROWS),
        after: query.after.clone().filter(|_| query.pbx.is_some()),
    };
    let page = client.lockouts(None, &part).await?;
    Ok(LockedPart {
        is_last: page.rows.len() as u64 >= page.total,
        total: page.total,
        rows: page.rows,
        is_unsorted: !order.text().is_empty(),
    })
}

/// Returns the part of all lockouts that a page shows. If the one before them has ended, it
/// is the first part.
fn sorted(mut rows: Vec<Lockout>, order: TableOrder, query: &LockedQuery) -> LockedPart {
    let total = rows.len() as u64;
    order.sort(&mut rows, |lockout, word| match word {
        "pin_set" => text(&lockout.pin_set),
        "locked" => text(lockout.by.word()),
        "value" => text(&lockout.value),
        "endpoint" => text(&lockout.endpoint),
        // Without an end is longest.
        "remaining" => number(lockout.seconds.unwrap_or(u64::MAX)),
        "times" => number(lockout.times),
        _ => number(lockout.failures),
    });
    let after = query.after.as_ref().filter(|_| query.pbx.is_some());
    let before = after.and_then(|after| rows.iter().position(|lockout| lockout.key == *after));
    let mut rows = rows.split_off(before.map_or(0, |before| before + 1));
    let is_last = rows.len() <= usize::from(PAGE_ROWS);
    rows.truncate(usize::from(PAGE_ROWS));
    LockedPart {
        rows,
        total,
        is_last,
        is_unsorted: false,
    }
}

fn table(pbx: &str, part: &LockedPart, query: &LockedQuery, user: &CurrentUser) -> Markup {
    let caption = match (part.total, query.search().is_empty()) {
        (0, true) => format!("{pbx}: nobody is locked out"),
        (total, true) => format!("{pbx}: lockouts in force: {total}"),
        (total, false) => format!("{pbx}: lockouts that fit: {total}"),
    };
    let order = query.order();
    let is_all = part.is_last && part.rows.len() as u64 == part.total;
    html! {
        @if part.is_unsorted {
            p.warning {
                (pbx) ": more than " (LOCKOUTS_AT_ONCE) " lockouts are not sorted. Use the search."
            }
        }
        (layout::table(&caption, html! {
            (order.head(&HEADINGS, |order| query.url(order, query.pbx.as_deref(), "")))
            tbody {
                @for lockout in &part.rows { (row(pbx, lockout, user)) }
                @if part.rows.is_empty() {
                    tr { td colspan=(HEADINGS.len()) { "There is no lockout." } }
                }
            }
        }))
        @if !is_all {
            p {
                a href=(query.url(&order.text(), Some(pbx), "")) { "First " (PAGE_ROWS) } " "
                @if let Some(last) = part.rows.last().filter(|_| !part.is_last) {
                    a href=(query.url(&order.text(), Some(pbx), &last.key)) { "Next " (PAGE_ROWS) }
                }
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
                    a href=(callers::link(&lockout.value, None)) { (lockout.value) }
                }
            }
            td { (lockout.endpoint) }
            td { (remaining(lockout.seconds)) }
            td.number { (lockout.times) }
            td.number { (lockout.failures) }
            td {
                (unlock_form(pbx, lockout, user, ""))
            }
        }
    }
}

/// Returns the button that ends a lockout, or why there is none. After it, the page of
/// `caller` is shown, if that is not empty.
pub(super) fn unlock_form(
    pbx: &str,
    lockout: &Lockout,
    user: &CurrentUser,
    caller: &str,
) -> Markup {
    html! {
        @if user.role < Role::Operator {
            "needs the role operator"
        } @else if lockout.value.is_empty() {
            "ends by itself"
        } @else {
            form method="post" action="/locked/unlock" {
                (unlock_fields(pbx, lockout))
                @if !caller.is_empty() { input type="hidden" name="caller" value=(caller); }
                (unlock_button(lockout, None))
            }
        }
    }
}

/// Returns the fields that name a lockout.
pub(super) fn unlock_fields(pbx: &str, lockout: &Lockout) -> Markup {
    html! {
        input type="hidden" name="pbx" value=(pbx);
        input type="hidden" name="kind" value=(lockout.by.word());
        input type="hidden" name="value" value=(lockout.value);
        input type="hidden" name="pin_set" value=(lockout.pin_set);
    }
}

/// Returns the button that sends them: of the form around it, or of the one with this id.
pub(super) fn unlock_button(lockout: &Lockout, form: Option<&str>) -> Markup {
    let label = format!("Unlock {} {}", lockout.by.word(), lockout.value);
    html! { button type="submit" form=[form] aria-label=(label) { "Unlock" } }
}

/// Returns the rest of a lockout, in minutes above one.
pub(super) fn remaining(seconds: Option<u64>) -> String {
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
    /// Whose page it was sent from.
    #[serde(default)]
    caller: String,
    /// The PIN file whose page it was sent from.
    #[serde(default)]
    file: String,
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
        Ok(count) if !fields.file.is_empty() => {
            let page = pin_file::url("/pin-file", &fields.file);
            Redirect::to(&format!("{page}&unlocked={count}")).into_response()
        }
        Ok(count) if fields.caller.is_empty() => {
            Redirect::to(&format!("/locked?unlocked={count}")).into_response()
        }
        Ok(count) => Redirect::to(&callers::link(&fields.caller, Some(count))).into_response(),
        Err(why) => pbx::failed(&fields.pbx, &why),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn rest_of_a_lockout_is_in_minutes_above_one() {
        for (seconds, text) in [
            (None, "until it is unlocked"),
            (Some(0), "0 s"),
            (Some(59), "59 s"),
            (Some(60), "1 min"),
            (Some(61), "2 min"),
            (Some(1700), "29 min"),
        ] {
            assert_eq!(remaining(seconds), text);
        }
    }
}
