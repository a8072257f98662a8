//! PIN lists in files, asked on behalf of a call.
//!
//! A file system may hang, and a channel's thread must not hang with it. So it
//! asks memory alone: what is known of the list, if what the kernel knows of the
//! file says that it is current. For all else, one worker for each file system
//! looks into the files there, one question after the other, while the callers
//! are served; between the questions it makes the indexes that the lists need.

use std::collections::{BTreeMap, VecDeque};
use std::ffi::OsStr;
use std::os::unix::ffi::OsStrExt;
use std::path::PathBuf;
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant, SystemTime};

use pinset::list::{Cache, Device, Format, List, Mounts, Progress, Rebuild, Report, Way};
use pinset::{Pin, PinSource, Verdict};

use crate::asterisk::boundary::guard;
use crate::asterisk::host::Call;
use crate::asterisk::log::{log, log_once};
use crate::asterisk::{glance, mounts, worker};
use crate::configuration;

/// Most questions are answered in less time, and a channel can be left alone
/// for so long: a frame of audio takes four times as much.
const AT_ONCE: Duration = Duration::from_millis(5);

/// Then how often we look whether there is an answer, in milliseconds.
const GLANCE: i32 = 5;

/// The least and the most time given to an index before the next question about
/// its list has its turn.
const TURN: (Duration, Duration) = (Duration::from_millis(2), Duration::from_secs(1));

static CACHE: Cache = Cache::new();

/// What the workers have to do. A file system without one has no desk.
static DESKS: Mutex<BTreeMap<Device, Desk>> = Mutex::new(BTreeMap::new());

#[derive(Default)]
struct Desk {
    questions: VecDeque<Arc<Question>>,
    rebuilds: VecDeque<Rebuild>,
}

/// Whether an entry is in a list.
struct Question {
    list: List,
    pin: Pin,
    /// How far the worker is on its way to the file.
    way: Mutex<Way>,
    /// What the lists may take of memory, in bytes.
    limit: u64,
    answer: Mutex<Option<Verdict>>,
    answered: Condvar,
}

/// A list in a file.
pub struct FileSource(List);

impl FileSource {
    /// A list at `path`, which is touched only when an entry is judged.
    pub fn new(path: &[u8], format: Format) -> Self {
        Self(List {
            path: PathBuf::from(OsStr::from_bytes(path)),
            format,
        })
    }
}

impl PinSource<Call<'_>> for FileSource {
    fn judge(&mut self, call: &mut Call<'_>, pin: &Pin) -> Option<Verdict> {
        let mounts = mounts::mounts();
        if let Some(verdict) = known(&self.0, &mounts, pin) {
            return Some(verdict);
        }
        let settings = configuration::current();
        let until = Instant::now() + settings.source_timeout;
        let question = Arc::new(Question {
            list: self.0.clone(),
            pin: pin.clone(),
            way: Mutex::new(Way::new(&self.0.path, &mounts)),
            limit: settings.max_list_memory,
            answer: Mutex::new(None),
            answered: Condvar::new(),
        });
        ask(&question);
        let mut answer = question.wait(AT_ONCE);
        while answer.is_none() {
            if !call.listen(GLANCE) {
                withdraw(&question);
                return None;
            }
            if Instant::now() >= until {
                withdraw(&question);
                log!(
                    Warning,
                    "'{}' admits nobody: the disk has not answered within {} s",
                    self.0.path.display(),
                    settings.source_timeout.as_secs_f64()
                );
                return Some(Verdict::Unavailable);
            }
            answer = question.wait(Duration::ZERO);
        }
        answer
    }
}

/// The verdict of what is in memory, if it is current.
fn known(list: &List, mounts: &Mounts, pin: &Pin) -> Option<Verdict> {
    let now = SystemTime::now();
    let stamp = glance::stamp(&list.path, mounts.local(&list.path)?)?;
    let judged = CACHE.ask(list, stamp, pin, now)?;
    judged.reports.iter().for_each(log_report);
    Some(judged.verdict)
}

impl Question {
    fn wait(&self, time: Duration) -> Option<Verdict> {
        let answer = self.answer.lock().unwrap_or_else(PoisonError::into_inner);
        let (mut answer, _) = self
            .answered
            .wait_timeout_while(answer, time, |answer| answer.is_none())
            .unwrap_or_else(PoisonError::into_inner);
        answer.take()
    }

