//! Slow hashes: as many at once as the machine has processors, 32 at most, some
//! more wait, and then nobody is admitted. The callers are looked after meanwhile.

use std::num::NonZeroUsize;
use std::sync::OnceLock;
use std::thread::available_parallelism;
use std::time::Duration;

use pinset::bounded_queue::share;
use pinset::verify::{ServiceChannel, Verification, Work};

use crate::asterisk::thread_pool;
use crate::work_queue::{self, Priority, WorkQueue};

/// How many hashes wait at most for each processor.
const MAX_WAITING: usize = 64;

static CREW: WorkQueue = WorkQueue::new(Priority::Low, MAX_WAITING);

/// How many hashes are computed at once; to ask for the processors takes a look at
/// some files.
static MOST: OnceLock<usize> = OnceLock::new();

/// Longest wait for a hash. A hundred concurrent callers take a few seconds.
const PATIENCE: Duration = Duration::from_secs(10);

/// Has the hashes of an entry computed.
pub fn verify<H: ServiceChannel>(host: &mut H, work: Work) -> Verification {
    let most = MOST.get_or_init(|| {
        let processors = available_parallelism().map_or(1, NonZeroUsize::get);
        share(processors, thread_pool::MOST)
    });
    let hashed = CREW.ask(host, *most, PATIENCE, |wanted| work.carry_out(|| !wanted()));
    match hashed {
        Some(Ok(hashed)) => Verification::Done(hashed),
        Some(Err(work_queue::Failed::TooMany)) => {
            Verification::Rejected("too many wait for their hash to be computed".to_owned())
        }
        Some(Err(work_queue::Failed::Late)) => Verification::Late(format!(
            "a hash was not computed within {} s: too many wait",
            PATIENCE.as_secs()
        )),
        None => Verification::Gone,
    }
}

/// Lets go of what waited.
pub fn clear() {
    CREW.clear();
}
