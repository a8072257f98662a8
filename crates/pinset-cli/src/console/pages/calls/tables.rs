//! Form and tables of the page of calls.

use maud::{html, Markup};

use super::order::TOTALS_COLUMNS;
use super::query::{CallsQuery, FieldProblem, Period};
use crate::console::pages::callers;
use crate::console::pages::layout::{self, safe};
use crate::console::pages::sorting::sortable;
use crate::reports::{CallPart, IdentityTotals, StoredRow, DISPOSITIONS};

/// The headings of calls, the words of the columns in URLs, and whether
/// they are numbers.
const HEADINGS: [(&str, &str, bool); 9] = [
    ("Start", "start", false),
    ("Identity", "identity", false),
    ("PIN set", "pinset", false),
    ("Number", "number", false),
    ("Called", "called", false),
    ("Answered", "answered", false),
    ("Length", "length", true),
    ("Billed", "billed", true),
    ("Result", "result", false),
];

/// Returns the form of the selection.
pub(super) fn form(
    query: &CallsQuery,
    pin_sets: &[String],
    periods: &[Period],
    problems: &[FieldProblem],
) -> Markup {
    html! {
        form.filters method="get" action="/calls" {
            (text_field("from", "From", query.from(), problems))
            (text_field("to", "To", query.to(), problems))
            (text_field("identity", "Identity", &query.identity, problems))
            (select("pinset", "PIN set", &query.pinset, pin_sets.iter().map(String::as_str)))
            (text_field("number", "Number", &query.number, problems))
            (select("result", "Result", &query.result, DISPOSITIONS.into_iter().rev()))
            @for (name, value) in [
                ("sort", &query.sort), ("order", &query.order), ("totals", &query.totals),
            ] {
                @if !value.is_empty() { input type="hidden" name=(name) value=(value); }
            }
            button type="submit" { "Show" }
        }
        p {
            @for period in periods {
                a href=(query.link("/calls", &[("from", &period.from), ("to", &period.to)])) {
                    (period.name)
                } " "
            }
        }
    }
}

fn text_field(name: &str, label: &str, value: &str, problems: &[FieldProblem]) -> Markup {
    let problem = problems.iter().find(|problem| problem.field == name);
    let error = format!("{name}-error");
    html! {
        label {
            (label)
            input name=(name) value=(value) autocomplete="off"
                aria-invalid=[problem.map(|_| "true")]
                aria-describedby=[problem.map(|_| &error)];
            @if let Some(problem) = problem {
                span.error id=(error) { (problem.message) }
            }
        }
    }
}

/// Returns a choice. A value that is not among the names, such as one from a link, stays.
fn select<'a>(
    name: &str,
    label: &str,
    value: &'a str,
    names: impl Iterator<Item = &'a str>,
) -> Markup {
    let mut names: Vec<&str> = names.collect();
    if !value.is_empty() && !names.contains(&value) {
        names.push(value);
    }
    html! {
        label {
            (label)
            select name=(name) {
                option value="" { "all" }
                @for name in names {
                    option value=(name) selected[name == value] { (safe(name)) }
                }
            }
        }
    }
}

/// Returns the number of calls and their billed time, in words.
pub(super) fn summary(totals: &[IdentityTotals]) -> String {
    let calls = totals.iter().map(|row| row.calls).sum();
    let billed = totals
        .iter()
        .map(|row| row.billed)
        .fold(0, u64::saturating_add);
    format!("{} calls, {} billed", grouped(calls), duration(billed))
}

/// Returns the identities with the most billed time.
pub(super) fn identities(query: &CallsQuery, mut totals: Vec<IdentityTotals>) -> Markup {
    let all = totals.len();
    query.sort_totals(&mut totals);
    let before = totals
        .iter()
        .position(|row| row.identity == query.totals_after);
    let start = match before.filter(|_| !query.totals_after.is_empty()) {
        Some(before) => before + 1,
        None => 0,
    };
    totals.drain(..start);
    let has_more = totals.len() > query.page_rows();
    totals.truncate(query.page_rows());
    let mut caption = "Totals by identity".to_owned();
    if all > totals.len() {
        let last = start + totals.len();
        caption += &format!(": {} to {last} of {}", start + 1, grouped(all as u64));
    }
    html! {
        (layout::table(&caption, html! {
            thead {
                tr {
                    @for (heading, word, is_number) in TOTALS_COLUMNS {
                        (sortable(
                            (heading, is_number),
                            query.totals_direction(word),
                            &query.totals_link(word, is_number),
                        ))
                    }
                }
            }
            tbody {
                @for row in &totals {
                    tr {
                        td { (identity(query, &row.identity)) }
                        td.number { (grouped(row.calls)) }
                        td.number { (grouped(row.answered)) }
                        td.number { (duration(row.billed)) }
                    }
                }
                @if totals.is_empty() { tr { td colspan="4" { "There is no call." } } }
            }
        }))
        @if start > 0 || has_more {
            p.screen {
                @if start > 0 { a href=(query.link("/calls", &[])) { "First identities" } " " }
                @if let Some(last) = totals.last().filter(|_| has_more) {
                    a href=(query.link("/calls", &[("totals_after", &last.identity)])) {
                        "Next identities"
                    }
                }
            }
        }
    }
}

