//! A result of another thread, waited for while the channel is serviced.

use std::ops::RangeInclusive;
use std::sync::{Condvar, Mutex};
use std::time::{Duration, Instant};

use pinset::verify::ServiceChannel;

use super::lock::{lock, wait_while};

/// First wait, without servicing the channel. Most results are there by then, and a
/// frame of audio takes four times as long.
const UNSERVICED_WAIT: Duration = Duration::from_millis(5);

/// How often the result is polled: ever less, the longer it takes. Otherwise a
/// hundred waiting callers would take a processor from the threads they wait for.
const POLL_INTERVAL: RangeInclusive<Duration> =
    Duration::from_millis(5)..=Duration::from_millis(50);

/// The poll interval is this fraction of the time waited so far, so that a result is
/// seen at most a tenth later than it could be.
const POLL_FRACTION: u32 = 10;

/// A value that one thread sets and another one waits for.
pub(crate) struct Oneshot<T> {
    value: Mutex<Option<T>>,
    is_set: Condvar,
}

/// Result of waiting.
pub(crate) enum Awaited<T> {
    /// The value.
    Value(T),
    /// It did not come in time.
    Timeout,
    /// The caller has hung up.
    HungUp,
}

impl<T> Oneshot<T> {
    /// Creates one without a value.
    pub(crate) fn new() -> Self {
        Self {
            value: Mutex::new(None),
            is_set: Condvar::new(),
        }
    }

    /// Sets the value.
    pub(crate) fn set(&self, value: T) {
        *lock(&self.value) = Some(value);
        self.is_set.notify_one();
    }

    /// Waits for the value, for at most `timeout`.
    pub(crate) fn wait(&self, timeout: Duration) -> Option<T> {
        let value = lock(&self.value);
        let (mut value, _) = wait_while(&self.is_set, value, timeout, |value| value.is_none());
        value.take()
    }

    /// Waits for the value until `deadline`, while servicing the channel.
    pub(crate) fn wait_while_servicing<H: ServiceChannel + ?Sized>(
        &self,
        host: &mut H,
        deadline: Instant,
    ) -> Awaited<T> {
        let began = Instant::now();
        let mut value = self.wait(match host.needs_service() {
            true => UNSERVICED_WAIT,
            false => deadline.saturating_duration_since(began),
        });
        loop {
            if let Some(value) = value {
                return Awaited::Value(value);
            }
            let interval = (began.elapsed() / POLL_FRACTION)
                .clamp(*POLL_INTERVAL.start(), *POLL_INTERVAL.end());
            let here = host.listen(i32::try_from(interval.as_millis()).unwrap_or_default());
            let late = Instant::now() >= deadline;
            value = self.wait(Duration::ZERO);
            // A value counts in any case: it may have cost the caller a use.
            if value.is_none() && !here {
                return Awaited::HungUp;
            }
            if value.is_none() && late {
                return Awaited::Timeout;
            }
        }
    }
}
