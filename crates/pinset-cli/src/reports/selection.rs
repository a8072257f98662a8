//! Selection and order of calls.

use pinset::timestamp::Moment;
use pinset::Numbering;
use rusqlite::types::Value;

use super::row::ReportRow;
use crate::common::csv_list::same_caller;

/// The selected calls: each list has all accepted values, or is empty.
#[derive(Clone, Debug, Default)]
pub(crate) struct CallSelection {
    /// The calls began at this time or later.
    pub from: Option<Moment>,
    /// The calls began before this time.
    pub to: Option<Moment>,
    /// The normalization of caller numbers.
    pub numbering: Numbering,
    pub identities: Vec<String>,
    pub pin_sets: Vec<String>,
    pub callers: Vec<String>,
    pub called: Vec<String>,
    pub dispositions: Vec<String>,
    /// In seconds.
    pub min_duration: Option<u64>,
    /// In seconds.
    pub max_duration: Option<u64>,
}

impl CallSelection {
    /// Returns whether a call is selected.
    pub(super) fn has(&self, row: &ReportRow<'_>) -> bool {
        let one_of =
            |names: &[String], name| names.is_empty() || names.iter().any(|one| one == name);
        let number_of = |numbers: &[String], text: &str| {
            let mut all = numbers.iter();
            numbers.is_empty() || all.any(|one| same_caller(Some(one), Some(text), &self.numbering))
        };
        let has_disposition = |wanted: &String| wanted.eq_ignore_ascii_case(row.disposition);
        self.from.is_none_or(|from| from.seconds() <= row.began)
            && self.to.is_none_or(|to| row.began < to.seconds())
            && one_of(&self.identities, row.identity)
            && one_of(&self.pin_sets, row.pin_set)
            && number_of(&self.callers, row.caller)
            && number_of(&self.called, row.called)
            && (self.dispositions.is_empty() || self.dispositions.iter().any(has_disposition))
            && self.min_duration.is_none_or(|least| least <= row.duration)
            && self.max_duration.is_none_or(|most| row.duration <= most)
    }
}

/// A column that calls can be sorted by.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum SortColumn {
    Identity,
    PinSet,
    Caller,
    Called,
    Start,
    Answer,
    End,
    DurationSeconds,
    BilledSeconds,
    Disposition,
}

impl SortColumn {
    /// Returns the sort key of a call: a number or a text.
    pub(super) fn key(self, row: &ReportRow<'_>) -> Value {
        let seconds = |seconds: u64| Value::from(i64::try_from(seconds).unwrap_or(i64::MAX));
        let text = match self {
            Self::Start => return Value::from(row.began),
            Self::DurationSeconds => return seconds(row.duration),
            Self::BilledSeconds => return seconds(row.billed),
            Self::Identity => row.identity,
            Self::PinSet => row.pin_set,
            Self::Caller => row.caller,
            Self::Called => row.called,
            Self::Answer => row.answer,
            Self::End => row.end,
            Self::Disposition => row.disposition,
        };
        Value::from(text.to_owned())
    }
}
