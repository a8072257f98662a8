//! Threads of our own, made by Asterisk, so that none of Rust's thread-locals is left on
//! a thread that outlives the module. Each is joined before the module is unloaded. An
//! idle one waits a while for the next work.

use std::collections::VecDeque;
use std::ffi::c_void;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Condvar, Mutex, MutexGuard};
use std::time::Duration;

use super::panic::guard;
use crate::ffi;
use crate::sync::lock::{lock, wait_while};

/// Most threads at once.
pub(crate) const MAX_THREADS: usize = 64;

/// How long an idle thread waits for work.
const IDLE_TIMEOUT: Duration = Duration::from_secs(2);

struct PoolWork {
    run: Box<dyn FnOnce() + Send>,
    /// All other threads come first.
    is_low_priority: bool,
    /// It keeps the module from being unloaded.
    holds: bool,
}

struct Workers {
    threads: Vec<Thread>,
    work: VecDeque<PoolWork>,
    /// Number of threads that wait for work, and of those that work.
    idle: usize,
    busy: usize,
    closing: bool,
}

struct Thread {
    thread: ffi::pthread_t,
    ended: Arc<AtomicBool>,
}

static WORKERS: Mutex<Workers> = Mutex::new(Workers {
    threads: Vec::new(),
    work: VecDeque::new(),
    idle: 0,
    busy: 0,
    closing: false,
});

/// Signals that there is work, or that no more will come.
static WORK_QUEUED: Condvar = Condvar::new();

/// Signals that a thread has done its work.
static WORK_DONE: Condvar = Condvar::new();

fn workers() -> MutexGuard<'static, Workers> {
    lock(&WORKERS)
}

/// Runs `work` on a thread of its own, and keeps the module loaded meanwhile. Returns
/// false, and drops the work, if too many threads run or none can be started.
pub(crate) fn start(work: impl FnOnce() + Send + 'static) -> bool {
    queue(PoolWork {
        run: Box::new(work),
        is_low_priority: false,
        holds: true,
    })
}

/// Does the same for work that uses a processor for long: calls come first.
pub(crate) fn start_low_priority(work: impl FnOnce() + Send + 'static) -> bool {
    queue(PoolWork {
        run: Box::new(work),
        is_low_priority: true,
        holds: true,
    })
}

/// Does the same for work that an unload may end: Asterisk may begin an unload
/// meanwhile, which is refused unless [`are_idle`] becomes true.
pub(crate) fn start_unheld(work: impl FnOnce() + Send + 'static) -> bool {
    queue(PoolWork {
        run: Box::new(work),
        is_low_priority: false,
        holds: false,
    })
}

fn queue(work: PoolWork) -> bool {
    let mut workers = workers();
    if workers.idle <= workers.work.len() && !start_thread(&mut workers) {
        return false;
    }
    if work.holds {
        // SAFETY: the module is registered and running, for a call or a worker is
        // inside it, or the thread of a schedule of ours, which is joined before it
        // goes.
        unsafe { ffi::authrs_hold() };
    }
    workers.work.push_back(work);
    WORK_QUEUED.notify_one();
    true
}

fn start_thread(workers: &mut Workers) -> bool {
    let (ended, there): (Vec<_>, Vec<_>) = std::mem::take(&mut workers.threads)
        .into_iter()
        .partition(|thread| thread.ended.load(Ordering::Acquire));
    workers.threads = there;
    ended.into_iter().for_each(join);
    if workers.threads.len() >= MAX_THREADS {
        return false;
    }
    let ended = Arc::new(AtomicBool::new(false));
    let data = Arc::into_raw(Arc::clone(&ended));
    let mut thread: ffi::pthread_t = 0;
    // SAFETY: `body` takes the reference; `thread` is ours.
    if unsafe { ffi::authrs_thread_start(&raw mut thread, Some(body), data.cast_mut().cast()) } != 0
    {
        // SAFETY: the thread was not started, so the reference is still ours.
        drop(unsafe { Arc::from_raw(data) });
        return false;
    }
    workers.threads.push(Thread { thread, ended });
    workers.idle += 1;
    true
}

/// Returns whether no thread works or is about to, waiting for at most this time.
pub(crate) fn are_idle(within: Duration) -> bool {
    let busy = |workers: &mut Workers| workers.busy > 0 || !workers.work.is_empty();
    let (_workers, timed_out) = wait_while(&WORK_DONE, workers(), within, busy);
    !timed_out
}

/// Ends all threads when the module is unloaded: none works then.
pub(crate) fn join_all() {
    let threads = {
        let mut workers = workers();
        workers.closing = true;
        WORK_QUEUED.notify_all();
        std::mem::take(&mut workers.threads)
    };
    threads.into_iter().for_each(join);
    let mut workers = workers();
    workers.closing = false;
    workers.work = VecDeque::new();
}

fn join(thread: Thread) {
    // SAFETY: our thread, joined here and nowhere else. It ends, or is
    // about to.
    unsafe { libc::pthread_join(thread.thread, std::ptr::null_mut()) };
}

unsafe extern "C" fn body(data: *mut c_void) -> *mut c_void {
    // SAFETY: the reference that `start_thread` made for this thread alone.
    let ended = unsafe { Arc::from_raw(data.cast_const().cast::<AtomicBool>()) };
    drop_real_time_priority();
    while let Some(PoolWork {
        run,
        is_low_priority,
        holds,
    }) = next()
    {
        if is_low_priority {
            lower_priority();
        }
        guard((), run);
        workers().busy -= 1;
        WORK_DONE.notify_all();
        if holds {
            // SAFETY: the reference `start` took. From here on the module may be
            // unloaded, which joins this thread first.
            unsafe { ffi::authrs_release() };
        }
        // A lowered priority can't be raised again.
        if is_low_priority {
            break;
        }
        workers().idle += 1;
    }
    ended.store(true, Ordering::Release);
    std::ptr::null_mut()
}

/// Gives up the real-time priority that each thread inherits with `asterisk -p`: a hash
/// must not take precedence over the audio of a call.
fn drop_real_time_priority() {
    let ordinary = libc::sched_param { sched_priority: 0 };
    // SAFETY: this thread itself, and a value of our own. It may always.
    unsafe {
        libc::pthread_setschedparam(libc::pthread_self(), libc::SCHED_OTHER, &raw const ordinary)
    };
}

/// Lets all other threads come first.
fn lower_priority() {
    /// A tenth of the processor time of other threads, if there is not enough for all.
    const NICE: i32 = 10;
    // SAFETY: on Linux, 0 is this thread, which may always lower its priority.
    unsafe { libc::setpriority(libc::PRIO_PROCESS, 0, NICE) };
}

/// Waits for work. Returns `None` if this thread is to end.
fn next() -> Option<PoolWork> {
    let idle = |workers: &mut Workers| workers.work.is_empty() && !workers.closing;
    let (mut workers, _) = wait_while(&WORK_QUEUED, workers(), IDLE_TIMEOUT, idle);
    workers.idle -= 1;
    let work = workers.work.pop_front();
    workers.busy += usize::from(work.is_some());
    work
}
