//! How much each identity called.

use std::collections::BTreeMap;

use super::cdr::Call;
use super::safe::safe;
use crate::cells::push_row;

/// The columns.
const COLUMNS: [&str; 5] = [
    "identity",
    "calls",
    "answered",
    "duration_seconds",
    "billed_seconds",
];

/// The totals, by identity.
#[derive(Default)]
pub struct Totals(BTreeMap<String, [u64; 4]>);

impl Totals {
    pub fn add(&mut self, identity: &str, call: &Call<'_>) {
        let answered = u64::from(call.disposition == b"ANSWERED");
        if !self.0.contains_key(identity) {
            self.0.insert(identity.to_owned(), [0; 4]);
        }
        let Some(totals) = self.0.get_mut(identity) else {
            return;
        };
        let more = [1, answered, call.duration, call.billed];
        for (total, more) in totals.iter_mut().zip(more) {
            *total = total.saturating_add(more);
        }
    }

    /// As csv.
    pub fn csv(&self) -> Vec<u8> {
        let mut text = Vec::new();
        push_row(&mut text, COLUMNS, "\n");
        for (identity, totals) in &self.0 {
            let numbers = totals.map(|total| total.to_string());
            let numbers = numbers.iter().map(String::as_str);
            let identity = safe(identity);
            let cells = std::iter::once(&*identity).chain(numbers);
            push_row(&mut text, cells, "\n");
        }
        text
    }
}
