//! A bounded queue for slow jobs: N run, M wait, further jobs are rejected.

use std::collections::VecDeque;

/// Returns how many of these threads may compute at once: at most one for each
/// processor and at most half of them, but at least one. The other half is left to
/// jobs that wait for disks and databases.
pub fn share(processors: usize, threads: usize) -> usize {
    processors.min(threads / 2).max(1)
}

/// Jobs that wait, and the number of workers that run some.
pub struct Queue<T> {
    waiting: VecDeque<T>,
    at_it: usize,
    most_waiting: usize,
}

/// The result of putting a job into a queue.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Put {
    /// It waits for a running worker.
    Waits,
    /// It waits, and one more worker may start: [`Queue::begin`].
    MayBegin,
    /// Too much waits already; it is dropped.
    Full,
}

impl<T> Queue<T> {
    /// Creates an empty queue without workers. For each worker that may run, at most
    /// `most_waiting` jobs wait, so that the last job waits equally long whatever the
    /// number of workers.
    pub const fn new(most_waiting: usize) -> Self {
        Self {
            waiting: VecDeque::new(),
            at_it: 0,
            most_waiting,
        }
    }

    /// Appends a job. At most `most` workers may run at a time.
    pub fn put(&mut self, work: T, most: usize) -> Put {
        if self.waiting.len() >= most.saturating_mul(self.most_waiting) {
            return Put::Full;
        }
        self.waiting.push_back(work);
        if self.at_it < most {
            Put::MayBegin
        } else {
            Put::Waits
        }
    }

    /// Counts one more worker, which runs until [`Queue::take`] has no job for it.
    pub fn begin(&mut self) {
        self.at_it += 1;
    }

    /// Handles that no worker can be started: drops the last job unless a running
    /// worker will reach it. Returns false if it was dropped.
    pub fn keep_last(&mut self) -> bool {
        if self.at_it == 0 {
            self.waiting.pop_back();
        }
        self.at_it > 0
    }

    /// Returns the next job for a running worker. If there is none, returns `None`,
    /// and the worker no longer counts as running.
    pub fn take(&mut self) -> Option<T> {
        let work = self.waiting.pop_front();
        if work.is_none() {
            self.at_it = self.at_it.saturating_sub(1);
        }
        work
    }

    /// Returns the number of jobs that wait.
    pub fn waiting(&self) -> usize {
        self.waiting.len()
    }

    /// Drops what waits.
    pub fn clear(&mut self) {
        self.waiting = VecDeque::new();
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const MAX_WAITING: usize = 64;

    #[test]
    fn share_many_processors_leaves_half_of_the_threads() {
        for (processors, threads, most) in [(0, 64, 1), (2, 64, 2), (128, 64, 32), (4, 1, 1)] {
            assert_eq!(share(processors, threads), most, "{processors}");
        }
    }

    #[test]
    fn running_and_waiting_jobs_are_bounded() {
        for most in [1, 2, 5] {
            let mut queue = Queue::new(MAX_WAITING);
            for number in 0..most {
                assert_eq!(queue.put(number, most), Put::MayBegin);
                queue.begin();
                assert_eq!(queue.take(), Some(number));
            }
            for number in 0..most * MAX_WAITING {
                assert_eq!(queue.put(number, most), Put::Waits);
            }
            assert_eq!(queue.put(7, most), Put::Full);
            // One is done, in turn, and there is room for one.
            assert_eq!(queue.take(), Some(0));
            assert_eq!(queue.put(7, most), Put::Waits);
            assert_eq!(queue.put(8, most), Put::Full);
            let rest: Vec<_> = std::iter::from_fn(|| queue.take()).collect();
            assert_eq!(rest.len(), most * MAX_WAITING);
            assert_eq!(rest.last(), Some(&7));
            // That one is no longer at it.
            assert_eq!(queue.put(1, most), Put::MayBegin);
        }
    }

    #[test]
    fn job_without_a_new_worker_is_left_to_a_running_one_or_dropped() {
        let mut queue = Queue::new(MAX_WAITING);
        assert_eq!(queue.put(1, 2), Put::MayBegin);
        assert!(!queue.keep_last());
        assert_eq!(queue.put(2, 2), Put::MayBegin);
        queue.begin();
        assert_eq!(queue.put(3, 2), Put::MayBegin);
        assert!(queue.keep_last());
        assert_eq!(queue.take(), Some(2));
        assert_eq!(queue.take(), Some(3));
        assert_eq!(queue.take(), None);
        queue.put(4, 2);
        queue.clear();
        assert_eq!(queue.take(), None);
    }
}
