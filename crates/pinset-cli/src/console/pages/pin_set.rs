//! One PIN set: its options in force, and how often its rows were used.

use std::sync::Arc;

use axum::extract::{Query, State};
use axum::http::StatusCode;
use axum::response::{IntoResponse, Redirect, Response};
use axum::Extension;
use form_urlencoded::Serializer;
use maud::{html, Markup};
use serde::Deserialize;

use super::{changes, layout, pbx};
use crate::console::access::CurrentUser;
use crate::console::app::App;
use crate::console::form::Fields;
use crate::console::pbx::{AmiPage, ListPart, PinSetDetail, RowUses};
use crate::console::trail::Change;
use crate::console::users::Role;

/// Number of rows with uses on a page.
const PAGE_ROWS: u16 = 50;

const HEADINGS: [&str; 5] = ["Account", "Line", "Uses", "At most", "Set back"];

/// A PIN set, and the part of its uses.
#[derive(Deserialize)]
pub(in crate::console) struct PinSetQuery {
    pbx: String,
    name: String,
    /// Rows after the one with this key.
    after: Option<String>,
}

/// Returns the path of the page of a PIN set.
pub(super) fn path(pbx: &str, name: &str) -> String {
    let page = "/pin-set?";
    let mut query = Serializer::for_suffix(page.to_owned(), page.len());
    query.append_pair("pbx", pbx).append_pair("name", name);
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
    let part = ListPart {
        limit: Some(PAGE_ROWS),
        after: query.after,
    };
    let uses = match client.uses(&query.name, &part).await {
        Ok(uses) => table(&query.pbx, &query.name, &uses, &user),
        Err(why) => pbx::failure(&query.pbx, &why),
    };
    let content = html! { (options(&query.pbx, &detail)) (uses) };
    layout::page(
        StatusCode::OK,
        &detail.summary.name,
        Some(&user),
        "",
        content,
    )
}

fn options(pbx: &str, detail: &PinSetDetail) -> Markup {
    let set = &detail.summary;
    html! {
        p {
            "PIN set of " (pbx) ". State: " (set.state) ". "
            @if detail.reading { "Its PIN file is being read. " }
            @if let Some(seconds) = detail.read_seconds_ago {
                "Its PIN file was last read " (seconds) " s ago. "
            }
            @if !set.format_found.is_empty() { "Format: " (set.format_found) ". " }
            @if !detail.pepper_keys.is_empty() {
                "Pepper keys: " (detail.pepper_keys.join(", ")) "."
            }
        }
        div.table {
            table {
                caption { "Options in force, from authenticate.conf of the PBX" }
                thead { tr { th scope="col" { "Option" } th scope="col" { "Value" } } }
                tbody {
                    @for (option, value) in &detail.options {
                        tr { td { code { (option) } } td { (value) } }
                    }
                    @if detail.options.is_empty() {
                        tr { td colspan="2" { "Its section has errors: no option is in force." } }
                    }
                }
            }
        }
    }
}

fn table(pbx: &str, name: &str, uses: &AmiPage<RowUses>, user: &CurrentUser) -> Markup {
    let is_part = u64::try_from(uses.rows.len()).is_ok_and(|shown| shown < uses.total);
    html! {
        div.table {
            table {
                caption { "Rows whose uses are counted: " (uses.total) }
                thead {
                    tr { @for heading in HEADINGS { th scope="col" { (heading) } } }
                }
                tbody {
                    @for row_uses in &uses.rows { (row(pbx, name, row_uses, user)) }
                    @if uses.rows.is_empty() {
                        tr { td colspan=(HEADINGS.len()) { "No uses are counted." } }
                    }
                }
            }
        }
        @if let Some(last) = uses.rows.last().filter(|_| is_part) {
            p { a href={ (path(pbx, name)) "&after=" (last.key) } { "Next " (PAGE_ROWS) } }
        }
    }
}

fn row(pbx: &str, name: &str, uses: &RowUses, user: &CurrentUser) -> Markup {
    html! {
        tr {
            td { (uses.account) }
            td.number { @if let Some(line) = uses.line { (line) } @else { "no longer there" } }
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
