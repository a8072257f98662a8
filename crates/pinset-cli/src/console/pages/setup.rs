//! The checks of the installation.

use std::sync::Arc;

use axum::extract::State;
use axum::http::StatusCode;
use axum::response::Response;
use axum::Extension;
use futures_util::future::join;
use maud::html;
use tokio::task::spawn_blocking;

use super::layout::{self, safe};
use crate::common::finding::Level;
use crate::console::access::CurrentUser;
use crate::console::app::App;
use crate::console::users::Role;
use crate::console::{checks, local_checks, pbxs};

/// Answers with the page.
pub(in crate::console) async fn page(
    State(app): State<Arc<App>>,
    Extension(user): Extension<CurrentUser>,
) -> Response {
    let checking = Arc::clone(&app);
    let local = spawn_blocking(move || {
        let config = &checking.config;
        [checks::findings(config), local_checks::findings(config)].concat()
    });
    let (local, pbxs) = join(local, pbxs::findings(&app.pbxs)).await;
    // A panic was reported.
    let mut findings = local.unwrap_or_default();
    findings.extend(pbxs);
    let content = html! {
        @if user.role >= Role::Admin {
            @for name in app.pbxs.keys() {
                form method="post" action="/reload" {
                    input type="hidden" name="pbx" value=(name);
                    button type="submit" { "Reload authenticate.conf of " (name) }
                }
            }
        }
        (layout::table("What the console needs, and the command that mends what is missing", html! {
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
        }))
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
