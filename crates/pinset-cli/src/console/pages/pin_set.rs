//! One PIN set: its options in force, and how often its rows were used.

use std::sync::Arc;

use axum::extract::{Query, State};
use axum::http::StatusCode;
use axum::response::{IntoResponse, Redirect, Response};
use axum::Extension;
use form_urlencoded::Serializer;
use maud::{html, Markup};
use serde::Deserialize;

use super::sorting::{number, text, TableColumn, TableOrder};
use super::{changes, layout, pbx, pin_file};
use crate::console::access::CurrentUser;
use crate::console::app::App;
use crate::console::form::Fields;
use crate::console::pbx::{ListPart, PbxClient, PinSetDetail, RequestError, RowUses};
use crate::console::trail::Change;
use crate::console::users::Role;

/// Number of rows with uses on a page.
const PAGE_ROWS: u16 = 50;

/// Most rows with uses that are sorted.
const MAX_SORTED: u16 = 10_000;

const HEADINGS: [TableColumn; 5] = [
    ("Account", "account", false),
    ("Line or id", "line", true),
    ("Uses", "uses", true),
    ("At most", "at_most", true),
    ("Set back", "", false),
];

const OPTIONS: [TableColumn; 2] = [("Option", "option", false), ("Value", "value", false)];

/// A PIN set, the part of its uses, and the orders.
#[derive(Deserialize)]
pub(in crate::console) struct PinSetQuery {
    pbx: String,
    name: String,
    /// Rows after the one with this key.
    after: Option<String>,
    /// The order of the uses.
    #[serde(default)]
    sort: String,
    #[serde(default)]
    options: String,
}

/// The uses of a page.
struct UsesPart {
    rows: Vec<RowUses>,
    /// The number of all.
    total: u64,
    is_last: bool,
    /// Whether there are too many to sort them.
    is_unsorted: bool,
}

impl PinSetQuery {
    fn order(&self) -> TableOrder {
        TableOrder::read(&self.sort, &HEADINGS)
    }

    fn option_order(&self) -> TableOrder {
        TableOrder::read(&self.options, &OPTIONS)
    }

    /// Returns the URL of a part in these orders.
    fn url(&self, sort: &str, options: &str, after: &str) -> String {
        let more = [("sort", sort), ("options", options), ("after", after)];
        url(&self.pbx, &self.name, &more)
    }
}

/// Returns the path of the page of a PIN set.
pub(super) fn path(pbx: &str, name: &str) -> String {
    url(pbx, name, &[])
}

/// Returns the same with further values, unless they are empty.
fn url(pbx: &str, name: &str, more: &[(&str, &str)]) -> String {
    let page = "/pin-set?";
    let mut query = Serializer::for_suffix(page.to_owned(), page.len());
    query.append_pair("pbx", pbx).append_pair("name", name);
    query.extend_pairs(more.iter().filter(|(_, value)| !value.is_empty()));
    query.finish()
}

/// Answers with the page.
pub(in crate::console) async fn page(
    State(app): State<Arc<App>>,
    Extension(user): Extension<CurrentUser>,
    Query(query): Query<PinSetQuery>,
) -> Response {
    let client = match pbx::named(&app, &query.pbx) {
        Ok(client) => client,
        Err(answer) => return *answer,
    };
    let detail = match client.pin_set(&query.name).await {
        Ok(detail) => detail,
        Err(why) => return pbx::failed(&query.pbx, &why),
    };
    let uses = match part(client, &query).await {
        Ok(uses) => table(&query, &uses, &user),
        Err(why) => pbx::failure(&query.pbx, &why),
    };
    let database = match detail.summary.stored_name() {
        Some(stored) => Some(in_database(&query.pbx, client, stored).await),
        None => None,
    };
    let content = html! { (options(&app, &query, &detail)) (database.unwrap_or_default()) (uses) };
    layout::page(
        StatusCode::OK,
        &detail.summary.name,
        Some(&user),
        "",
        content,
    )
}

/// Returns the uses of a page. The PBX has an order of its own; for another one, all are
/// read, if they are not too many.
async fn part(client: &PbxClient, query: &PinSetQuery) -> Result<UsesPart, RequestError> {
    let order = query.order();
    if !order.text().is_empty() {
        let all = ListPart {
            limit: Some(MAX_SORTED),
            after: None,
        };
        let all = client.uses(&query.name, &all).await?;
        if all.total <= all.rows.len() as u64 {
            return Ok(sorted(all.rows, order, query));
        }
    }
    let part = ListPart {
        limit: Some(PAGE_ROWS),
        after: query.after.clone(),
    };
    let page = client.uses(&query.name, &part).await?;
    Ok(UsesPart {
        is_last: page.rows.len() as u64 >= page.total,
        total: page.total,
        rows: page.rows,
        is_unsorted: !order.text().is_empty(),
    })
}

/// Returns the part of all uses that a page shows. If the row before them is no longer
/// there, it is the first part.
fn sorted(mut rows: Vec<RowUses>, order: TableOrder, query: &PinSetQuery) -> UsesPart {
    let total = rows.len() as u64;
    order.sort(&mut rows, |uses, word| match word {
        "account" => text(&uses.account),
        // A row that is no longer there is last.
        "line" => number(uses.line.or(uses.id).unwrap_or(u64::MAX)),
        "uses" => number(uses.uses.parse().unwrap_or(u64::MAX)),
        // Without a limit is most.
        _ => number(uses.max_uses.unwrap_or(u64::MAX)),
    });
    let after = query.after.as_ref();
    let before = after.and_then(|after| rows.iter().position(|uses| uses.key == *after));
    let mut rows = rows.split_off(before.map_or(0, |before| before + 1));
    let is_last = rows.len() <= usize::from(PAGE_ROWS);
    rows.truncate(usize::from(PAGE_ROWS));
    UsesPart {
        rows,
        total,
        is_last,
        is_unsorted: false,
    }
}

