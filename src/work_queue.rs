//! Bounded queues for slow jobs: N run, M wait, further jobs are rejected.
//!
//! Asterisk has a thread pool of its own (`ast_threadpool`), but without a limit of
//! its queue and without priorities.

use std::ops::Deref;
use std::sync::{Arc, Mutex, MutexGuard};
use std::time::{Duration, Instant};

use pinset::bounded_queue::{Put, Queue};
use pinset::verify::ServiceChannel;
use thiserror::Error;

use crate::asterisk::panic::guard;
use crate::asterisk::thread_pool;
use crate::sync::lock::{lock, try_lock};
use crate::sync::oneshot::{Awaited, Oneshot};

type Job = Box<dyn FnOnce() + Send>;

/// How the threads are scheduled.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) enum Priority {
    /// All other threads come first: for jobs that use a processor for long.
    Low,
    /// As calls: for jobs that mostly wait.
    Normal,
}

/// Why there is no result.
#[derive(Debug, Error)]
pub(crate) enum QueueError {
    /// Too many jobs wait already, or there is no free thread.
    #[error("too many wait for {resource}, or there is no free thread")]
    Full {
        /// The resource that the jobs use.
        resource: &'static str,
    },
    /// The result did not come in time.
    #[error("{resource} has not answered within {} s", timeout.as_secs_f64())]
    Timeout {
        /// The resource that the job uses.
        resource: &'static str,
        /// How long it was waited for.
        timeout: Duration,
    },
}

/// Held while the module is unloaded.
static SCHEDULED_JOBS: Mutex<()> = Mutex::new(());

/// Keeps scheduled jobs from starting while the return value is held.
pub(crate) fn hold_off() -> impl Sized {
    lock(&SCHEDULED_JOBS)
}

/// A queue and its threads for one kind of job.
pub(crate) struct WorkQueue {
    queue: Mutex<Queue<Job>>,
    priority: Priority,
    /// Whether a job keeps the module from being unloaded.
    holds: bool,
    /// The resource that the jobs use, for error messages.
    resource: &'static str,
}

impl WorkQueue {
    /// Creates an empty queue, in which at most `max_waiting` jobs wait per thread.
    pub(crate) const fn new(
        priority: Priority,
        max_waiting: usize,
        resource: &'static str,
    ) -> Self {
        Self {
            queue: Mutex::new(Queue::new(max_waiting)),
            priority,
            holds: true,
            resource,
        }
    }

    /// The same queue for short jobs: an unload waits for them, rather than being
    /// refused.
    pub(crate) const fn awaited_by_unload(mut self) -> Self {
        self.holds = false;
        self
    }

    fn queue(&self) -> MutexGuard<'_, Queue<Job>> {
        lock(&self.queue)
    }

    /// Queues a job for at most `max_threads` threads. Returns false, and drops the
    /// job, if too many wait already or there is no free thread.
    pub(crate) fn submit(
        &'static self,
        max_threads: usize,
        job: impl FnOnce() + Send + 'static,
    ) -> bool {
        submit_to(&self, max_threads, job)
    }

    /// Queues a job of a schedule for one thread. Returns false if that is not
    /// possible now.
    pub(crate) fn submit_scheduled(&'static self, job: fn()) -> bool {
        let Some(_scheduled) = try_lock(&SCHEDULED_JOBS) else {
            return false;
        };
        self.submit(1, job)
    }

    /// [`run_in`] this queue.
    ///
    /// # Errors
    ///
    /// Fails if the queue is full, or there is no result within `timeout`.
    pub(crate) fn run<H: ServiceChannel, T: Send + 'static>(
        &'static self,
        host: &mut H,
        max_threads: usize,
        timeout: Duration,
        job: impl FnOnce(&dyn Fn() -> bool) -> Option<T> + Send + 'static,
    ) -> Option<Result<T, QueueError>> {
        run_in(&self, host, max_threads, timeout, job)
    }

    fn run_jobs(&self) {
        loop {
            // The lock is released before the job begins.
            let next = self.queue().take();
            let Some(job) = next else { return };
            guard((), job);
        }
    }

    /// Drops the jobs that wait: none does when the module is unloaded.
    pub(crate) fn clear(&self) {
        self.queue().clear();
    }
}

/// A queue that lives for as long as its threads: a static, or one that they share.
pub(crate) trait SharedQueue: Deref<Target = WorkQueue> + Clone + Send + 'static {}

impl<T: Deref<Target = WorkQueue> + Clone + Send + 'static> SharedQueue for T {}

/// Queues a job for at most `max_threads` threads, and waits for its result while
/// servicing the channel. The job can ask whether its result is still wanted, and
/// returns `None` if it has stopped because it is not. Returns `None` if the
/// caller has hung up.
///
/// # Errors
///
/// Fails if the queue is full, or there is no result within `timeout`.
pub(crate) fn run_in<H: ServiceChannel, T: Send + 'static>(
    queue: &impl SharedQueue,
    host: &mut H,
    max_threads: usize,
    timeout: Duration,
    job: impl FnOnce(&dyn Fn() -> bool) -> Option<T> + Send + 'static,
) -> Option<Result<T, QueueError>> {
    let resource = queue.resource;
    let result = Arc::new(Oneshot::new());
    let receiver = Arc::downgrade(&result);
    let queued = submit_to(queue, max_threads, move || {
        let value = job(&|| receiver.strong_count() > 0);
        if let (Some(value), Some(result)) = (value, receiver.upgrade()) {
            result.set(value);
        }
    });
    if !queued {
        return Some(Err(QueueError::Full { resource }));
    }
    match result.wait_while_servicing(host, Instant::now() + timeout) {
        Awaited::Value(value) => Some(Ok(value)),
        Awaited::Timeout => Some(Err(QueueError::Timeout { resource, timeout })),
        Awaited::HungUp => None,
    }
}

fn submit_to(
    shared: &impl SharedQueue,
    max_threads: usize,
    job: impl FnOnce() + Send + 'static,
) -> bool {
    let mut queue = shared.queue();
    match queue.put(Box::new(job), max_threads) {
        Put::Waits => true,
        Put::Full => false,
        Put::MayBegin if start(shared) => {
            queue.begin();
            true
        }
        Put::MayBegin => queue.keep_last(),
    }
}

fn start(shared: &impl SharedQueue) -> bool {
    let queue = shared.clone();
    let run = move || queue.run_jobs();
    match (shared.priority, shared.holds) {
        (Priority::Low, _) => thread_pool::start_low_priority(run),
        (Priority::Normal, true) => thread_pool::start(run),
        (Priority::Normal, false) => thread_pool::start_unheld(run),
    }
}
