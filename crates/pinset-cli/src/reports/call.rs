//! A call, assembled from the records of its channels.
//!
//! Asterisk writes a record for each pair of channels: a call that rings two
//! phones has several. A call is counted once, by the channel that
//! authenticated; without one in the log, by the first channel that its linked
//! channels name, else by its own. Records overlap, so its time is what their intervals
//! cover together, not their sum.

use pinset::escape::escape_invisible;

use super::audit_log::CallOutcome;
use super::cdr::Record;

/// Number of intervals at which those that touch are merged.
const INTERVALS_TO_MERGE: usize = 64;

/// The dispositions of a record, weakest first. A call has the strongest of its
/// records.
pub(crate) const DISPOSITIONS: [&str; 5] =
    ["FAILED", "NO ANSWER", "CONGESTION", "BUSY", "ANSWERED"];

/// A call.
pub(super) struct Call {
    pub outcome: Option<CallOutcome>,
    pub account_code: String,
    pub source: String,
    pub destination: String,
    pub start: String,
    pub answer: String,
    pub end: String,
    pub disposition: String,
    pub unique_id: String,
    /// `start`, in seconds since 1970.
    pub began: i64,
    /// Whether a record of the channel that the call counts by was added.
    has_own: bool,
    /// Whether the account code is from another channel, and the start of its record.
    coded: Option<(bool, i64)>,
    lasted: Intervals,
    billed: Intervals,
}

impl Call {
    /// Creates a call with the texts of its first record, which must be passed to
    /// [`Call::add`] for its times.
    pub(super) fn new(record: &Record<'_>, outcome: Option<CallOutcome>) -> Self {
        Self {
            outcome,
            account_code: String::new(),
            source: escape_invisible(record.source),
            destination: escape_invisible(record.destination),
            start: escape_invisible(record.start),
            answer: escape_invisible(record.answer),
            end: escape_invisible(record.end),
            disposition: escape_invisible(record.disposition),
            unique_id: escape_invisible(record.unique_id.unwrap_or_default()),
            began: record.began,
            has_own: false,
            coded: None,
            lasted: Intervals::default(),
            billed: Intervals::default(),
        }
    }

    /// Adds a record. `is_own` is whether it is from the channel that the call counts by.
    /// Caller, called number and account code are those of that channel's first record,
    /// unless only other channels have an account code.
    pub(super) fn add(&mut self, record: &Record<'_>, is_own: bool) {
        let is_first = record.began < self.began;
        if is_own && (!self.has_own || is_first) || is_own == self.has_own && is_first {
            self.source = escape_invisible(record.source);
            self.destination = escape_invisible(record.destination);
            self.unique_id = escape_invisible(record.unique_id.unwrap_or_default());
        }
        let coded = (!is_own, record.began);
        if !record.account_code.is_empty() && self.coded.is_none_or(|before| coded < before) {
            self.account_code = escape_invisible(record.account_code);
            self.coded = Some(coded);
        }
        self.has_own |= is_own;
        if is_first {
            self.began = record.began;
            self.start = escape_invisible(record.start);
        }
        // In this format, the order of texts is that of times.
        let answer = escape_invisible(record.answer);
        if !answer.is_empty() && (self.answer.is_empty() || answer < self.answer) {
            self.answer = answer;
        }
        self.end = escape_invisible(record.end).max(std::mem::take(&mut self.end));
        if strength(record.disposition) > strength(self.disposition.as_bytes()) {
            self.disposition = escape_invisible(record.disposition);
        }
        self.lasted.add(record.began, record.duration);
        let answered = record.answered.unwrap_or(record.began);
        self.billed.add(answered, record.billed);
    }

    /// Returns the seconds in which any of its channels existed.
    pub(super) fn duration(&self) -> u64 {
        self.lasted.total()
    }

    /// Returns the seconds in which any of its channels was answered.
    pub(super) fn billed(&self) -> u64 {
        self.billed.total()
    }
}

fn strength(disposition: &[u8]) -> Option<usize> {
    let mut all = DISPOSITIONS.iter();
    all.position(|one| one.as_bytes() == disposition)
}

/// Intervals of time, in seconds. The memory depends on the number of gaps, not of
/// intervals.
#[derive(Default)]
struct Intervals {
    /// Start and end of each.
    all: Vec<(i64, i64)>,
    /// The number of intervals at which they are merged next.
    merge_at: usize,
}

impl Intervals {
    fn add(&mut self, start: i64, seconds: u64) {
        if seconds == 0 {
            return;
        }
        self.all
            .push((start, start.saturating_add_unsigned(seconds)));
        if self.all.len() >= self.merge_at.max(INTERVALS_TO_MERGE) {
            self.all = self.merged();
            self.merge_at = 2 * self.all.len();
        }
    }

    /// Returns the intervals in order, with a gap between each and the next.
    fn merged(&self) -> Vec<(i64, i64)> {
        let mut sorted = self.all.clone();
        sorted.sort_unstable();
        let mut merged: Vec<(i64, i64)> = Vec::new();
        for (start, end) in sorted {
            match merged.last_mut() {
                Some((_, covered)) if start <= *covered => *covered = end.max(*covered),
                _ => merged.push((start, end)),
            }
        }
        merged
    }

    /// Returns how many seconds are in at least one of them.
    fn total(&self) -> u64 {
        let merged = self.merged().into_iter();
        let seconds = merged.map(|(start, end)| end.abs_diff(start));
        seconds.fold(0, u64::saturating_add)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    proptest! {
        #[test]
        fn total_is_the_number_of_covered_seconds(
            intervals in prop::collection::vec((0..200_i64, 0..4_u64), 0..300)
        ) {
            let mut all = Intervals::default();
            intervals.iter().for_each(|(start, seconds)| all.add(*start, *seconds));
            let covered = (0..210).filter(|second| intervals.iter().any(|(start, seconds)| {
                (*start..start.saturating_add_unsigned(*seconds)).contains(second)
            }));
            prop_assert_eq!(all.total(), covered.count() as u64);
        }
    }
}
