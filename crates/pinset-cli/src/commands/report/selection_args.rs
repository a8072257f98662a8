//! Arguments for the selection and order of calls.

use clap::ValueEnum;
use pinset::timestamp::Moment;
use pinset::Numbering;

use crate::reports::{CallSelection, SortColumn};

/// The selected calls: each list has all accepted values, or is empty.
#[derive(Debug, clap::Args)]
#[command(next_help_heading = "Selection of calls")]
pub(super) struct SelectionArgs {
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

impl SelectionArgs {
    /// Returns the selection of calls that began between `from` and `to`.
    pub(super) fn selection(
        &self,
        (from, to): (Option<Moment>, Option<Moment>),
        numbering: Numbering,
    ) -> CallSelection {
        CallSelection {
            from,
            to,
            numbering,
            identities: self.accounts.clone(),
            pin_sets: self.pin_sets.clone(),
            callers: self.callers.clone(),
            called: self.called.clone(),
            dispositions: self.dispositions.clone(),
            min_duration: self.min_duration,
            max_duration: self.max_duration,
        }
    }
}

/// A column that calls can be sorted by.
#[derive(Clone, Copy, PartialEq, Eq, Debug, ValueEnum)]
#[value(rename_all = "snake_case")]
pub(super) enum SortColumnArg {
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

impl From<SortColumnArg> for SortColumn {
    fn from(column: SortColumnArg) -> Self {
        match column {
            SortColumnArg::Identity => Self::Identity,
            SortColumnArg::PinSet => Self::PinSet,
            SortColumnArg::Caller => Self::Caller,
            SortColumnArg::Called => Self::Called,
            SortColumnArg::Start => Self::Start,
            SortColumnArg::Answer => Self::Answer,
            SortColumnArg::End => Self::End,
            SortColumnArg::DurationSeconds => Self::DurationSeconds,
            SortColumnArg::BilledSeconds => Self::BilledSeconds,
            SortColumnArg::Disposition => Self::Disposition,
        }
    }
}
