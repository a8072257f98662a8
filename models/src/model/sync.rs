//! Locks of shuttle, in place of `std::sync`.

use std::time::Duration;

pub(crate) use shuttle::sync::{Mutex, MutexGuard};
pub(crate) use std::sync::{Arc, LockResult, PoisonError, TryLockError, Weak};

use super::{happens, step, time};

pub(crate) mod atomic {
    pub(crate) use shuttle::sync::atomic::{AtomicBool, AtomicU8, AtomicUsize, Ordering};
}

/// A condition variable whose limited waits may end before the condition does.
pub(crate) struct Condvar(Arc<shuttle::sync::Condvar>);

/// Whether the time was up first.
pub(crate) struct WaitTimeoutResult(bool);

impl WaitTimeoutResult {
    pub(crate) fn timed_out(&self) -> bool {
        self.0
    }
}

impl Condvar {
    pub(crate) fn new() -> Self {
        Self(Arc::new(shuttle::sync::Condvar::new()))
    }

    pub(crate) fn notify_one(&self) {
        self.0.notify_one();
    }

    pub(crate) fn notify_all(&self) {
        self.0.notify_all();
    }

    /// A wait either lasts until the condition has changed, so that a wake-up that was
    /// forgotten blocks it for ever, or a thread ends it at any time.
    pub(crate) fn wait_timeout_while<'a, T>(
        &self,
        mut guard: MutexGuard<'a, T>,
        timeout: Duration,
        mut condition: impl FnMut(&mut T) -> bool,
    ) -> LockResult<(MutexGuard<'a, T>, WaitTimeoutResult)> {
        let mut timer = None;
        while condition(&mut guard) {
            if timeout.is_zero() || timer.as_ref().is_some_and(Timer::is_over) {
                return Ok((guard, WaitTimeoutResult(true)));
            }
            if timer.is_none() && happens(|odds| odds.timeout) {
                timer = Some(Timer::start(timeout, Arc::clone(&self.0)));
            }
            guard = self.0.wait(guard).unwrap_or_else(PoisonError::into_inner);
        }
        Ok((guard, WaitTimeoutResult(false)))
    }
}

/// A thread that ends a wait.
struct Timer(Arc<std::sync::atomic::AtomicU8>);

const RUNS: u8 = 0;
const OVER: u8 = 1;
const DROPPED: u8 = 2;

impl Timer {
    fn start(timeout: Duration, condvar: Arc<shuttle::sync::Condvar>) -> Self {
        let state = Arc::new(std::sync::atomic::AtomicU8::new(RUNS));
        let timer = Self(Arc::clone(&state));
        shuttle::thread::spawn(move || {
            step();
            if timer_ends(&state) {
                time::pass(timeout);
            }
            // The waiting thread may not wait yet.
            while state.load(std::sync::atomic::Ordering::SeqCst) != DROPPED {
                condvar.notify_all();
                shuttle::thread::yield_now();
            }
        });
        timer
    }

    fn is_over(&self) -> bool {
        self.0.load(std::sync::atomic::Ordering::SeqCst) == OVER
    }
}

fn timer_ends(state: &std::sync::atomic::AtomicU8) -> bool {
    use std::sync::atomic::Ordering::SeqCst;
    state.compare_exchange(RUNS, OVER, SeqCst, SeqCst).is_ok()
}

impl Drop for Timer {
    fn drop(&mut self) {
        self.0.store(DROPPED, std::sync::atomic::Ordering::SeqCst);
    }
}

/// A cell that is set once. Who initializes it waits for nobody.
pub(crate) struct OnceLock<T>(std::sync::OnceLock<T>);

impl<T> OnceLock<T> {
    pub(crate) const fn new() -> Self {
        Self(std::sync::OnceLock::new())
    }

    pub(crate) fn get(&self) -> Option<&T> {
        step();
        self.0.get()
    }

    pub(crate) fn set(&self, value: T) -> Result<(), T> {
        step();
        self.0.set(value)
    }

    pub(crate) fn get_or_init(&self, value: impl FnOnce() -> T) -> &T {
        step();
        self.0.get_or_init(value)
    }
}

impl<T> Default for OnceLock<T> {
    fn default() -> Self {
        Self::new()
    }
}
