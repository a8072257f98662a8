//! The work queue over the pool of threads.

use std::sync::atomic::{AtomicUsize, Ordering::SeqCst};
use std::sync::Arc;

use shuttle::thread;

use super::{end_threads, Channel, LONG};
use crate::model::run::{Model, Orders};
use crate::model::{step, Odds};
use crate::work_queue::{Priority, QueueError, WorkQueue};

const CALLERS: usize = 3;

shuttle::lazy_static! {
    static ref QUEUE: WorkQueue = WorkQueue::new(Priority::Normal, 2, "jobs");
}

#[derive(Default)]
struct Jobs {
    begun: [AtomicUsize; CALLERS],
    running: AtomicUsize,
}

impl Jobs {
    fn run(&self, number: usize) -> Option<usize> {
        self.begun[number].fetch_add(1, SeqCst);
        assert_eq!(self.running.fetch_add(1, SeqCst), 0, "one job at a time");
        step();
        self.running.fetch_sub(1, SeqCst);
        Some(number)
    }
}

/// Callers queue a job each, for one thread at most.
fn callers(wait: bool) {
    let jobs = Arc::new(Jobs::default());
    let callers = [0, 1, 2].map(|number| {
        let jobs = Arc::clone(&jobs);
        let call = move || {
            let job = Arc::clone(&jobs);
            QUEUE.run(&mut Channel, 1, LONG, move |_| job.run(number))
        };
        if wait {
            let result = call();
            thread::spawn(|| result)
        } else {
            thread::spawn(call)
        }
    });
    let results = callers.map(|caller| caller.join().unwrap());
    end_threads();
    for (number, result) in results.into_iter().enumerate() {
        let begun = jobs.begun[number].load(SeqCst);
        match result.expect("nobody hangs up") {
            Ok(value) => assert_eq!((value, begun), (number, 1), "a result of its own job"),
            Err(QueueError::Full { .. }) => assert_eq!(begun, 0, "a refused job does not run"),
            Err(QueueError::Timeout { .. }) => panic!("job {number} was accepted and did not run"),
        }
    }
}

pub(crate) const MODEL: Model = Model {
    name: "work queue",
    invariant: "each job is run once or refused, one at a time, and its caller gets its result",
    orders: Orders::Some(1500),
    odds: Odds {
        timeout: 4,
        no_thread: 3,
        ..Odds::NONE
    },
    run: || callers(false),
    broken: &[
        "a job without a thread stays",
        "a worker is counted after it has started",
    ],
};

pub(crate) const WAKE_UP: Model = Model {
    name: "idle thread",
    invariant: "work that is queued wakes a thread that waits for some",
    orders: Orders::Some(300),
    odds: Odds::NONE,
    run: || callers(true),
    broken: &["queued work wakes nobody"],
};

#[test]
fn job_is_run_once_or_refused() {
    MODEL.check();
}

#[test]
fn queued_work_wakes_an_idle_thread() {
    WAKE_UP.check();
}
