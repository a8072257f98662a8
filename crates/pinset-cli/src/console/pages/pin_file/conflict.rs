//! The answer to a change of a row that was changed meanwhile: both versions.

use axum::http::StatusCode;
use axum::response::Response;
use maud::{html, Markup};

use super::super::layout::{self, safe};
use super::fields::RowFields;
use super::form::{form, label};
use super::query::url;
use super::save::CurrentRow;
use crate::console::access::CurrentUser;
use crate::console::app::App;

/// Returns the page. Without the row as it is now, there is nothing to change.
pub(super) fn page(
    app: &App,
    user: &CurrentUser,
    fields: &RowFields,
    current: Option<CurrentRow>,
) -> Response {
    let why = match current {
        Some(_) => "The row was changed meanwhile, so nothing was saved.",
        None => {
            "The row was deleted meanwhile, or its account or number was changed, so nothing was \
             saved."
        }
    };
    let content = html! {
        (layout::summary(why))
        (versions(fields, current.as_ref()))
        p { a href=(url("/pin-file", &fields.name)) { "Keep theirs" } }
        @if let Some(current) = &current {
            h2 { "Use mine" }
            p { "Correct the values, and enter a PIN once more if the row gets that one." }
            @let row = (current.tag.to_string(), current.line);
            (form(app, &fields.for_row(row, app.once.number()), None, "Use mine"))
        }
    };
    let title = format!("{} was changed meanwhile", safe(&fields.name));
    layout::page(StatusCode::CONFLICT, &title, Some(user), "", content)
}

fn versions(fields: &RowFields, current: Option<&CurrentRow>) -> Markup {
    let theirs = |wanted| {
        let mut all = current?.values.iter();
        all.find_map(|(column, value)| (*column == wanted).then_some(value.as_str()))
    };
    html! {
        (layout::table("Both versions of the row, without the PIN", html! {
            thead {
                tr {
                    th scope="col" { "Value" }
                    th scope="col" { "In the file now" }
                    th scope="col" { "As you typed it" }
                }
            }
            tbody {
                @for (column, mine) in fields.values() {
                    @let theirs = theirs(column);
                    tr {
                        th scope="row" { (label(column)) }
                        td { @if let Some(theirs) = theirs { (safe(theirs)) } }
                        td class=[(theirs != Some(mine.as_str())).then_some("warning")] {
                            (safe(&mine))
                            @if theirs.is_some_and(|theirs| theirs != mine) { " (different)" }
                        }
                    }
                }
            }
        }))
    }
}
