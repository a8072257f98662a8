//! A reload of `authenticate.conf`, with its errors.

use std::sync::Arc;

use axum::extract::State;
use axum::http::StatusCode;
use axum::response::Response;
use axum::Extension;
use maud::{html, Markup};
use serde::Deserialize;

use super::{changes, layout, pbx};
use crate::console::access::CurrentUser;
use crate::console::app::App;
use crate::console::form::Fields;
use crate::console::pbx::{ReloadError, ReloadResult};
use crate::console::trail::Change;

const HEADINGS: [&str; 5] = ["File", "Line", "Section", "Option", "Error"];

/// The fields of the form.
#[derive(Deserialize)]
pub(in crate::console) struct Reload {
    pbx: String,
}

/// Reloads, and answers with what the module says.
pub(in crate::console) async fn reload(
    State(app): State<Arc<App>>,
    Extension(user): Extension<CurrentUser>,
    Fields(fields): Fields<Reload>,
) -> Response {
    let client = match pbx::named(&app, &fields.pbx) {
        Ok(client) => client,
        Err(answer) => return *answer,
    };
    let change = Change {
        after: format!("PBX {}", fields.pbx),
        ..Change::of("reload")
    };
    if let Err(answer) = changes::record(&app, &user, &change) {
        return *answer;
    }
    match client.reload().await {
        Ok(result) => {
            let status = match result.applied {
                true => StatusCode::OK,
                false => StatusCode::UNPROCESSABLE_ENTITY,
            };
            let content = result_of(&fields.pbx, &result);
            layout::page(status, "Reload", Some(&user), "/setup", content)
        }
        Err(why) => pbx::failed(&fields.pbx, &why),
    }
}

fn result_of(pbx: &str, result: &ReloadResult) -> Markup {
    html! {
        @if result.applied {
            p role="status" { (pbx) ": authenticate.conf is in force." }
        } @else {
            (layout::summary(&format!(
                "{pbx}: authenticate.conf was rejected, and the version before it stays in \
                 force. Errors: {}",
                result.total
            )))
        }
        @if !result.errors.is_empty() {
            (table(&result.errors))
        }
        p { a href="/setup" { "Setup" } }
    }
}

/// Returns a table of errors.
pub(super) fn table(errors: &[ReloadError]) -> Markup {
    html! {
        (layout::table("Correct these, and reload again", html! {
            thead {
                tr { @for heading in HEADINGS { th scope="col" { (heading) } } }
            }
            tbody { @for error in errors { (row(error)) } }
        }))
    }
}

fn row(error: &ReloadError) -> Markup {
    html! {
        tr {
            td { (error.file) }
            td.number { (error.line) }
            td { (error.section) }
            td { (error.option) }
            td { (error.message) }
        }
    }
}
