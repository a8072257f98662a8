//! Slow hashes: at most one for each processor is computed at once, and at most 32; a
//! bounded number waits, and further attempts are rejected. The channels are serviced
//! meanwhile.

use std::num::NonZeroUsize;
use std::thread::available_parallelism;
use std::time::Duration;

use once_cell::race::OnceNonZeroUsize;
use pinset::bounded_queue::share;
use pinset::verify::{ServiceChannel, Verification, Work};

use crate::asterisk::thread_pool;
use crate::work_queue::{Priority, QueueError, WorkQueue};

/// Longest queue for each thread.
const MAX_WAITING: usize = 64;

static QUEUE: WorkQueue = WorkQueue::new(Priority::Low, MAX_WAITING, "a hash");

/// Number of processors. To count them, the kernel's files are read, which can fail.
static PROCESSORS: OnceNonZeroUsize = OnceNonZeroUsize::new();

/// Longest wait for a hash. A hundred concurrent callers take a few seconds.
const HASH_TIMEOUT: Duration = Duration::from_secs(10);

/// Computes the hashes of an attempt.
pub(crate) fn verify<H: ServiceChannel>(host: &mut H, work: Work) -> Verification {
    let processors = PROCESSORS.get_or_try_init(available_parallelism);
    let processors = processors.map_or(1, NonZeroUsize::get);
    let max_threads = share(processors, thread_pool::MAX_THREADS);
    let hashed = QUEUE.run(host, max_threads, HASH_TIMEOUT, |wanted| {
        work.carry_out(|| !wanted())
    });
    match hashed {
        Some(Ok(hashed)) => Verification::Done(hashed),
        Some(Err(QueueError::Full { .. })) => Verification::Rejected(
            "too many wait for a hash, or there is no free thread".to_owned(),
        ),
        Some(Err(QueueError::Timeout { timeout, .. })) => Verification::Late(format!(
            "a hash was not computed within {} s: too many wait",
            timeout.as_secs()
        )),
        None => Verification::Gone,
    }
}

/// Drops the jobs that wait.
pub(crate) fn clear() {
    QUEUE.clear();
}
