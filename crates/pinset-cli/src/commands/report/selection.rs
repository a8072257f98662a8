//! Selection and order of calls.

use clap::ValueEnum;
use pinset::timestamp::Moment;
use pinset::Numbering;
use rusqlite::types::Value;

use super::row::ReportRow;
use crate::common::csv_list::same_caller;

/// The selected calls: each list has all accepted values, or is empty.
#[derive(Debug, clap::Args)]
#[command(next_help_heading = "Selection of calls")]
pub(super) struct Selection {
    /// Only calls of this identity; may be repeated
    #[arg(long = "account", value_name = "IDENTITY")]
    accounts: Vec<String>,
    /// Only calls that this PIN set verified; may be repeated
    #[arg(long = "pinset", value_name = "NAME")]
    pub pin_sets: Vec<String>,
    /// Only calls from this number, in any spelling; may be repeated
    #[arg(long = "caller", value_name = "NUMBER", allow_hyphen_values = true)]
    callers: Vec<String>,
    /// Only calls to this number (DID) or extension; may be repeated
    #[arg(long = "called", value_name = "NUMBER", allow_hyphen_values = true)]
    called: Vec<String>,
    /// Only calls with this disposition: ANSWERED, 'NO ANSWER', BUSY, CONGESTION,
    /// FAILED; may be repeated
    #[arg(long = "disposition", value_name = "DISPOSITION")]
    dispositions: Vec<String>,
    /// Only calls of at least this many seconds, by duration_seconds
    #[arg(long, value_name = "SECONDS")]
    min_duration: Option<u64>,
    /// Only calls of at most this many seconds, by duration_seconds
    #[arg(long, value_name = "SECONDS")]
    max_duration: Option<u64>,
}

impl Selection {
    /// Returns whether a call is selected and began between `from` and `to`.
    pub(super) fn has(
        &self,
        row: &ReportRow<'_>,
        numbering: &Numbering,
        (from, to): (Option<Moment>, Option<Moment>),
    ) -> bool {
        let call = row.call;
        let one_of =
            |names: &[String], name| names.is_empty() || names.iter().any(|one| one == name);
        let number_of = |numbers: &[String], text: &str| {
            let mut all = numbers.iter();
            numbers.is_empty() || all.any(|one| same_caller(Some(one), Some(text), numbering))
        };
        let has_disposition = |wanted: &String| wanted.eq_ignore_ascii_case(&call.disposition);
        from.is_none_or(|from| from.seconds() <= call.began)
            && to.is_none_or(|to| call.began < to.seconds())
            && one_of(&self.accounts, row.identity)
            && one_of(&self.pin_sets, row.pin_set)
            && number_of(&self.callers, &call.source)
            && number_of(&self.called, &call.destination)
            && (self.dispositions.is_empty() || self.dispositions.iter().any(has_disposition))
            && self.min_duration.is_none_or(|least| least <= row.duration)
            && self.max_duration.is_none_or(|most| row.duration <= most)
    }
}

/// A column that calls can be sorted by.
#[derive(Clone, Copy, PartialEq, Eq, Debug, ValueEnum)]
#[value(rename_all = "snake_case")]
pub(super) enum SortColumn {
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
        let call = row.call;
        let text = match self {
            Self::Start => return Value::from(call.began),
            Self::DurationSeconds => return seconds(row.duration),
            Self::BilledSeconds => return seconds(row.billed),
            Self::Identity => row.identity,
            Self::PinSet => row.pin_set,
            Self::Caller => &call.source,
            Self::Called => &call.destination,
            Self::Answer => &call.answer,
            Self::End => &call.end,
            Self::Disposition => &call.disposition,
        };
        Value::from(text.to_owned())
    }
}
