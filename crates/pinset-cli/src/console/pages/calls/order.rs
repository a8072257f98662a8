//! The order of calls and of totals, and links to other orders.

use std::cmp::Ordering;

use super::query::CallsQuery;
use crate::console::pages::sorting::direction;
use crate::reports::{CallColumn, IdentityTotals, PageOrder};

/// The word for the ascending order in URLs: at first there was one by start only.
const ASCENDING: &str = "oldest";

/// The columns by which calls can be sorted, and their words in URLs.
const SORT_COLUMNS: [(&str, CallColumn); 9] = [
    ("start", CallColumn::Start),
    ("identity", CallColumn::Identity),
    ("pinset", CallColumn::PinSet),
    ("number", CallColumn::Number),
    ("called", CallColumn::Called),
    ("answered", CallColumn::Answer),
    ("length", CallColumn::Duration),
    ("billed", CallColumn::Billed),
    ("result", CallColumn::Disposition),
];

/// The columns by which totals can be sorted, and whether they are numbers.
pub(super) const TOTALS_COLUMNS: [(&str, &str, bool); 4] = [
    ("Identity", "identity", false),
    ("Calls", "calls", true),
    ("Answered", "answered", true),
    ("Billed", "billed", true),
];

impl CallsQuery {
    /// Returns the order of the calls.
    pub(super) fn order(&self) -> PageOrder {
        let mut columns = SORT_COLUMNS.into_iter();
        let column = columns.find(|(word, _)| *word == self.sort);
        PageOrder {
            column: column.map_or(CallColumn::Start, |(_, column)| column),
            is_descending: self.order != ASCENDING,
        }
    }

    /// Returns the link of a heading: to the order by its column, or, if that is the order
    /// already, to the opposite one.
    pub(super) fn sort_link(&self, word: &str, is_number: bool) -> String {
        let order = self.order();
        let is_sorted = SORT_COLUMNS.contains(&(word, order.column));
        let is_ascending = match is_sorted {
            true => order.is_descending,
            false => !is_number,
        };
        let direction = if is_ascending { ASCENDING } else { "" };
        self.link("/calls", &[("sort", word), ("order", direction)])
    }

    /// Returns `ascending` or `descending` if the calls are sorted by a column.
    pub(super) fn direction(&self, word: &str) -> Option<&'static str> {
        let order = self.order();
        let is_sorted = SORT_COLUMNS.contains(&(word, order.column));
        is_sorted.then(|| direction(order.is_descending))
    }

    /// Returns the column of the order of the totals, and whether that is descending.
    fn totals_order(&self) -> (&str, bool) {
        match self.totals.strip_prefix('-') {
            _ if self.totals.is_empty() => ("billed", true),
            Some(word) => (word, true),
            None => (&self.totals, false),
        }
    }

    /// Sorts totals.
    pub(super) fn sort_totals(&self, totals: &mut [IdentityTotals]) {
        let (word, is_descending) = self.totals_order();
        let compare = |one: &IdentityTotals, other: &IdentityTotals| -> Ordering {
            let value = |row: &IdentityTotals| match word {
                "identity" => (0, 0),
                "calls" => (row.calls, row.billed),
                "answered" => (row.answered, row.billed),
                _ => (row.billed, row.calls),
            };
            let order = value(one).cmp(&value(other));
            order.then_with(|| one.identity.cmp(&other.identity))
        };
        totals.sort_by(|one, other| match is_descending {
            true => compare(other, one),
            false => compare(one, other),
        });
    }

    /// Returns the link of a heading of the totals, as [`Self::sort_link`] does.
    pub(super) fn totals_link(&self, word: &str, is_number: bool) -> String {
        let (sorted, is_descending) = self.totals_order();
        let is_ascending = match sorted == word {
            true => is_descending,
            false => !is_number,
        };
        let sign = if is_ascending { "" } else { "-" };
        self.link("/calls", &[("totals", &format!("{sign}{word}"))])
    }

    /// Returns `ascending` or `descending` if the totals are sorted by a column.
    pub(super) fn totals_direction(&self, word: &str) -> Option<&'static str> {
        let (sorted, is_descending) = self.totals_order();
        (sorted == word).then(|| direction(is_descending))
    }
}
