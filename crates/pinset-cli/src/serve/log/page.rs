//! The log as an HTML page and as JSON. Everything that callers and clients send is
//! escaped.

use jiff::tz::TimeZone;
use jiff::Timestamp;
use maud::{html, Markup, DOCTYPE};
use pinset::escape::escape_invisible;

use super::filter::{Filter, LogRow, PAGE_ROWS};
use crate::serve::config::{LOGS, LOGS_JSON, LOGS_STYLE};

pub(crate) const STYLE: &str = "\
body { font: 14px/1.4 system-ui, sans-serif; margin: 1.5rem; }
form { display: flex; flex-wrap: wrap; gap: .5rem; align-items: end; margin-bottom: 1rem; }
.filter { margin-right: .5rem; }
label { display: flex; flex-direction: column; font-size: 12px; }
table { border-collapse: collapse; width: 100%; }
th, td { border-bottom: 1px solid #ccc; padding: .25rem .5rem; text-align: left; vertical-align: top; }
td.body { font: 12px/1.4 monospace; max-width: 28rem; overflow-wrap: anywhere; }
tr.error td, tr.refused td, tr.unauthorized td { background: #fdeaea; }
tr.success td { background: #eefaee; }
";

/// The outcomes of calls and requests.
const OUTCOMES: [&str; 11] = [
    "gather",
    "again",
    "success",
    "failure",
    "expired",
    "locked",
    "error",
    "refused",
    "unauthorized",
    "hangup",
    "ignored",
];

/// Returns the page with these rows.
pub(crate) fn rows(filter: &Filter, found: &[LogRow]) -> String {
    let zone = TimeZone::system();
    let page = found.get(..PAGE_ROWS).unwrap_or(found);
    let older = page.last().filter(|_| found.len() > PAGE_ROWS);
    html! {
        (DOCTYPE)
        html lang="en" {
            head {
                meta charset="utf-8";
                title { "Requests" }
                link rel="stylesheet" href=(LOGS_STYLE);
            }
            body {
                h1 { "Requests" }
                @if filter.edit.is_empty() {
                    (summary(filter))
                } @else {
                    (form(filter))
                }
                table id="log" {
                    thead {
                        tr {
                            @for head in ["Time", "Method", "Path", "Client", "Caller", "Outcome",
                                "Account", "Status", "Duration", "Call", "Request", "Response"] {
                                th { (head) }
                            }
                        }
                    }
                    tbody {
                        @for row in page {
                            (line(row, &zone))
                        }
                    }
                }
                @if page.is_empty() {
                    p id="none" { "No matching requests." }
                }
                nav {
                    @if let Some(last) = older {
                        a id="older" href=(link(LOGS, filter, Some(last.id))) { "Older" }
                        " "
                    }
                    a id="json" href=(link(LOGS_JSON, filter, None)) { "JSON" }
                }
            }
        }
    }
    .into_string()
}

/// Returns the rows of a page as JSON.
pub(crate) fn json(found: &[LogRow]) -> String {
    let page = found.get(..PAGE_ROWS).unwrap_or(found);
    let rows = serde_json::json!({ "rows": page, "more": found.len() > PAGE_ROWS });
    format!("{rows}\n")
}

/// Returns whether the browser should reload the page regularly: not while the form is
/// open, and not for older rows, which do not change.
pub(crate) fn refreshes(filter: &Filter) -> bool {
    filter.edit.is_empty() && filter.before.is_empty()
}

/// Returns name, label and value of the filters that are text fields.
fn texts(filter: &Filter) -> [(&'static str, &'static str, &String); 7] {
    [
        ("from", "From", &filter.from),
        ("to", "To", &filter.to),
        ("caller", "Caller", &filter.caller),
        ("status", "Status", &filter.status),
        ("path", "Path", &filter.path),
        ("uuid", "UUID", &filter.uuid),
        ("text", "Text", &filter.text),
    ]
}

/// Returns the active filters and a link to the form.
fn summary(filter: &Filter) -> Markup {
    let texts = texts(filter).into_iter();
    let outcome = [("outcome", "Outcome", &filter.outcome)];
    let given = texts
        .chain(outcome)
        .filter(|(_, _, value)| !value.is_empty());
    let edit = Filter {
        edit: "1".to_owned(),
        ..filter.clone()
    };
    html! {
        p id="summary" {
            @for (name, label, value) in given {
                span.filter data-name=(name) { (label) ": " (escape_invisible(value.as_bytes())) }
                " "
            }
            a id="edit" href=(link(LOGS, &edit, None)) { "Filter" }
            " "
            a id="all" href=(LOGS) { "All" }
        }
    }
}

fn form(filter: &Filter) -> Markup {
    html! {
        form id="filters" method="get" action=(LOGS) {
            @for (name, label, value) in texts(filter) {
                label {
                    (label)
                    input name=(name) value=(value) autocomplete="off";
                }
            }
            label {
                "Outcome"
                select name="outcome" {
                    option value="" { "any" }
                    @for outcome in OUTCOMES {
                        option value=(outcome) selected[filter.outcome == outcome] { (outcome) }
                    }
                }
            }
            button type="submit" { "Filter" }
            a id="all" href=(LOGS) { "All" }
        }
    }
}

fn line(row: &LogRow, zone: &TimeZone) -> Markup {
    let safe = |text: &str| escape_invisible(text.as_bytes());
    html! {
        tr class=(row.outcome) id={ "row-" (row.id) } {
            td.time { (time(row.time, zone)) }
            td.method { (safe(&row.method)) }
            td.path { (safe(&row.path)) }
            td.client { (safe(&row.client)) }
            td.caller { (safe(&row.caller)) }
            td.outcome { (row.outcome) }
            td.account { (safe(&row.account)) }
            td.status { (row.status) }
            td.duration { (row.duration / 1000) "." (format!("{:03}", row.duration % 1000)) " ms" }
            td.call { (call(row)) }
            td.body.request { (safe(&row.request)) }
            td.body.response { (safe(&row.response)) }
        }
    }
}

/// Returns the end of the call, if it has been reported, and a link to its requests.
fn call(row: &LogRow) -> Markup {
    let safe = |text: &str| escape_invisible(text.as_bytes());
    let reported = |text: &Option<String>| text.clone().filter(|text| !text.is_empty());
    let filter = Filter {
        uuid: row.uuid.clone(),
        ..Filter::default()
    };
    html! {
        @if let Some(outcome) = reported(&row.call_outcome) {
            (safe(&outcome)) " "
        }
        @if let Some(destination) = reported(&row.call_destination) {
            "to " (safe(&destination)) " "
        }
        @if let Some(seconds) = row.call_duration {
            (seconds) " s "
        }
        @if !row.uuid.is_empty() {
            a.uuid href=(link(LOGS, &filter, None)) { (safe(&row.uuid)) }
        }
    }
}

fn time(milliseconds: i64, zone: &TimeZone) -> String {
    let Ok(time) = Timestamp::from_millisecond(milliseconds) else {
        return String::new();
    };
    let time = time.to_zoned(zone.clone());
    time.strftime("%Y-%m-%d %H:%M:%S%.3f %:z").to_string()
}

/// Returns a link to a page with the same filters, for rows older than `before`.
fn link(page: &str, filter: &Filter, before: Option<i64>) -> String {
    let before = before.map_or_else(String::new, |id| id.to_string());
    let fields = [
        ("from", &filter.from),
        ("to", &filter.to),
        ("caller", &filter.caller),
        ("outcome", &filter.outcome),
        ("status", &filter.status),
        ("path", &filter.path),
        ("uuid", &filter.uuid),
        ("text", &filter.text),
        ("before", &before),
        ("edit", &filter.edit),
    ];
    let given = fields.into_iter().filter(|(_, value)| !value.is_empty());
    let mut query = form_urlencoded::Serializer::new(String::new());
    query.extend_pairs(given);
    let query = query.finish();
    match query.is_empty() {
        true => page.to_owned(),
        false => format!("{page}?{query}"),
    }
}
