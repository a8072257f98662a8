//! The checks of the installation.

use std::sync::Arc;

use axum::extract::State;
use axum::http::StatusCode;
use axum::response::Response;
use axum::Extension;
use maud::html;

use super::layout::{self, safe};
use crate::common::finding::Level;
use crate::console::access::CurrentUser;
use crate::console::app::App;
use crate::console::users::Role;
use crate::console::{checks, pbxs};

/// Answers with the page.
pub(in crate::console) async fn page(
    State(app): State<Arc<App>>,
    Extension(user): Extension<CurrentUser>,
) -> Response {
    let mut findings = checks::findings(&app.config);
    findings.extend(pbxs::findings(&app.pbxs).await);
    let content = html! {
        @if user.role >= Role::Admin {
            @for name in app.pbxs.keys() {
                form method="post" action="/reload" {
                    input type="hidden" name="pbx" value=(name);
                    button type="submit" { "Reload authenticate.conf of " (name) }
                }
            }
        }
        div.table {
            table {
                caption { "What the console needs, and the command that mends what is missing" }
                thead {
                    tr {
                        th scope="col" { "State" }
                        th scope="col" { "Check" }
                        th scope="col" { "Found" }
                        th scope="col" { "Remedy" }
                    }
                }
                tbody {
                    @for finding in &findings {
                        tr {
                            td class=(finding.level) { (mark(finding.level)) (finding.level) }
                            td { (finding.check) }
                            td { (safe(&finding.message)) }
                            td {
                                @if let Some(remedy) = &finding.remedy {
                                    code { (safe(remedy)) }
                                }
                            }
                        }
                    }
                }
            }
        }
    };
    layout::page(StatusCode::OK, "Setup", Some(&user), "/setup", content)
}

/// Returns the sign before the word.
fn mark(level: Level) -> &'static str {
    match level {
        Level::Ok => "✓ ",
        Level::Warning => "! ",
        Level::Error => "✗ ",
    }
}
