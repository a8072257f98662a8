//! Who called when: the calls of a period, their totals and a chart, and all of them as
//! CSV.

mod chart;
mod order;
mod query;
mod tables;

use std::sync::Arc;
use std::time::SystemTime;

use axum::extract::{Query, State};
use axum::http::StatusCode;
use axum::response::Response;
use axum::Extension;
use maud::{html, Markup};
use pinset::timestamp::Zone;
use tokio::task::spawn_blocking;

use super::{error, layout};
use crate::common::error::note;
use crate::common::finding::Level;
use crate::console::access::CurrentUser;
use crate::console::app::App;
use crate::console::calls::{CsvError, Download};
use crate::console::{calls, checks};
use crate::reports::{
    CallFilter, HistorySource, IdentityTotals, SlotTotals, SourceState, StoredRow,
};
use chart::Chart;
use query::{CallsQuery, FieldProblem};

const TITLE: &str = "Calls";
const PATH: &str = "/calls";

/// What a page reads from the database.
struct PageData {
    pin_sets: Vec<String>,
    states: [Option<SourceState>; 2],
    /// `None` if the selection is invalid.
    selected: Option<SelectedCalls>,
}

/// The selected calls.
struct SelectedCalls {
    filter: CallFilter,
    rows: Vec<StoredRow>,
    totals: Vec<IdentityTotals>,
    slots: Vec<SlotTotals>,
}

const SOURCES: [HistorySource; 2] = [HistorySource::Cdr, HistorySource::AuditLog];

/// Answers with the page.
pub(in crate::console) async fn page(
    State(app): State<Arc<App>>,
    Extension(user): Extension<CurrentUser>,
    Query(query): Query<CallsQuery>,
) -> Response {
    let query = query.with_default_period(SystemTime::now());
    show(app, user, query).await
}

async fn show(app: Arc<App>, user: CurrentUser, query: CallsQuery) -> Response {
    let (filter, problems) = match query.filter() {
        Ok(filter) => (Some(filter), Vec::new()),
        Err(problems) => (None, problems),
    };
    let (reading, asked) = (Arc::clone(&app), query.clone());
    let found = spawn_blocking(move || find(&reading, filter, &asked)).await;
    let found = match found {
        Ok(Ok(found)) => found,
        Ok(Err(why)) => return unreadable(&why),
        // The panic was reported.
        Err(_) => return unreadable(&rusqlite::Error::InvalidQuery),
    };
    let status = match problems.as_slice() {
        [] => StatusCode::OK,
        _ => StatusCode::UNPROCESSABLE_ENTITY,
    };
    let content = content(&app, &query, found, &problems);
    layout::page(status, TITLE, Some(&user), PATH, content)
}

/// Reads what the page shows.
fn find(app: &App, filter: Option<CallFilter>, query: &CallsQuery) -> rusqlite::Result<PageData> {
    let reader = app.calls.reader()?;
    let [cdr, log] = SOURCES.map(|source| reader.state(source));
    let selected = match filter {
        None => None,
        Some(filter) => {
            let totals = reader.totals(&filter)?;
            Some(SelectedCalls {
                rows: reader.page(
                    &filter,
                    query.order(),
                    query.part(),
                    query.page_rows() + 1,
                    calls_of(&totals),
                )?,
                totals,
                slots: reader.slots(&filter)?,
                filter,
            })
        }
    };
    Ok(PageData {
        pin_sets: reader.pin_sets()?,
        states: [cdr?, log?],
        selected,
    })
}

/// Returns the number of calls.
fn calls_of(totals: &[IdentityTotals]) -> u64 {
    totals.iter().map(|row| row.calls).sum()
}

fn content(app: &App, query: &CallsQuery, found: PageData, problems: &[FieldProblem]) -> Markup {
    let periods = query::periods(SystemTime::now());
    html! {
        @if !problems.is_empty() {
            div.errors role="alert" tabindex="-1" autofocus {
                p { "No call is shown, because the selection is invalid:" }
                ul {
                    @for problem in problems {
                        li { (field_name(problem.field)) ": " (problem.message) "." }
                    }
                }
            }
        }
        @for (source, state) in SOURCES.into_iter().zip(&found.states) {
            (source_state(app, source, state.as_ref()))
        }
        @if !query.is_for_print() {
            (tables::form(query, &found.pin_sets, &periods, problems))
        }
        @if let Some(selected) = found.selected {
            (results(app, query, selected))
        }
    }
}

fn field_name(field: &str) -> &'static str {
    match field {
        "from" => "From",
        _ => "To",
    }
}

