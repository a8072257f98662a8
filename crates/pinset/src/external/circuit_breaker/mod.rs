//! A circuit breaker for web services, so that not every caller waits for one that is down.

use std::time::Duration;

/// The consecutive failures that open the breaker.
const MAX_CONSECUTIVE_FAILURES: u32 = 5;
/// How long the breaker stays open at first. Each failed trial doubles it.
const FIRST_PAUSE: Duration = Duration::from_secs(10);
/// The longest time the breaker stays open without a trial.
const MAX_PAUSE: Duration = Duration::from_secs(60);
/// How long a trial may go without a result: no request takes that long.
const TRIAL_TIMEOUT: Duration = Duration::from_secs(120);

/// The circuit breaker of one service. While it is open no request is sent; then one
/// is, as a trial, and its result decides.
///
/// It has no clock: each method takes the time since any fixed moment.
#[derive(Debug, Default)]
pub struct Breaker {
    state: BreakerState,
    /// How often the state has changed: results of requests sent before a change are
    /// ignored.
    era: u64,
}

#[derive(Clone, Copy, PartialEq, Eq, Debug)]
enum BreakerState {
    /// Requests are sent; the number of consecutive failures so far.
    Closed(u32),
    /// No request is sent until then, after a wait of this length.
    Open { until: Duration, wait: Duration },
    /// A trial request is in flight, since then.
    Trial { since: Duration, wait: Duration },
}

impl Default for BreakerState {
    fn default() -> Self {
        Self::Closed(0)
    }
}

/// A permit for one request to a service, to be returned with its result to
/// [`Breaker::report`].
#[derive(PartialEq, Eq, Debug)]
#[must_use = "a trial ends when its result is reported"]
pub struct Permit {
    era: u64,
}

/// The result of a request.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum RequestResult {
    /// Any other answer, even an error: the service is there.
    Answer,
    /// No connection, no complete answer in time, or HTTP 502 to 504. An error that
    /// the entry of one caller can cause is none, so that nobody can have the
    /// service suspended for all others.
    Failure,
    /// Unknown, because the caller has hung up.
    Nothing,
}

impl Breaker {
    /// Creates a closed breaker.
    pub fn new() -> Self {
        Self::default()
    }

    /// Returns a permit for a request now, or `None` while the service counts as down.
    pub fn ask(&mut self, now: Duration) -> Option<Permit> {
        match self.state {
            BreakerState::Closed(_) => {}
            BreakerState::Open { until, wait } if now >= until => self.trial(now, wait),
            BreakerState::Trial { since, wait } if now.saturating_sub(since) >= TRIAL_TIMEOUT => {
                self.trial(now, wait);
            }
            BreakerState::Open { .. } | BreakerState::Trial { .. } => return None,
        }
        Some(Permit { era: self.era })
    }

    /// Records the result of a request. Returns true if the service counts as down from
    /// now on, or as up again.
    pub fn report(&mut self, permit: Permit, result: RequestResult, now: Duration) -> bool {
        if permit.era != self.era {
            return false;
        }
        match (self.state, result) {
            (BreakerState::Closed(_), RequestResult::Answer) => {
                self.state = BreakerState::Closed(0);
            }
            (BreakerState::Closed(failures), RequestResult::Failure)
                if failures + 1 < MAX_CONSECUTIVE_FAILURES =>
            {
                self.state = BreakerState::Closed(failures + 1);
            }
            (BreakerState::Closed(_), RequestResult::Failure) => {
                self.open(now, FIRST_PAUSE);
                return true;
            }
            (BreakerState::Trial { .. }, RequestResult::Answer) => {
                self.enter(BreakerState::Closed(0));
                return true;
            }
            (BreakerState::Trial { wait, .. }, RequestResult::Failure) => {
                self.open(now, MAX_PAUSE.min(wait * 2));
            }
            (BreakerState::Trial { wait, .. }, RequestResult::Nothing) => {
                self.enter(BreakerState::Open { until: now, wait });
            }
            (BreakerState::Closed(_), RequestResult::Nothing) | (BreakerState::Open { .. }, _) => {}
        }
        false
    }

    /// Whether the service counts as down.
    pub fn is_open(&self) -> bool {
        !matches!(self.state, BreakerState::Closed(_))
    }

    fn trial(&mut self, since: Duration, wait: Duration) {
        self.enter(BreakerState::Trial { since, wait });
    }

    fn open(&mut self, now: Duration, wait: Duration) {
        let until = now.saturating_add(wait);
        self.enter(BreakerState::Open { until, wait });
    }

    fn enter(&mut self, state: BreakerState) {
        self.state = state;
        self.era += 1;
    }
}

#[cfg(test)]
mod tests;
