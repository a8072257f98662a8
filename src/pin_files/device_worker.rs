//! One worker thread per file system answers lookups in order, so that a hung mount
//! blocks only its own callers. Between lookups it builds indexes and reads rows.

use std::collections::{BTreeMap, VecDeque};
use std::ops::RangeInclusive;
use std::path::Path;
use std::sync::{Arc, Mutex, MutexGuard};
use std::time::{Duration, Instant, SystemTime};

use pinset::cache::{Progress, Rebuild, RowProgress, RowReading};
use pinset::list::Device;
use pinset::verify::Answer;

use super::cache::{log_report, CACHE};
use super::lookup::{FollowUp, Lookup};
use super::MOUNTS;
use crate::asterisk::panic::guard;
use crate::asterisk::thread_pool;
use crate::sync::lock::lock;

/// Shortest and longest time a job runs before the next lookup in its PIN file.
const JOB_TURN: RangeInclusive<Duration> = Duration::from_millis(2)..=Duration::from_secs(1);

/// The queues of the worker threads. A file system without a worker has none.
static QUEUES: Mutex<BTreeMap<Device, DeviceQueue>> = Mutex::new(BTreeMap::new());

#[derive(Default)]
struct DeviceQueue {
    lookups: VecDeque<Arc<Lookup>>,
    jobs: VecDeque<SlowJob>,
}

/// Work that takes longer than a lookup.
enum SlowJob {
    Index(Box<Rebuild>),
    /// Reading of rows, and the lookups that wait for it: all that were queued when it
    /// began.
    Rows(Box<RowReading>, Vec<Arc<Lookup>>),
}

impl SlowJob {
    fn path(&self) -> &Path {
        match self {
            Self::Index(rebuild) => &rebuild.list().path,
            Self::Rows(reading, _) => &reading.list().path,
        }
    }

    /// Returns whether a lookup had better wait until the job is done.
    fn is_worth_waiting_for(&self, lookup: &Lookup) -> bool {
        matches!(self, Self::Rows(..)) && lookup.wants_rows() && lookup.path == self.path()
    }
}

impl DeviceQueue {
    /// Removes the next lookup that need not wait for a job.
    fn next_lookup(&mut self, which: impl Fn(&Lookup) -> bool) -> Option<Arc<Lookup>> {
        let jobs = &self.jobs;
        let ready = |lookup: &Arc<Lookup>| {
            which(lookup) && !jobs.iter().any(|job| job.is_worth_waiting_for(lookup))
        };
        let at = self.lookups.iter().position(ready)?;
        self.lookups.remove(at)
    }
}

fn queues() -> MutexGuard<'static, BTreeMap<Device, DeviceQueue>> {
    lock(&QUEUES)
}

/// Queues a lookup for the worker of the file system that is next on its path.
pub(super) fn submit(lookup: &Arc<Lookup>) {
    let device = lookup.walk().device();
    let mut queues = queues();
    if let Some(queue) = queues.get_mut(&device) {
        queue.lookups.push_back(Arc::clone(lookup));
    } else if thread_pool::start(move || serve(device)) {
        let mut queue = DeviceQueue::default();
        queue.lookups.push_back(Arc::clone(lookup));
        queues.insert(device, queue);
    } else {
        drop(queues);
        let why = "there is no free thread to read it";
        lookup.answer.set(Answer::Refused(why.to_owned()));
    }
}

/// Removes a lookup that nobody waits for.
pub(super) fn cancel(lookup: &Arc<Lookup>) {
    for queue in queues().values_mut() {
        queue.lookups.retain(|other| !Arc::ptr_eq(other, lookup));
    }
}