fn results(app: &App, query: &CallsQuery, selected: SelectedCalls) -> Markup {
    let chart = Chart::new(&selected.filter, &selected.slots, &Zone::of_the_machine());
    let calls = calls_of(&selected.totals);
    let config = &app.config;
    html! {
        p {
            strong { (tables::summary(&selected.totals)) } " "
            @if query.is_for_print() {
                (query.period()) " "
                a.screen href=(query.link("/calls", &[])) { "Back" }
            } @else {
                a href=(query.link("/calls.csv", &[])) { "CSV of all " (tables::grouped(calls)) } " "
                a href=(query.link("/calls-totals.csv", &[])) { "CSV of the totals" } " "
                a href=(query.link("/calls", &[("print", "yes")])) { "Print" }
            }
        }
        @if !chart.bars.is_empty() { (chart.markup()) }
        (tables::identities(query, selected.totals))
        (tables::calls(query, selected.rows))
        p {
            "The same on the command line: "
            code { (layout::safe(&query.command(&config.numbering, &config.cdr, &config.audit_log))) }
        }
        p { "Rotated files that were read must be named there, too." }
    }
}

/// Returns how far a file is read, and what is missing.
fn source_state(app: &App, source: HistorySource, state: Option<&SourceState>) -> Markup {
    let (finding, path, kind) = match source {
        HistorySource::Cdr => (checks::cdr(&app.config), &app.config.cdr, "calls"),
        HistorySource::AuditLog => (
            checks::audit_log(&app.config),
            &app.config.audit_log,
            "identities and PIN sets",
        ),
    };
    let path = path.display().to_string();
    let problem = app.calls.problem(source);
    let time = |seconds: i64| layout::time(seconds.saturating_mul(1000));
    html! {
        p {
            "The " (kind) " are read from " code { (path) }
            @match state.filter(|state| state.read > 0) {
                Some(state) => { ", last line at " (time(state.read)) "." }
                None => { ", of which no line was read yet." }
            }
            @if let Some(percent) = state.and_then(|state| calls::unread_percent(state, &path)) {
                " It is being read: " (percent) " % are missing."
            }
        }
        @if finding.level != Level::Ok {
            p.warning {
                (layout::safe(&finding.message))
                @if let Some(remedy) = &finding.remedy { " " code { (layout::safe(remedy)) } }
            }
        } @else if let Some(problem) = problem {
            p.warning { (layout::safe(&problem)) }
        }
        @if let Some(state) = state {
            @if source == HistorySource::Cdr && !state.has_ids {
                p.warning {
                    "Calls can't be looked up in the audit log, because the CDR has no unique ids. "
                    "Add " code { "loguniqueid = yes" } " to " code { "[csv]" }
                    " of cdr.conf, and run " code { "asterisk -rx 'module reload cdr_csv.so'" } "."
                }
            }
            @if state.skipped > 0 {
                p.warning {
                    "Lines of " code { (path) } " that can't be read and were skipped: "
                    (tables::grouped(state.skipped)) "."
                }
            }
            @if let Some(gap) = state.gap {
                p.warning {
                    "Some lines of " code { (path) } " from before " (time(gap)) " may be missing: "
                    "the file was replaced, and the rest of the old one was not beside it. "
                    "Use " code { "delaycompress" } " in the configuration of logrotate."
                }
            }
        }
    }
}

/// Answers with all selected calls, as `pinset report` writes them.
pub(in crate::console) async fn csv(
    State(app): State<Arc<App>>,
    Extension(user): Extension<CurrentUser>,
    Query(query): Query<CallsQuery>,
) -> Response {
    download(app, user, query, Download::Calls).await
}

/// Answers with the totals, as `pinset report --totals` writes them.
pub(in crate::console) async fn totals_csv(
    State(app): State<Arc<App>>,
    Extension(user): Extension<CurrentUser>,
    Query(query): Query<CallsQuery>,
) -> Response {
    download(app, user, query, Download::Totals).await
}

async fn download(app: Arc<App>, user: CurrentUser, query: CallsQuery, kind: Download) -> Response {
    let query = query.with_default_period(SystemTime::now());
    let Ok(filter) = query.filter() else {
        return show(app, user, query).await;
    };
    match app.calls.download(filter, kind).await {
        Ok(response) => response,
        Err(CsvError::TooMany) => error::page(
            StatusCode::SERVICE_UNAVAILABLE,
            "Too many files are being downloaded.",
            "Try again when another download has ended.",
        ),
        Err(CsvError::Database(why)) => unreadable(&why),
    }
}

fn unreadable(why: &rusqlite::Error) -> Response {
    note(format!("the database of calls can't be read: {why}"));
    error::page(
        StatusCode::SERVICE_UNAVAILABLE,
        "The calls can't be read, or not in time.",
        "Select fewer days. As root: journalctl -u pinset-console.",
    )
}
