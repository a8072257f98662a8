//! Totals per identity, of the whole period or per day.

use std::collections::BTreeMap;

use super::history::IdentityTotals;
use super::row::{ReportRow, ANSWERED};
use crate::common::csv::push_row;
use crate::common::sanitize::safe_cell;

/// The columns, after the day if there is one.
const COLUMNS: [&str; 5] = [
    "identity",
    "calls",
    "answered",
    "duration_seconds",
    "billed_seconds",
];

/// The totals, by day and identity.
pub(crate) struct Totals {
    by_day: bool,
    all: BTreeMap<(String, String), [u64; 4]>,
}

impl Totals {
    /// Creates totals per day, or of the whole period.
    pub(crate) fn new(by_day: bool) -> Self {
        Self {
            by_day,
            all: BTreeMap::new(),
        }
    }

    /// Adds the totals of an identity, of the whole period.
    pub(crate) fn add_identity(&mut self, row: &IdentityTotals) {
        let more = [row.calls, row.answered, row.duration, row.billed];
        self.add_to(String::new(), &row.identity, more);
    }

    pub(super) fn add(&mut self, row: &ReportRow<'_>) {
        let answered = u64::from(row.disposition == ANSWERED);
        let day = if self.by_day { row.day() } else { "" };
        let more = [1, answered, row.duration, row.billed];
        self.add_to(day.to_owned(), row.identity, more);
    }

    fn add_to(&mut self, day: String, identity: &str, more: [u64; 4]) {
        let totals = self.all.entry((day, identity.to_owned())).or_default();
        for (total, more) in totals.iter_mut().zip(more) {
            *total = total.saturating_add(more);
        }
    }

    /// Returns the totals as CSV.
    pub(crate) fn csv(&self) -> Vec<u8> {
        let mut text = Vec::new();
        let columns = self.by_day.then_some("day").into_iter().chain(COLUMNS);
        push_row(&mut text, columns, "\n");
        for ((date, identity), totals) in &self.all {
            let numbers = totals.map(|total| total.to_string());
            let (date, identity) = (safe_cell(date), safe_cell(identity));
            let cells = self
                .by_day
                .then_some(&*date)
                .into_iter()
                .chain([&*identity]);
            let cells = cells.chain(numbers.iter().map(String::as_str));
            push_row(&mut text, cells, "\n");
        }
        text
    }
}
