//! Waits for another thread's result while servicing the channel.

use std::ops::RangeInclusive;
use std::sync::{Condvar, Mutex};
use std::time::{Duration, Instant};

use pinset::verify::ServiceChannel;

use super::lock::{lock, wait_while};

/// Most answers come in less time, and a channel can be left alone for so
/// long: a frame of audio takes four times as much.
const AT_ONCE: Duration = Duration::from_millis(5);

/// Then how often we look whether there is one: ever less, the longer it takes.
/// A hundred who wait would else take a processor from those they wait for.
const GLANCE: RangeInclusive<Duration> = Duration::from_millis(5)..=Duration::from_millis(50);

/// So much later than it could be, for what it took, an answer may be seen.
const SHARE: u32 = 10;

/// What one thread waits for and another one brings.
pub struct Oneshot<T> {
    value: Mutex<Option<T>>,
    kept: Condvar,
}

/// What came of waiting.
pub enum Awaited<T> {
    /// It is there.
    There(T),
    /// It did not come in time.
    Late,
    /// The caller is gone.
    Gone,
}

impl<T> Oneshot<T> {
    /// One that is still to be kept.
    pub fn new() -> Self {
        Self {
            value: Mutex::new(None),
            kept: Condvar::new(),
        }
    }

    /// Brings what was promised.
    pub fn keep(&self, value: T) {
        *lock(&self.value) = Some(value);
        self.kept.notify_one();
    }

    /// What was promised, if it comes within this time.
    pub fn wait(&self, time: Duration) -> Option<T> {
        let value = lock(&self.value);
        let (mut value, _) = wait_while(&self.kept, value, time, |value| value.is_none());
        value.take()
    }

    /// The same, looking after the caller, until it is too late.
    pub fn wait_with<H: ServiceChannel>(&self, host: &mut H, until: Instant) -> Awaited<T> {
        let began = Instant::now();
        let mut value = self.wait(AT_ONCE);
        loop {
            if let Some(value) = value {
                return Awaited::There(value);
            }
            let glance = (began.elapsed() / SHARE).clamp(*GLANCE.start(), *GLANCE.end());
            let here = host.listen(i32::try_from(glance.as_millis()).unwrap_or_default());
            let late = Instant::now() >= until;
            value = self.wait(Duration::ZERO);
            // What is there counts: it may have cost the caller a use.
            if value.is_none() && !here {
                return Awaited::Gone;
            }
            if value.is_none() && late {
                return Awaited::Late;
            }
        }
    }
}