/// Returns what there is to say about a PIN set in PostgreSQL.
async fn in_database(pbx: &str, client: &PbxClient, stored: &str) -> Markup {
    let state = match client.database().await {
        Ok(state) => html! {
            p class=[(state.reached == "no").then_some("warning")] {
                "PostgreSQL"
                @if !state.server.is_empty() { " " (state.server) }
                @if !state.role.is_empty() { ", " (state.role) }
                ": "
                @match state.reached.as_str() {
                    "yes" => "reached."
                    "no" => { "not reached, so callers are refused: " (state.reason) }
                    other => { (other) "." }
                }
            }
        },
        Err(why) => pbx::failure(pbx, &why),
    };
    html! {
        (state)
        p {
            "Its rows, uses and lockouts are those of all PBXs. Rows can't be changed here: use "
            code { "pinset add " (stored) " --database FILE" } ", and "
            code { "pinset change" } ", " code { "remove" } ", " code { "generate" } " and "
            code { "convert" } " with " code { "--database" } "."
        }
    }
}

fn options(app: &App, query: &PinSetQuery, detail: &PinSetDetail) -> Markup {
    let (set, pbx) = (&detail.summary, &query.pbx);
    let (order, uses) = (query.option_order(), query.order().text());
    let mut options: Vec<&(String, String)> = detail.options.iter().collect();
    order.sort(&mut options, |(option, value), word| match word {
        "option" => text(option),
        _ => text(value),
    });
    html! {
        p {
            "PIN set of " (pbx) ". State: " (set.state) ". Source: "
            (pin_file::source(app, &set.source)) ". "
            a href="/locked" { "Lockouts in force: " (set.lockouts) } ". "
            @if detail.reading { "Its PIN file is being read. " }
            @if let Some(seconds) = detail.read_seconds_ago {
                "Its PIN file was last read " (seconds) " s ago. "
            }
            @if !set.format_found.is_empty() { "Format: " (set.format_found) ". " }
            @if !detail.pepper_keys.is_empty() {
                "Pepper keys: " (detail.pepper_keys.join(", ")) "."
            }
        }
        (layout::table("Options in force, from authenticate.conf of the PBX", html! {
            (order.head(&OPTIONS, |order| query.url(&uses, order, "")))
            tbody {
                @for (option, value) in &options {
                    tr { td { code { (option) } } td { (value) } }
                }
                @if detail.options.is_empty() {
                    tr { td colspan="2" { "Its section has errors: no option is in force." } }
                }
            }
        }))
    }
}

fn table(query: &PinSetQuery, uses: &UsesPart, user: &CurrentUser) -> Markup {
    let (pbx, name) = (&query.pbx, &query.name);
    let (order, options) = (query.order(), query.option_order().text());
    html! {
        @if uses.is_unsorted {
            p.warning { "More than " (MAX_SORTED) " rows are not sorted." }
        }
        (layout::table(&format!("Rows whose uses are counted: {}", uses.total), html! {
            (order.head(&HEADINGS, |order| query.url(order, &options, "")))
            tbody {
                @for row_uses in &uses.rows { (row(pbx, name, row_uses, user)) }
                @if uses.rows.is_empty() {
                    tr { td colspan=(HEADINGS.len()) { "No uses are counted." } }
                }
            }
        }))
        @if let Some(last) = uses.rows.last().filter(|_| !uses.is_last) {
            p { a href=(query.url(&order.text(), &options, &last.key)) { "Next " (PAGE_ROWS) } }
        }
    }
}

fn row(pbx: &str, name: &str, uses: &RowUses, user: &CurrentUser) -> Markup {
    html! {
        tr {
            td { (uses.account) }
            td.number {
                @if let Some(row) = uses.line.or(uses.id) { (row) } @else { "no longer there" }
            }
            td.number { (uses.uses) }
            td.number { @if let Some(max_uses) = uses.max_uses { (max_uses) } }
            td {
                @if user.role < Role::Operator {
                    "needs the role operator"
                } @else {
                    form method="post" action="/pin-set/reset-uses" {
                        input type="hidden" name="pbx" value=(pbx);
                        input type="hidden" name="name" value=(name);
                        input type="hidden" name="account" value=(uses.account);
                        input type="hidden" name="key" value=(uses.key);
                        button type="submit" aria-label={ "Set back the uses of " (uses.account) } {
                            "Set back"
                        }
                    }
                }
            }
        }
    }
}

/// The fields of the form of one row.
#[derive(Deserialize)]
pub(in crate::console) struct ResetUses {
    pbx: String,
    name: String,
    account: String,
    key: String,
}

/// Sets the uses of a row back to zero.
pub(in crate::console) async fn reset_uses(
    State(app): State<Arc<App>>,
    Extension(user): Extension<CurrentUser>,
    Fields(fields): Fields<ResetUses>,
) -> Response {
    let client = match pbx::named(&app, &fields.pbx) {
        Ok(client) => client,
        Err(answer) => return *answer,
    };
    let change = Change {
        pin_set: fields.name.clone(),
        account: fields.account,
        ..Change::of("set back uses")
    };
    if let Err(answer) = changes::record(&app, &user, &change) {
        return *answer;
    }
    match client.reset_uses(&fields.name, &fields.key).await {
        Ok(_) => Redirect::to(&path(&fields.pbx, &fields.name)).into_response(),
        Err(why) => pbx::failed(&fields.pbx, &why),
    }
}
