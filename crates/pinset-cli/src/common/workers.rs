//! Thread pool for blocking work, with a bounded queue.
//!
//! Each PIN file has a pool of its own, so that a hung disk blocks only the threads of
//! the files on it.

use std::collections::VecDeque;
use std::panic::{catch_unwind, AssertUnwindSafe};
use std::sync::Arc;
use std::thread;
use std::time::Duration;

use parking_lot::{Condvar, Mutex};
use thiserror::Error;
use tokio::sync::oneshot;

/// Time without work after which a thread ends.
const IDLE_TIMEOUT: Duration = Duration::from_secs(10);

type Job = Box<dyn FnOnce() + Send>;

/// The queue is full, or the system has no more threads.
#[derive(Debug, Error)]
#[error("too much work waits")]
pub(crate) struct BusyError;

/// A queue of jobs and the threads that run them. Threads start on demand, and end
/// when the queue is dropped.
pub(crate) struct Workers {
    shared: Arc<WorkersShared>,
    max_threads: usize,
    max_waiting: usize,
}

struct WorkersShared {
    queue: Mutex<Queue>,
    /// Signals that a job was added or the queue was dropped.
    added: Condvar,
}

#[derive(Default)]
struct Queue {
    jobs: VecDeque<Job>,
    threads: usize,
    /// Number of threads that wait for a job.
    idle: usize,
    is_closed: bool,
}

impl Workers {
    pub(crate) fn new(max_threads: usize, max_waiting: usize) -> Self {
        Self {
            shared: Arc::new(WorkersShared {
                queue: Mutex::default(),
                added: Condvar::new(),
            }),
            max_threads,
            max_waiting,
        }
    }

    /// Runs work and sends its result to the receiver. Work that has not started when
    /// the receiver is dropped is skipped.
    ///
    /// # Errors
    ///
    /// Fails if the queue is full or no thread can be started.
    pub(crate) fn run<T: Send + 'static>(
        &self,
        work: impl FnOnce() -> T + Send + 'static,
    ) -> Result<oneshot::Receiver<T>, BusyError> {
        let (sender, receiver) = oneshot::channel();
        self.spawn(move || {
            if !sender.is_closed() {
                // The receiver may be dropped meanwhile.
                let _ = sender.send(work());
            }
        })?;
        Ok(receiver)
    }

    /// Runs work without a result.
    ///
    /// # Errors
    ///
    /// Fails if the queue is full or no thread can be started.
    pub(crate) fn spawn(&self, work: impl FnOnce() + Send + 'static) -> Result<(), BusyError> {
        let mut queue = self.shared.queue.lock();
        if queue.jobs.len() >= self.max_waiting {
            return Err(BusyError);
        }
        queue.jobs.push_back(Box::new(work));
        if queue.jobs.len() > queue.idle && queue.threads < self.max_threads {
            let shared = Arc::clone(&self.shared);
            let started = thread::Builder::new().spawn(move || shared.work());
            match started {
                Ok(_) => queue.threads += 1,
                // The running threads will take it.
                Err(_) if queue.threads > 0 => {}
                Err(_) => {
                    queue.jobs.pop_back();
                    return Err(BusyError);
                }
            }
        }
        drop(queue);
        self.shared.added.notify_one();
        Ok(())
    }
}

impl Drop for Workers {
    fn drop(&mut self) {
        self.shared.queue.lock().is_closed = true;
        self.shared.added.notify_all();
    }
}

impl WorkersShared {
    fn work(&self) {
        while let Some(job) = self.next() {
            // The panic hook has reported the panic; the receiver finds the sender dropped.
            let _ = catch_unwind(AssertUnwindSafe(job));
        }
    }

    /// Returns the next job, or `None` if this thread should end.
    fn next(&self) -> Option<Job> {
        let mut queue = self.queue.lock();
        queue.idle += 1;
        let is_idle = |queue: &mut Queue| queue.jobs.is_empty() && !queue.is_closed;
        self.added.wait_while_for(&mut queue, is_idle, IDLE_TIMEOUT);
        queue.idle -= 1;
        let job = queue.jobs.pop_front();
        if job.is_none() {
            queue.threads -= 1;
        }
        job
    }
}

#[cfg(test)]
mod tests {
    use std::sync::mpsc;

    use super::*;

    /// Blocks a thread until the returned sender is dropped.
    fn blocker(workers: &Workers) -> mpsc::Sender<()> {
        let (release, blocked) = mpsc::channel::<()>();
        let (running, runs) = mpsc::channel();
        let job = move || {
            running.send(()).expect("a test that waits");
            let _ = blocked.recv();
        };
        workers.spawn(job).expect("room");
        runs.recv().expect("a job that runs");
        release
    }

    #[test]
    fn full_queue_rejects_work_and_recovers() {
        let workers = Workers::new(2, 1);
        let blocked = [blocker(&workers), blocker(&workers)];
        let waiting = workers.run(|| 7).expect("room");
        assert!(workers.run(|| 8).is_err());
        drop(blocked);
        assert_eq!(waiting.blocking_recv(), Ok(7));
        let after = workers.run(|| 9).expect("room");
        assert_eq!(after.blocking_recv(), Ok(9));
    }

    #[test]
    fn abandoned_work_is_skipped() {
        let workers = Workers::new(1, 2);
        let blocked = blocker(&workers);
        let (ran, runs) = mpsc::channel();
        let abandoned = workers.run(move || ran.send(())).expect("room");
        drop(abandoned);
        let last = workers.run(|| ()).expect("room");
        drop(blocked);
        assert_eq!(last.blocking_recv(), Ok(()));
        assert!(runs.recv().is_err());
    }

    #[test]
    fn panic_ends_one_job_only() {
        let workers = Workers::new(1, 2);
        let failed = workers.run(|| panic!("on purpose")).expect("room");
        let next = workers.run(|| 1).expect("room");
        assert!(failed.blocking_recv().is_err());
        assert_eq!(next.blocking_recv(), Ok(1));
    }
}