/// Runs the worker of a file system: a lookup, then a job for a while, until the queue
/// is empty.
fn serve(device: Device) {
    loop {
        let (lookup, job, waiting) = {
            let mut queues = queues();
            let Some(queue) = queues.get_mut(&device) else {
                return;
            };
            let work = (queue.next_lookup(|_| true), queue.jobs.pop_front());
            if let (None, None) = work {
                queues.remove(&device);
                if queues.is_empty() {
                    // An empty map keeps its memory, which an unload would lose.
                    *queues = BTreeMap::new();
                }
                return;
            }
            (work.0, work.1, queue.lookups.len())
        };
        let began = Instant::now();
        if let Some(lookup) = lookup {
            process(&lookup, device);
        }
        if let Some(job) = job {
            // The more lookups wait, the longer the turn: all are faster once the job is done.
            let turns = u32::try_from(waiting).unwrap_or(u32::MAX).saturating_add(1);
            let turn = began.elapsed().saturating_mul(turns);
            run_job(job, device, turn.clamp(*JOB_TURN.start(), *JOB_TURN.end()));
        }
    }
}

/// Answers a lookup, or hands it on to the worker of the next file system.
fn process(lookup: &Arc<Lookup>, device: Device) {
    let follow_up = guard(None, || {
        let now = SystemTime::now();
        let reached = lookup.walk().go(&MOUNTS.current());
        Some(match reached {
            Ok(None) => {
                submit(lookup);
                FollowUp::Nothing
            }
            Ok(Some(file)) => lookup.answer_from(Ok(file), now),
            Err(error) => lookup.answer_from(Err(error), now),
        })
    });
    let mut queues = queues();
    match (follow_up, queues.get_mut(&device)) {
        (Some(FollowUp::Index(rebuild)), Some(queue)) => {
            queue.jobs.push_back(SlowJob::Index(rebuild));
        }
        (Some(FollowUp::Rows(reading)), Some(queue)) => {
            // The reading has not begun, so it answers all lookups queued by now.
            let (mut waiting, others) = std::mem::take(&mut queue.lookups)
                .into_iter()
                .partition::<Vec<_>, _>(|other| other.shares_reading_with(lookup));
            queue.lookups = others.into();
            waiting.push(Arc::clone(lookup));
            queue.jobs.push_back(SlowJob::Rows(reading, waiting));
        }
        (Some(_), _) => {}
        (None, _) => fail(lookup),
    }
}

fn fail(lookup: &Lookup) {
    lookup
        .answer
        .set(Answer::Refused("internal error".to_owned()));
}

/// Runs a job for a while. Lookups in other PIN files need not wait for it.
fn run_job(mut job: SlowJob, device: Device, time: Duration) {
    let began = Instant::now();
    while began.elapsed() < time {
        if let Some(lookup) = next_in_other_file(device, job.path()) {
            process(&lookup, device);
        }
        if step(&mut job) {
            return;
        }
    }
    if let Some(queue) = queues().get_mut(&device) {
        queue.jobs.push_back(job);
    }
}

/// Does a part of a job, and returns whether the job is done. A job that panics is
/// dropped: the next lookup builds its index again.
fn step(job: &mut SlowJob) -> bool {
    match job {
        SlowJob::Index(rebuild) => match guard(None, || Some(rebuild.step(&CACHE))) {
            Some(Progress::More) => false,
            Some(Progress::Over(reports)) => {
                reports.iter().for_each(log_report);
                true
            }
            None => true,
        },
        SlowJob::Rows(reading, waiting) => match guard(None, || Some(reading.step(&CACHE))) {
            Some(RowProgress::More) => false,
            Some(RowProgress::Over(rows, reports)) => {
                reports.iter().for_each(log_report);
                // No caller is left who would log the error.
                if let (Err(report), true) = (&rows, waiting.iter().all(is_abandoned)) {
                    log_report(report);
                }
                let kind = reading.list().kind;
                for lookup in waiting {
                    lookup.answer.set(Answer::of_rows(&rows, kind));
                }
                true
            }
            None => {
                waiting.iter().for_each(|lookup| fail(lookup));
                true
            }
        },
    }
}

/// Returns whether nobody waits for the answer any more.
fn is_abandoned(lookup: &Arc<Lookup>) -> bool {
    Arc::strong_count(lookup) == 1
}

/// Removes the next lookup that is not in the PIN file at `path`.
fn next_in_other_file(device: Device, path: &Path) -> Option<Arc<Lookup>> {
    let mut queues = queues();
    let queue = queues.get_mut(&device)?;
    queue.next_lookup(|lookup| lookup.path != path)
}
