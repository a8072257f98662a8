//! The table of the rows of a PIN file.

use maud::{html, Markup};
use pinset::Numbering;

use super::super::layout::{self, safe};
use super::super::sorting::{direction, sortable};
use super::query::{url, RowQuery};
use super::uses::{FileState, FileUses};
use super::{chosen, row as row_pages};
use crate::console::access::CurrentUser;
use crate::console::rows::{RowState, RowView, RowsPage, SortColumn, FORMS, PAGE_ROWS};
use crate::console::users::Role;

/// Columns, and how the rows are sorted by them.
const HEADINGS: [(&str, SortColumn); 9] = [
    ("Account", SortColumn::Account),
    ("Name", SortColumn::Name),
    ("Number", SortColumn::Number),
    ("Level", SortColumn::Level),
    ("Valid", SortColumn::Until),
    ("Uses", SortColumn::Uses),
    ("Secret", SortColumn::Secret),
    ("State", SortColumn::State),
    ("Line", SortColumn::Line),
];

/// The columns with numbers.
const NUMBERS: [&str; 3] = ["Level", "Uses", "Line"];

/// The rows of a page, and what is known about those of the file.
pub(super) struct Table<'a> {
    pub page: &'a RowsPage,
    pub tags: &'a [String],
    /// Number of rows in the file.
    pub all: usize,
    /// Whether the whole file was read, and not its index.
    pub is_whole: bool,
    pub state: &'a FileState,
    pub numbering: &'a Numbering,
    pub user: &'a CurrentUser,
}

/// Returns the search and the table.
pub(super) fn rows(query: &RowQuery, rows: &Table<'_>, may_change: bool) -> Markup {
    let Table { page, state, .. } = rows;
    let table = html! {
        (layout::table(&caption(page, rows.all, &state.uses), html! {
            (head(query, rows.is_whole, may_change))
            tbody {
                @for (row, tag) in page.rows.iter().zip(rows.tags) {
                    (line(&query.name, row, tag, rows, may_change))
                }
                @if page.rows.is_empty() {
                    tr { td colspan=(columns(may_change)) { "There is no such row." } }
                }
            }
        }))
    };
    html! {
        (state.locks.notices(rows.user))
        (search(query))
        @if may_change { (chosen::form(&query.name, &table)) } @else { (table) }
        @if rows.user.role >= Role::Operator {
            (state.locks.forms(&query.name, &page.rows, rows.numbering))
        }
        (parts(query, page))
    }
}

fn columns(may_change: bool) -> usize {
    HEADINGS.len() + if may_change { 2 } else { 0 }
}

fn caption(page: &RowsPage, all: usize, uses: &Option<FileUses>) -> String {
    let rows = match page.found == all {
        true => format!("All {all} rows"),
        false => format!("{} of {all} rows", page.found),
    };
    let uses = uses.as_ref().map_or_else(String::new, |uses| {
        format!(" Uses: of PIN set {} of {}.", uses.pin_set, uses.pbx)
    });
    format!("{rows}. They contain no PIN.{uses}")
}

fn head(query: &RowQuery, is_whole: bool, may_change: bool) -> Markup {
    let (sorted, is_descending) = query.order();
    html! {
        thead {
            tr {
                @if may_change { th scope="col" { "Choose" } }
                @for (heading, column) in HEADINGS {
                    @let is_number = NUMBERS.contains(&heading);
                    @if column == SortColumn::Uses && !is_whole {
                        th.number scope="col" { (heading) }
                    } @else {
                        @let direction = (column == sorted).then(|| direction(is_descending));
                        (sortable((heading, is_number), direction, &query.sorted_by(column)))
                    }
                }
                @if may_change { th scope="col" { "Change" } }
            }
        }
    }
}

fn line(name: &str, row: &RowView, tag: &str, table: &Table<'_>, may_change: bool) -> Markup {
    let used = table
        .state
        .uses
        .as_ref()
        .and_then(|uses| uses.of(row.line, &row.account));
    let account = safe(&row.account);
    html! {
        tr {
            @if may_change {
                td {
                    input type="checkbox" name="row" value=(tag)
                        aria-label={ "Choose " (account) ", line " (row.line) };
                }
            }
            td { (account) }
            td { (safe(&row.name)) }
            td { (safe(&row.caller)) }
            td.number { (safe(&row.level)) }
            td {
                @if !row.valid_from.is_empty() { "from " (safe(&row.valid_from)) " " }
                @if !row.valid_until.is_empty() { "until " (safe(&row.valid_until)) }
            }
            td.number { (uses_text(used, &row.max_uses)) }
            td { (row.form) }
            td class=[matches!(row.state, RowState::Invalid(_)).then_some("error")] {
                (row.state.text())
                @if let RowState::Invalid(why) = &row.state { ": line " (row.line) ", " (why) }
                (table.state.locks.state(row, table.numbering, table.user.role >= Role::Operator))
            }
            td.number { (row.line) }
            @if may_change { td { (row_pages::links(name, tag, row.line, &account)) } }
        }
    }
}

/// Returns how often a row was used, of how many times.
fn uses_text(used: Option<&str>, allowed: &str) -> String {
    match (used, allowed) {
        (None, allowed) => safe(allowed),
        (Some(used), "") => used.to_owned(),
        (Some(used), allowed) => format!("{used}/{}", safe(allowed)),
    }
}

fn search(query: &RowQuery) -> Markup {
    let option = |value: &str, text: &str, chosen: &str| {
        html! { option value=(value) selected[value == chosen] { (text) } }
    };
    html! {
        form.search method="get" action="/pin-file" role="search" {
            input type="hidden" name="name" value=(query.name);
            input type="hidden" name="sort" value=(query.sort);
            label { "Account, name or number" input name="q" type="search" value=(query.q); }
            label {
                "State"
                select name="state" {
                    (option("", "all", &query.state))
                    @for (word, text) in RowState::WORDS { (option(word, text, &query.state)) }
                }
            }
            label {
                "Secret"
                select name="secret" {
                    (option("", "all", &query.secret))
                    @for form in FORMS { (option(form, form, &query.secret)) }
                }
            }
            button type="submit" { "Search" }
            a href=(url("/pin-file", &query.name)) { "All rows" }
        }
    }
}

/// Returns the links to the other parts of the rows.
fn parts(query: &RowQuery, page: &RowsPage) -> Markup {
    html! {
        @if let Some((first, last)) = &page.ends {
            p {
                @if page.has_previous {
                    a href=(query.previous(first)) { "Previous " (PAGE_ROWS) } " "
                }
                @if page.has_next { a href=(query.next(last)) { "Next " (PAGE_ROWS) } }
            }
        }
    }
}
