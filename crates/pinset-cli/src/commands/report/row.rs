//! A row of the report.

use super::gather::Call;
use crate::common::csv::push_row;
use crate::common::sanitize::safe;

/// The columns of the calls.
pub const COLUMNS: [&str; 11] = [
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
pub struct Row<'a> {
    pub call: &'a Call,
    pub identity: &'a str,
    pub pin_set: &'a str,
    pub duration: u64,
    pub billed: u64,
}

impl<'a> Row<'a> {
    pub fn new(call: &'a Call) -> Self {
        // A PIN without an account admits, too; who was refused has none.
        let identity = match &call.told {
            Some(told) if !told.admitted || !told.identity.is_empty() => &*told.identity,
            _ => call.account_code.as_str(),
        };
        Self {
            call,
            identity,
            pin_set: call.told.as_ref().map_or("", |told| &told.pin_set),
            duration: call.duration(),
            billed: call.billed(),
        }
    }

    /// Returns it as CSV.
    pub fn csv(&self) -> Vec<u8> {
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
        .map(safe);
        let mut text = Vec::new();
        push_row(&mut text, cells.iter().map(|cell| &**cell), "\n");
        text
    }
}