    fn tell(&self, verdict: Verdict) {
        *self.answer.lock().unwrap_or_else(PoisonError::into_inner) = Some(verdict);
        self.answered.notify_one();
    }

    fn way(&self) -> MutexGuard<'_, Way> {
        self.way.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

fn desks() -> MutexGuard<'static, BTreeMap<Device, Desk>> {
    DESKS.lock().unwrap_or_else(PoisonError::into_inner)
}

/// Puts a question to the worker of the file system that is next on its way.
fn ask(question: &Arc<Question>) {
    let device = question.way().device();
    let mut desks = desks();
    if let Some(desk) = desks.get_mut(&device) {
        desk.questions.push_back(Arc::clone(question));
    } else if worker::start(move || serve(device)) {
        let questions = VecDeque::from([Arc::clone(question)]);
        let rebuilds = VecDeque::new();
        desks.insert(
            device,
            Desk {
                questions,
                rebuilds,
            },
        );
    } else {
        drop(desks);
        log!(
            Error,
            "'{}' admits nobody: there is no thread to be had to read it",
            question.list.path.display()
        );
        question.tell(Verdict::Unavailable);
    }
}

/// Takes back a question that nobody waits for.
fn withdraw(question: &Arc<Question>) {
    for desk in desks().values_mut() {
        desk.questions.retain(|other| !Arc::ptr_eq(other, question));
    }
}

/// One file system's worker: a question, then an index for a while, until there
/// is nothing left to do.
fn serve(device: Device) {
    loop {
        let (question, rebuild, waiting) = {
            let mut desks = desks();
            let Some(desk) = desks.get_mut(&device) else {
                return;
            };
            let work = (desk.questions.pop_front(), desk.rebuilds.pop_front());
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
        if let Some(rebuild) = rebuild {
            // The more wait, the sooner an index is better for all of them.
            let turns = u32::try_from(waiting).unwrap_or(u32::MAX).saturating_add(1);
            let turn = began.elapsed().saturating_mul(turns);
            go_on(rebuild, device, turn.clamp(TURN.0, TURN.1));
        }
    }
}

fn attend_to(question: &Arc<Question>, device: Device) {
    let wanted = guard(Err(()), || Ok(answer(question))).unwrap_or_else(|()| {
        question.tell(Verdict::Unavailable);
        None
    });
    if let (Some(rebuild), Some(desk)) = (wanted, desks().get_mut(&device)) {
        desk.rebuilds.push_back(rebuild);
    }
}

/// Answers a question, or hands it on to the next file system's worker. An
/// index that the list needs is still to be made.
fn answer(question: &Arc<Question>) -> Option<Rebuild> {
    let now = SystemTime::now();
    let reached = question.way().go(&mounts::mounts());
    let file = match reached {
        Ok(None) => {
            ask(question);
            return None;
        }
        Ok(Some(file)) => Ok(file),
        Err(error) => Err(error),
    };
    let judged = CACHE.judge(&question.list, file, &question.pin, question.limit, now);
    judged.reports.iter().for_each(log_report);
    question.tell(judged.verdict);
    judged.rebuild
}

/// Goes on with an index for a while. Who asks for other lists meanwhile need
/// not wait.
fn go_on(mut rebuild: Rebuild, device: Device, time: Duration) {
    let began = Instant::now();
    while began.elapsed() < time {
        if let Some(question) = about_another(device, rebuild.list()) {
            attend_to(&question, device);
        }
        // One that panics is dropped, and made anew for the next question.
        match guard(None, || Some(rebuild.step(&CACHE))) {
            Some(Progress::More) => {}
            Some(Progress::Over(reports)) => {
                reports.iter().for_each(log_report);
                return;
            }
            None => return,
        }
    }
    if let Some(desk) = desks().get_mut(&device) {
        desk.rebuilds.push_back(rebuild);
    }
}

/// The next question that is not about `list`.
fn about_another(device: Device, list: &List) -> Option<Arc<Question>> {
    let mut desks = desks();
    let questions = &mut desks.get_mut(&device)?.questions;
    let other = questions
        .iter()
        .position(|question| question.list != *list)?;
    questions.remove(other)
}

fn log_report(report: &Report) {
    match report {
        Report::TooLarge(..) => log!(Error, "{report}"),
        Report::WorldWritable(_) | Report::LineEnd(..) => log_once!(Warning, "{report}"),
        _ => log!(Warning, "{report}"),
    }
}

/// Lets go of all lists: they are read anew when they are asked.
pub fn forget() {
    CACHE.clear();
}
