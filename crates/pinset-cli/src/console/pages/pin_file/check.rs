//! What `pinset check` finds in a PIN file.

use std::sync::Arc;

use axum::extract::{Query, State};
use axum::http::StatusCode;
use axum::response::Response;
use axum::Extension;
use maud::{html, Markup};

use super::super::edit_error::unreadable;
use super::query::url;
use super::FileName;
use crate::common::reach::{OUT_OF_REACH, REMEDY};
use crate::console::access::CurrentUser;
use crate::console::app::App;
use crate::console::checked::SHOWN_LINES;
use crate::console::edits;
use crate::console::pages::layout::{self, safe};
use crate::pin_files::check::{Findings, List};

/// A kind of findings.
struct Kind {
    name: &'static str,
    count: u64,
    /// Lines, and what is found in each.
    lines: Vec<(u64, String)>,
}

impl Kind {
    fn of<T>(
        name: &'static str,
        findings: &Findings<T>,
        describe: impl Fn(&T) -> (u64, String),
    ) -> Self {
        Self {
            name,
            count: findings.count,
            lines: findings.lines.iter().map(describe).collect(),
        }
    }
}

/// Answers with the findings, by line. They contain no PIN.
pub(in crate::console) async fn page(
    State(app): State<Arc<App>>,
    Extension(user): Extension<CurrentUser>,
    Query(FileName { name }): Query<FileName>,
) -> Response {
    let checked = edits::open(&app, &name, |app, listed, file| {
        let numbering = &app.config.numbering;
        Ok(app.checked.of(&listed.name, &file, numbering)?)
    });
    let found = match checked.await {
        Ok(found) => found,
        Err(why) => return unreadable(&name, &why),
    };
    let content = html! {
        @match found.as_ref() {
            Ok(list) => { (findings(list)) }
            Err(why) => {
                (layout::summary(&format!("The file admits nobody: {}", safe(why))))
            }
        }
        p { a href=(url("/pin-file", &name)) { "Back to the rows" } }
        p {
            "As root, " code { "pinset check --config /etc/asterisk/authenticate.conf" }
            " also checks the PIN sets that use the file."
        }
    };
    let title = format!("Check of {}", safe(&name));
    layout::page(StatusCode::OK, &title, Some(&user), "", content)
}

/// Returns how much is found in a file, with a link to the lines, if that is known or takes
/// no time.
pub(super) async fn counts(app: &Arc<App>, name: &str) -> Markup {
    let checked = edits::open(app, name, |app, listed, file| {
        let numbering = &app.config.numbering;
        Ok(app.checked.if_fast(&listed.name, &file, numbering)?)
    });
    // The page has the reason why a file can't be read.
    let checked = checked.await.ok().flatten();
    let list = checked.as_deref().and_then(|checked| checked.as_ref().ok());
    let counts = list.map_or([0; 4], |list| {
        let unreachable = list.unreachable.count;
        [
            list.weak.count,
            list.duplicates.count,
            list.broken.count,
            unreachable,
        ]
    });
    let words = [
        "Weak PINs",
        "Duplicates",
        "Invalid lines",
        "Rows that admit nobody",
    ];
    html! {
        @if counts.iter().any(|count| *count > 0) {
            p {
                @for (count, word) in counts.iter().zip(words).filter(|(count, _)| **count > 0) {
                    (word) ": " (count) ". "
                }
                a href=(url("/pin-file/check", name)) { "See the lines" }
            }
        }
    }
}

fn findings(list: &List) -> Markup {
    let kinds = [
        Kind::of("invalid", &list.broken, |found| {
            (found.line, found.reason.to_string())
        }),
        Kind::of("duplicate", &list.duplicates, |found| {
            (found.line, format!("as line {}", found.first))
        }),
        Kind::of("weak", &list.weak, |found| {
            (found.line, found.reason.to_string())
        }),
        Kind::of("admits nobody", &list.unreachable, |found| {
            (found.line, format!("{OUT_OF_REACH}: {REMEDY}"))
        }),
    ];
    let mut caption = format!("{}, {} entries. ", list.format, list.entries);
    for kind in &kinds {
        caption += &format!("{}: {}. ", kind.name, kind.count);
    }
    caption += &format!("At most {SHOWN_LINES} lines of each are listed.");
    html! {
        @if list.empty { p.warning { "The file is empty, so it admits nobody." } }
        @if list.unended {
            p.warning {
                "The last line has no line end, so that text which is appended becomes part of it."
            }
        }
        @for odds in &list.odds {
            p class=[odds.practical.then_some("warning")] { (odds) }
        }
        (layout::table(&caption, html! {
            thead {
                tr {
                    th scope="col".number { "Line" }
                    th scope="col" { "Found" }
                    th scope="col" { "Detail" }
                }
            }
            tbody {
                @for kind in &kinds {
                    @for (line, detail) in &kind.lines {
                        tr {
                            td.number { (line) }
                            td { (kind.name) }
                            td { (safe(detail)) }
                        }
                    }
                }
                @if kinds.iter().all(|kind| kind.count == 0) {
                    tr { td colspan="3" { "Nothing is wrong with any line." } }
                }
            }
        }))
    }
}
