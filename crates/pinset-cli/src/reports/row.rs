//! A row of the report.

use super::call::Call;
use crate::common::csv::push_row;
use crate::common::sanitize::safe_cell;

/// The columns of the calls.
const COLUMNS: [&str; 11] = [
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

/// The disposition of a call that was answered.
pub(super) const ANSWERED: &str = "ANSWERED";

/// A call with its identity and its seconds. Texts have no invisible characters.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) struct ReportRow<'a> {
    pub identity: &'a str,
    pub pin_set: &'a str,
    pub caller: &'a str,
    pub called: &'a str,
    pub start: &'a str,
    pub answer: &'a str,
    pub end: &'a str,
    pub disposition: &'a str,
    pub unique_id: &'a str,
    /// `start`, in seconds since 1970.
    pub began: i64,
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
            identity,
            pin_set: call.outcome.as_ref().map_or("", |outcome| &outcome.pin_set),
            caller: &call.source,
            called: &call.destination,
            start: &call.start,
            answer: &call.answer,
            end: &call.end,
            disposition: &call.disposition,
            unique_id: &call.unique_id,
            began: call.began,
            duration: call.duration(),
            billed: call.billed(),
        }
    }

    /// Returns the day of its start, as in the CDR.
    pub(super) fn day(&self) -> &'a str {
        self.start.get(..10).unwrap_or(self.start)
    }

    /// Appends it as CSV.
    pub(crate) fn push_csv(&self, text: &mut Vec<u8>) {
        let numbers = [self.duration, self.billed].map(|number| number.to_string());
        let cells = [
            self.identity,
            self.pin_set,
            self.caller,
            self.called,
            self.start,
            self.answer,
            self.end,
            &numbers[0],
            &numbers[1],
            self.disposition,
            self.unique_id,
        ]
        .map(safe_cell);
        push_row(text, cells.iter().map(|cell| &**cell), "\n");
    }
}

/// Appends the header of the calls.
pub(crate) fn push_header(text: &mut Vec<u8>) {
    push_row(text, COLUMNS, "\n");
}
