//! Bounded queues for slow jobs: N run, M wait, further jobs are rejected.

use std::sync::{Arc, Mutex, MutexGuard};
use std::time::{Duration, Instant};

use pinset::bounded_queue::{Put, Queue};
use pinset::verify::ServiceChannel;

use crate::asterisk::panic::guard;
use crate::asterisk::thread_pool;
use crate::sync::lock::{lock, try_lock};
use crate::sync::oneshot::{Awaited, Oneshot};

type Work = Box<dyn FnOnce() + Send>;

/// How the threads are scheduled.
#[derive(Clone, Copy, PartialEq, Eq)]
pub enum Priority {
    /// All other threads come first: for work that uses a processor for long.
    Low,
    /// As calls: for work that mostly waits.
    Normal,
}

/// Why there is no result.
pub enum Failed {
    /// Too many jobs wait already, or there is no thread to be had.
    TooMany,
    /// The result did not come in time.
    Late,
}

impl Failed {
    /// Says so of what was waited for, so long at most.
    pub fn of(&self, what: &str, timeout: Duration) -> String {
        match self {
            Self::TooMany => format!("too many wait for {what}"),
            Self::Late => format!("{what} has not answered within {} s", timeout.as_secs_f64()),
        }
    }
}

/// Held while the module is unloaded.
static DUE: Mutex<()> = Mutex::new(());

/// Keeps what is due from beginning, as long as what is returned is held.
pub fn hold_off() -> impl Sized {
    lock(&DUE)
}

/// Threads for one kind of work.
pub struct WorkQueue {
    queue: Mutex<Queue<Work>>,
    priority: Priority,
}

impl WorkQueue {
    /// A crew with nothing to do; for each of its threads, `most_waiting` jobs
    /// wait at most.
    pub const fn new(priority: Priority, most_waiting: usize) -> Self {
        Self {
            queue: Mutex::new(Queue::new(most_waiting)),
            priority,
        }
    }

    fn queue(&self) -> MutexGuard<'_, Queue<Work>> {
        lock(&self.queue)
    }

    /// Has `work` done, by `most` threads at a time. False: too much waits
    /// already, or there is no thread to be had; then it is dropped.
    pub fn take_on(&'static self, most: usize, work: impl FnOnce() + Send + 'static) -> bool {
        let mut queue = self.queue();
        match queue.put(Box::new(work), most) {
            Put::Waits => true,
            Put::Full => false,
            Put::MayBegin if self.start() => {
                queue.begin();
                true
            }
            Put::MayBegin => queue.keep_last(),
        }
    }

    /// Has `work` done by one thread, for a schedule on which it is due. False:
    /// that can't be had now.
    pub fn take_on_due(&'static self, work: fn()) -> bool {
        let Some(_due) = try_lock(&DUE) else {
            return false;
        };
        self.take_on(1, work)
    }

    /// Has `work` done, by `most` threads at a time, and waits for its result
    /// while the caller is serviced. `work` is told whether anybody still waits,
    /// and returns `None` if it has ended for that reason. Returns `None` if the
    /// caller has hung up.
    pub fn ask<H: ServiceChannel, T: Send + 'static>(
        &'static self,
        host: &mut H,
        most: usize,
        timeout: Duration,
        work: impl FnOnce(&dyn Fn() -> bool) -> Option<T> + Send + 'static,
    ) -> Option<Result<T, Failed>> {
        let promise = Arc::new(Oneshot::new());
        let told = Arc::downgrade(&promise);
        let taken = self.take_on(most, move || {
            let result = work(&|| told.strong_count() > 0);
            if let (Some(result), Some(promise)) = (result, told.upgrade()) {
                promise.keep(result);
            }
        });
        if !taken {
            return Some(Err(Failed::TooMany));
        }
        match promise.wait_with(host, Instant::now() + timeout) {
            Awaited::There(result) => Some(Ok(result)),
            Awaited::Late => Some(Err(Failed::Late)),
            Awaited::Gone => None,
        }
    }

    fn start(&'static self) -> bool {
        match self.priority {
            Priority::Low => thread_pool::start_humbly(|| self.work()),
            Priority::Normal => thread_pool::start(|| self.work()),
        }
    }

    fn work(&self) {
        loop {
            // Let go of before the work begins.
            let next = self.queue().take();
            let Some(work) = next else { return };
            guard((), work);
        }
    }

    /// Lets go of what was waiting: nothing is, when the module is unloaded.
    pub fn clear(&self) {
        self.queue().clear();
    }
}
