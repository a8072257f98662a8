//! Selection of the rows of a page: search, filters, order, the part of the rows.

use std::collections::HashMap;

use super::{RowView, RowsPage, PAGE_ROWS};

/// A column by which rows are sorted.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(in crate::console) enum SortColumn {
    Account,
    Name,
    Number,
    Level,
    Until,
    Uses,
    Secret,
    State,
    Line,
}

impl SortColumn {
    /// All of them, with their words in URLs.
    pub(in crate::console) const WORDS: [(Self, &'static str); 9] = [
        (Self::Account, "account"),
        (Self::Name, "name"),
        (Self::Number, "number"),
        (Self::Level, "level"),
        (Self::Until, "until"),
        (Self::Uses, "uses"),
        (Self::Secret, "secret"),
        (Self::State, "state"),
        (Self::Line, "line"),
    ];

    /// Returns its word in URLs.
    pub(in crate::console) fn word(self) -> &'static str {
        let mut all = Self::WORDS.into_iter();
        all.find_map(|(column, word)| (column == self).then_some(word))
            .unwrap_or_default()
    }
}

/// What rows are sorted by: a text, then the line, so that no two are equal.
pub(in crate::console) type Anchor = (String, u64);

/// How often rows were used, by their lines. Those that are not here were not.
pub(in crate::console) type UseCounts = HashMap<u64, u64>;

/// The rows that a page shows.
#[derive(Clone)]
pub(in crate::console) struct RowSelection {
    pub filter: RowFilter,
    pub column: SortColumn,
    pub is_descending: bool,
    /// For the order by uses.
    pub uses: UseCounts,
    /// The row before those of the page.
    pub after: Option<Anchor>,
    /// The row after those of the page.
    pub before: Option<Anchor>,
}

impl RowSelection {
    /// Returns whether a row is before the one of an anchor (`Less`), or after it.
    pub(super) fn order(&self, row: &RowView, anchor: &Anchor) -> std::cmp::Ordering {
        let order = self.key(row).cmp(anchor);
        match self.is_descending {
            true => order.reverse(),
            false => order,
        }
    }

    /// Returns what the first and the last of these rows are sorted by.
    pub(super) fn ends(&self, rows: &[RowView]) -> Option<(Anchor, Anchor)> {
        Some((self.key(rows.first()?), self.key(rows.last()?)))
    }

    /// Returns what a row is sorted by.
    fn key(&self, row: &RowView) -> Anchor {
        match self.column {
            SortColumn::Uses => {
                let uses = self.uses.get(&row.line).copied().unwrap_or_default();
                (format!("{uses:020}"), row.line)
            }
            column => key(row, column),
        }
    }
}

/// Which rows fit.
#[derive(Clone, Default)]
pub(in crate::console) struct RowFilter {
    /// The text that account, name or number contain, in lower case.
    pub(super) text: String,
    /// The digits that the number contains, however it is written.
    pub(super) digits: Option<String>,
    /// The words of the state and of the form of the secret. Empty is any.
    pub(super) state: String,
    pub(super) secret: String,
}

/// Fewest digits by which a number is found however it is written.
const MIN_DIGITS: usize = 3;

impl RowFilter {
    /// Returns the filter for a search as it was typed, and for the words of a state and
    /// a form of secrets.
    pub(in crate::console) fn new(search: &str, state: &str, secret: &str) -> Self {
        let text = search.trim().to_lowercase();
        let digits = digits(&text).trim_start_matches('0').to_owned();
        Self {
            digits: (digits.len() >= MIN_DIGITS).then_some(digits),
            text,
            state: state.to_owned(),
            secret: secret.to_owned(),
        }
    }

    fn fits(&self, row: &RowView) -> bool {
        let wanted = |filter: &str, value: &str| filter.is_empty() || filter == value;
        let has = |text: &str| text.to_lowercase().contains(&self.text);
        let has_digits = |wanted: &String| digits(&row.caller).contains(wanted);
        wanted(&self.state, row.state.word())
            && wanted(&self.secret, row.form)
            && (self.text.is_empty()
                || has(&row.account)
                || has(&row.name)
                || has(&row.caller)
                || self.digits.as_ref().is_some_and(has_digits))
    }
}

/// Returns the digits of a text.
pub(super) fn digits(text: &str) -> String {
    text.chars().filter(char::is_ascii_digit).collect()
}

/// Returns the part of the rows that is selected.
pub(in crate::console) fn select(mut rows: Vec<RowView>, selection: &RowSelection) -> RowsPage {
    rows.retain(|row| selection.filter.fits(row));
    rows.sort_by_cached_key(|row| selection.key(row));
    if selection.is_descending {
        rows.reverse();
    }
    let found = rows.len();
    let start = match (&selection.after, &selection.before) {
        (Some(after), _) => rows.partition_point(|row| selection.order(row, after).is_le()),
        (None, Some(before)) => {
            let end = rows.partition_point(|row| selection.order(row, before).is_lt());
            end.saturating_sub(PAGE_ROWS)
        }
        (None, None) => 0,
    };
    let mut page = rows.split_off(start.min(found));
    let has_next = page.len() > PAGE_ROWS;
    page.truncate(PAGE_ROWS);
    RowsPage {
        ends: selection.ends(&page),
        rows: page,
        found,
        has_previous: start > 0,
        has_next,
    }
}

/// More seconds than a date can be before 1970.
const MAX_BEFORE_1970: i64 = 1 << 40;

/// Returns what a row is sorted by, unless that is its uses.
pub(super) fn key(row: &RowView, column: SortColumn) -> Anchor {
    let text = match column {
        SortColumn::Account => row.account.to_lowercase(),
        SortColumn::Name => row.name.to_lowercase(),
        SortColumn::Number => row.caller.clone(),
        SortColumn::Level => format!("{:0>3}", row.level),
        // Rows without an end are last.
        SortColumn::Until => row.until.map_or_else(
            || "~".to_owned(),
            // Years begin with 0, so that no time is as long before 1970.
            |until| format!("{:020}", until.seconds().saturating_add(MAX_BEFORE_1970)),
        ),
        SortColumn::Secret => row.form.to_owned(),
        // As in [`super::RowState::WORDS`].
        SortColumn::State => row.state.at().to_string(),
        SortColumn::Uses | SortColumn::Line => String::new(),
    };
    (text, row.line)
}