/// Returns a link to the calls of an identity.
fn identity(query: &CallsQuery, name: &str) -> Markup {
    html! {
        @if name.is_empty() { "none" } @else {
            a href=(query.link("/calls", &[("identity", name)])) { (safe(name)) }
        }
    }
}

/// Returns a page of calls. There may be one row more than it shows.
pub(super) fn calls(query: &CallsQuery, mut rows: Vec<StoredRow>) -> Markup {
    let rows_of_page = query.page_rows();
    let has_more = rows.len() > rows_of_page;
    let part = query.part();
    let is_back = matches!(part, CallPart::Before(_));
    match is_back {
        // The row in excess is at the front.
        true => drop(rows.drain(..rows.len().saturating_sub(rows_of_page))),
        false => rows.truncate(rows_of_page),
    }
    let has_next = is_back || has_more;
    let has_previous = if is_back {
        has_more
    } else {
        part != CallPart::First
    };
    html! {
        (layout::table("Calls", html! {
            thead {
                tr {
                    @for (heading, word, is_number) in HEADINGS {
                        (sortable(
                            (heading, is_number),
                            query.direction(word),
                            &query.sort_link(word, is_number),
                        ))
                    }
                }
            }
            tbody {
                @for call in &rows { (row(query, call)) }
                @if rows.is_empty() {
                    tr { td colspan=(HEADINGS.len()) { "There is no call." } }
                }
            }
        }))
        p.screen {
            @if let Some(first) = rows.first().filter(|_| has_previous) {
                a href=(query.link("/calls", &[])) { "First " (rows_of_page) } " "
                a href=(query.link("/calls", &[("before", &key(first))])) {
                    "Previous " (rows_of_page)
                } " "
            }
            @if let Some(last) = rows.last().filter(|_| has_next) {
                a href=(query.link("/calls", &[("after", &key(last))])) { "Next " (rows_of_page) }
            }
        }
    }
}

fn key(row: &StoredRow) -> String {
    format!("{}.{}", row.key.began, row.key.first)
}

fn row(query: &CallsQuery, call: &StoredRow) -> Markup {
    html! {
        tr {
            td { (safe(&call.start)) }
            td { (identity(query, &call.identity)) }
            td { (safe(&call.pin_set)) }
            td { (caller(&call.caller)) }
            td { (safe(&call.called)) }
            td { (safe(&call.answer)) }
            td.number { (duration(call.duration)) }
            td.number { (duration(call.billed)) }
            td { (safe(&call.disposition)) }
        }
    }
}

/// Returns a link to the page of a caller.
fn caller(number: &str) -> Markup {
    html! {
        @if !number.is_empty() { a href=(callers::link(number, None)) { (safe(number)) } }
    }
}

/// Returns a number with a comma before each three digits.
pub(super) fn grouped(number: u64) -> String {
    let digits = number.to_string();
    let mut text = String::new();
    for (at, digit) in digits.chars().enumerate() {
        if at > 0 && (digits.len() - at) % 3 == 0 {
            text.push(',');
        }
        text.push(digit);
    }
    text
}

/// Returns a time in hours and minutes; below a minute, in seconds.
pub(super) fn duration(seconds: u64) -> String {
    match seconds {
        ..60 => format!("{seconds} s"),
        60..3600 => format!("{} min {} s", seconds / 60, seconds % 60),
        _ => format!("{} h {} min", grouped(seconds / 3600), seconds / 60 % 60),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_and_times_are_readable() {
        for (number, text) in [
            (0, "0"),
            (999, "999"),
            (1204, "1,204"),
            (1_000_000, "1,000,000"),
        ] {
            assert_eq!(grouped(number), text);
        }
        for (seconds, text) in [
            (59, "59 s"),
            (61, "1 min 1 s"),
            (3600, "1 h 0 min"),
            (220_800, "61 h 20 min"),
            (3_600_000, "1,000 h 0 min"),
        ] {
            assert_eq!(duration(seconds), text);
        }
    }
}
