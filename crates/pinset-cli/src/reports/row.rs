//! A row of the report.

use super::call::Call;
use crate::common::csv::push_row;
use crate::common::sanitize::safe_cell;

/// The columns of the calls.
pub(super) const COLUMNS: [&str; 11] = [
    "identity",
    "pin_set",
    "caller",
    "called",
    "start",
    "answer",
    "end",
    "duration_seconds",
    "billed_seconds",
    "disposition",
    "uniqueid",
];

/// A call with its identity and its seconds.
pub(super) struct ReportRow<'a> {
    pub call: &'a Call,
    pub identity: &'a str,
    pub pin_set: &'a str,
    pub duration: u64,
    pub billed: u64,
}

impl<'a> ReportRow<'a> {
    pub(super) fn new(call: &'a Call) -> Self {
        // An admitted PIN may have no account; a refused caller has none.
        let identity = match &call.outcome {
            Some(outcome) if !outcome.admitted || !outcome.identity.is_empty() => {
                &*outcome.identity
            }
            _ => call.account_code.as_str(),
        };
        Self {
            call,
            identity,
            pin_set: call.outcome.as_ref().map_or("", |outcome| &outcome.pin_set),
            duration: call.duration(),
            billed: call.billed(),
        }
    }

    /// Returns it as CSV.
    pub(super) fn csv(&self) -> Vec<u8> {
        let call = self.call;
        let numbers = [self.duration, self.billed].map(|number| number.to_string());
        let cells = [
            self.identity,
            self.pin_set,
            &call.source,
            &call.destination,
            &call.start,
            &call.answer,
            &call.end,
            &numbers[0],
            &numbers[1],
            &call.disposition,
            &call.unique_id,
        ]
        .map(safe_cell);
        let mut text = Vec::new();
        push_row(&mut text, cells.iter().map(|cell| &**cell), "\n");
        text
    }
}
