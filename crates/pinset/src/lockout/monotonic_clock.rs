//! The time it is, in milliseconds, which never goes back.

use std::time::Duration;

/// Later than any time, with room to add to it: 140,000 years.
const LATEST_MS: u64 = 1 << 52;

/// Calls may arrive in another order than they have read the clock. A clock that goes
/// back by more milliseconds than this was set.
const MAX_REORDERING_MS: u64 = 60_000;

/// Follows a clock that can be set back: what happened stays as long ago as it
/// was, and what is left of a lock is left.
#[derive(Default)]
pub(super) struct Clock {
    /// The time by which the clock was set back in total.
    ahead: u64,
    latest: u64,
}

impl Clock {
    /// Creates a clock that has not been read.
    pub(super) const fn new() -> Self {
        Self {
            ahead: 0,
            latest: 0,
        }
    }

    /// The time when the clock says `now`.
    pub(super) fn at(&mut self, now: Duration) -> u64 {
        let (ahead, time) = self.follow(now);
        (self.ahead, self.latest) = (ahead, time);
        time
    }

    /// The same, for who only looks.
    pub(super) fn would_be(&self, now: Duration) -> u64 {
        self.follow(now).1
    }

    fn follow(&self, now: Duration) -> (u64, u64) {
        let time = milliseconds(now).saturating_add(self.ahead).min(LATEST_MS);
        match self.latest.saturating_sub(time) {
            0 => (self.ahead, time),
            back if back <= MAX_REORDERING_MS => (self.ahead, self.latest),
            back => (self.ahead.saturating_add(back), self.latest),
        }
    }

    /// Returns what the clock shows at that time.
    pub(super) fn says(&self, time: u64) -> u64 {
        time.saturating_sub(self.ahead)
    }

    /// Returns the time at which the clock shows `says` milliseconds.
    pub(super) fn time(&self, says: u64) -> u64 {
        says.min(LATEST_MS)
            .saturating_add(self.ahead)
            .min(LATEST_MS)
    }
}

/// A span or a time in milliseconds, at most [`LATEST_MS`].
pub(super) fn milliseconds(span: Duration) -> u64 {
    u64::try_from(span.as_millis()).map_or(LATEST_MS, |span| span.min(LATEST_MS))
}
