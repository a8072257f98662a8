//! One worker thread per file system answers lookups in order, so that a hung mount
//! blocks only its own callers. Between lookups it builds indexes and reads rows.

use std::collections::{BTreeMap, VecDeque};
use std::path::Path;
use std::sync::{Arc, Mutex, MutexGuard};
use std::time::{Duration, Instant, SystemTime};

use pinset::cache::{Progress, Rebuild, RowProgress, RowReading};
use pinset::list::Device;
use pinset::verify::Answer;

use super::lookup::{FollowUp, Question};
use super::{log_report, CACHE};
use crate::asterisk::panic::guard;
use crate::asterisk::thread_pool;
use crate::linux::mounts;
use crate::sync::lock::lock;

/// The least and the most time given to a job before the next question about
/// its list has its turn.
const TURN: (Duration, Duration) = (Duration::from_millis(2), Duration::from_secs(1));

/// What the workers have to do. A file system without one has no desk.
static DESKS: Mutex<BTreeMap<Device, DeviceQueue>> = Mutex::new(BTreeMap::new());

#[derive(Default)]
struct DeviceQueue {
    questions: VecDeque<Arc<Question>>,
    jobs: VecDeque<Job>,
}

/// What takes longer than a question.
enum Job {
    Index(Box<Rebuild>),
    /// Rows, and who waits for them: all that had asked when it began.
    Rows(Box<RowReading>, Vec<Arc<Question>>),
}

impl Job {
    fn path(&self) -> &Path {
        match self {
            Self::Index(rebuild) => &rebuild.list().path,
            Self::Rows(reading, _) => &reading.list().path,
        }
    }

    /// Whether a question is better asked when this is done.
    fn is_worth_waiting_for(&self, question: &Question) -> bool {
        matches!(self, Self::Rows(..)) && question.is_about_rows() && question.path == self.path()
    }
}

impl DeviceQueue {
    /// The next question that need not wait for a job.
    fn next_question(&mut self, which: impl Fn(&Question) -> bool) -> Option<Arc<Question>> {
        let jobs = &self.jobs;
        let ready = |question: &Arc<Question>| {
            which(question) && !jobs.iter().any(|job| job.is_worth_waiting_for(question))
        };
        let at = self.questions.iter().position(ready)?;
        self.questions.remove(at)
    }
}

fn desks() -> MutexGuard<'static, BTreeMap<Device, DeviceQueue>> {
    lock(&DESKS)
}

/// Puts a question to the worker of the file system that is next on its way.
pub fn ask(question: &Arc<Question>) {
    let device = question.way().device();
    let mut desks = desks();
    if let Some(desk) = desks.get_mut(&device) {
        desk.questions.push_back(Arc::clone(question));
    } else if thread_pool::start(move || serve(device)) {
        let mut desk = DeviceQueue::default();
        desk.questions.push_back(Arc::clone(question));
        desks.insert(device, desk);
    } else {
        drop(desks);
        let why = "there is no thread to be had to read it";
        question.answer.set(Answer::Refused(why.to_owned()));
    }
}

/// Takes back a question that nobody waits for.
pub fn cancel(question: &Arc<Question>) {
    for desk in desks().values_mut() {
        desk.questions.retain(|other| !Arc::ptr_eq(other, question));
    }
}

/// One file system's worker: a question, then a job for a while, until there is
/// nothing left to do.
fn serve(device: Device) {
    loop {
        let (question, job, waiting) = {
            let mut desks = desks();
            let Some(desk) = desks.get_mut(&device) else {
                return;
            };
            let work = (desk.next_question(|_| true), desk.jobs.pop_front());
            if let (None, None) = work {
                desks.remove(&device);
                return;
            }
            (work.0, work.1, desk.questions.len())
        };
        let began = Instant::now();
        if let Some(question) = question {
            attend_to(&question, device);
        }
        if let Some(job) = job {
            // The more wait, the sooner it is better for all of them.
            let turns = u32::try_from(waiting).unwrap_or(u32::MAX).saturating_add(1);
            let turn = began.elapsed().saturating_mul(turns);
            go_on(job, device, turn.clamp(TURN.0, TURN.1));
        }
    }
}

/// Answers a question, or hands it on to the next file system's worker.
fn attend_to(question: &Arc<Question>, device: Device) {
    let left = guard(None, || {
        let now = SystemTime::now();
        let reached = question.way().go(&mounts::mounts());
        Some(match reached {
            Ok(None) => {
                ask(question);
                FollowUp::Nothing
            }
            Ok(Some(file)) => question.attend(Ok(file), now),
            Err(error) => question.attend(Err(error), now),
        })
    });
    let mut desks = desks();
    match (left, desks.get_mut(&device)) {
        (Some(FollowUp::Index(rebuild)), Some(desk)) => desk.jobs.push_back(Job::Index(rebuild)),
        (Some(FollowUp::Rows(reading)), Some(desk)) => {
            // It has not begun, so it answers all who have asked by now.
            let (mut waiting, others) = std::mem::take(&mut desk.questions)
                .into_iter()
                .partition::<Vec<_>, _>(|other| other.is_like(question));
            desk.questions = others.into();
            waiting.push(Arc::clone(question));
            desk.jobs.push_back(Job::Rows(reading, waiting));
        }
        (Some(_), _) => {}
        (None, _) => refuse(question),
    }
}

fn refuse(question: &Question) {
    question
        .answer
        .set(Answer::Refused("internal error".to_owned()));
}

/// Goes on with a job for a while. Who asks for other lists meanwhile need not
/// wait.
fn go_on(mut job: Job, device: Device, time: Duration) {
    let began = Instant::now();
    while began.elapsed() < time {
        if let Some(question) = about_another(device, job.path()) {
            attend_to(&question, device);
        }
        if is_over(&mut job) {
            return;
        }
    }
    if let Some(desk) = desks().get_mut(&device) {
        desk.jobs.push_back(job);
    }
}

/// Does a part of a job. One that panics is dropped: an index is made anew for
/// the next question.
fn is_over(job: &mut Job) -> bool {
    match job {
        Job::Index(rebuild) => match guard(None, || Some(rebuild.step(&CACHE))) {
            Some(Progress::More) => false,
            Some(Progress::Over(reports)) => {
                reports.iter().for_each(log_report);
                true
            }
            None => true,
        },
        Job::Rows(reading, waiting) => match guard(None, || Some(reading.step(&CACHE))) {
            Some(RowProgress::More) => false,
            Some(RowProgress::Over(rows, reports)) => {
                reports.iter().for_each(log_report);
                // Nobody is left to say it.
                if let (Err(report), true) = (&rows, waiting.iter().all(is_forsaken)) {
                    log_report(report);
                }
                let kind = reading.list().kind;
                for question in waiting {
                    question.answer.set(Answer::of_rows(&rows, kind));
                }
                true
            }
            None => {
                waiting.iter().for_each(|question| refuse(question));
                true
            }
        },
    }
}

/// Whether nobody waits for the answer any more.
fn is_forsaken(question: &Arc<Question>) -> bool {
    Arc::strong_count(question) == 1
}

/// The next question that is not about the list at `path`.
fn about_another(device: Device, path: &Path) -> Option<Arc<Question>> {
    let mut desks = desks();
    let desk = desks.get_mut(&device)?;
    desk.next_question(|question| question.path != path)
}
