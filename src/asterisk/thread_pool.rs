//! Threads of our own: Asterisk's kind, so that none of Rust's thread-locals
//! is left on a thread that outlives the module, each joined before the
//! module can go. One that has nothing to do waits a while for the next work.

use std::collections::VecDeque;
use std::ffi::c_void;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Condvar, Mutex, MutexGuard};
use std::time::Duration;

use super::panic::guard;
use crate::ffi;
use crate::sync::lock::{lock, wait_while};

/// How many there may be at once.
pub const MAX_THREADS: usize = 64;

/// How long one waits for work.
const IDLE: Duration = Duration::from_secs(2);

struct Work {
    run: Box<dyn FnOnce() + Send>,
    /// Everybody else comes first.
    humble: bool,
    /// It keeps the module from being unloaded.
    holds: bool,
}

struct Workers {
    threads: Vec<Thread>,
    work: VecDeque<Work>,
    /// How many wait for work, and how many are at it.
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

/// There is work, or no more will come.
static CALL: Condvar = Condvar::new();

/// A thread has done its work.
static DONE: Condvar = Condvar::new();

fn workers() -> MutexGuard<'static, Workers> {
    lock(&WORKERS)
}

/// Runs `work` on a thread of its own and keeps the module from being
/// unloaded meanwhile. False: too many run already, or there is no thread to
/// be had; then the work is dropped.
pub fn start(work: impl FnOnce() + Send + 'static) -> bool {
    put(Work {
        run: Box::new(work),
        humble: false,
        holds: true,
    })
}

/// The same for work that takes a processor for long: calls come first.
pub fn start_low_priority(work: impl FnOnce() + Send + 'static) -> bool {
    put(Work {
        run: Box::new(work),
        humble: true,
        holds: true,
    })
}

/// The same for work that an unload may end: it does not keep Asterisk from beginning
/// one. The unload is refused unless [`are_idle`] comes true.
pub fn start_unheld(work: impl FnOnce() + Send + 'static) -> bool {
    put(Work {
        run: Box::new(work),
        humble: false,
        holds: false,
    })
}

fn put(work: Work) -> bool {
    let mut workers = workers();
    if workers.idle <= workers.work.len() && !hire(&mut workers) {
        return false;
    }
    if work.holds {
        // SAFETY: the module is registered and running, for a call or a worker is
        // inside it, or the thread of a schedule of ours, which is joined before it
        // goes.
        unsafe { ffi::authrs_hold() };
    }
    workers.work.push_back(work);
    CALL.notify_one();
    true
}

fn hire(workers: &mut Workers) -> bool {
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
    if unsafe { ffi::authrs_thread_start(&mut thread, Some(body), data.cast_mut().cast()) } != 0 {
        // SAFETY: the thread was not started, so the reference is still ours.
        drop(unsafe { Arc::from_raw(data) });
        return false;
    }
    workers.threads.push(Thread { thread, ended });
    workers.idle += 1;
    true
}

/// Whether none works, or is about to, or all are done within this time.
pub fn are_idle(within: Duration) -> bool {
    let busy = |workers: &mut Workers| workers.busy > 0 || !workers.work.is_empty();
    let (_workers, timed_out) = wait_while(&DONE, workers(), within, busy);
    !timed_out
}

/// Ends all threads, when the module is unloaded: none works then.
pub fn join_all() {
    let threads = {
        let mut workers = workers();
        workers.closing = true;
        CALL.notify_all();
        std::mem::take(&mut workers.threads)
    };
    threads.into_iter().for_each(join);
    let mut workers = workers();
    workers.closing = false;
    workers.work = VecDeque::new();
}

fn join(thread: Thread) {
    // SAFETY: our thread, joined here and nowhere else. It is told to end, or
    // has said that it does.
    unsafe { libc::pthread_join(thread.thread, std::ptr::null_mut()) };
}

unsafe extern "C" fn body(data: *mut c_void) -> *mut c_void {
    // SAFETY: the reference that `hire` made for this thread alone.
    let ended = unsafe { Arc::from_raw(data.cast_const().cast::<AtomicBool>()) };
    be_ordinary();
    while let Some(Work { run, humble, holds }) = next() {
        if humble {
            be_humble();
        }
        guard((), run);
        workers().busy -= 1;
        DONE.notify_all();
        if holds {
            // SAFETY: the reference `start` took. From here on the module may be
            // unloaded, which joins this thread first.
            unsafe { ffi::authrs_release() };
        }
        // What was given up is not given back.
        if humble {
            break;
        }
        workers().idle += 1;
    }
    ended.store(true, Ordering::Release);
    std::ptr::null_mut()
}

/// Gives up the real-time priority that `asterisk -p` hands down to each
/// thread: a hash that is computed must not come before anybody's sound.
fn be_ordinary() {
    let ordinary = libc::sched_param { sched_priority: 0 };
    // SAFETY: this thread itself, and a value of our own. It may always.
    unsafe { libc::pthread_setschedparam(libc::pthread_self(), libc::SCHED_OTHER, &ordinary) };
}

/// Lets all other threads come first, if they want to.
fn be_humble() {
    /// A tenth of what others get, where there is not enough for all.
    const NICE: i32 = 10;
    // SAFETY: on Linux, 0 is this thread. More than it has, it may always.
    unsafe { libc::setpriority(libc::PRIO_PROCESS, 0, NICE) };
}

/// The next work; `None`: this thread has none to wait for.
fn next() -> Option<Work> {
    let idle = |workers: &mut Workers| workers.work.is_empty() && !workers.closing;
    let (mut workers, _) = wait_while(&CALL, workers(), IDLE, idle);
    workers.idle -= 1;
    let work = workers.work.pop_front();
    workers.busy += usize::from(work.is_some());
    work
}
