//! Threads of our own: Asterisk's kind, so that none of Rust's thread-locals
//! is left on a thread that outlives the module, each joined before the
//! module can go.

use std::ffi::c_void;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, PoisonError};

use crate::ffi;

/// How many may run at once.
const MOST: usize = 8;

struct Worker {
    thread: ffi::pthread_t,
    finished: Arc<AtomicBool>,
}

static WORKERS: Mutex<Vec<Worker>> = Mutex::new(Vec::new());

struct Job {
    work: Box<dyn FnOnce() + Send>,
    finished: Arc<AtomicBool>,
}

/// Runs `work` on a thread of its own and keeps the module from being
/// unloaded meanwhile. False: too many run already, or there is no thread to
/// be had; then the work is dropped.
pub fn start(work: impl FnOnce() + Send + 'static) -> bool {
    let mut workers = WORKERS.lock().unwrap_or_else(PoisonError::into_inner);
    let (done, running): (Vec<_>, Vec<_>) = std::mem::take(&mut *workers)
        .into_iter()
        .partition(|worker| worker.finished.load(Ordering::Acquire));
    *workers = running;
    done.into_iter().for_each(join);
    if workers.len() >= MOST {
        return false;
    }

    let finished = Arc::new(AtomicBool::new(false));
    let job = Box::new(Job {
        work: Box::new(work),
        finished: Arc::clone(&finished),
    });
    let data = Box::into_raw(job);
    let mut thread: ffi::pthread_t = 0;
    // SAFETY: the module is registered and running, for a call is inside it.
    unsafe { ffi::authrs_hold() };
    // SAFETY: `body` takes the box; `thread` is ours.
    if unsafe { ffi::authrs_thread_start(&mut thread, Some(body), data.cast()) } != 0 {
        // SAFETY: the thread was not started, so the box is still ours, and
        // so is the reference taken above.
        unsafe {
            drop(Box::from_raw(data));
            ffi::authrs_release();
        }
        return false;
    }
    workers.push(Worker { thread, finished });
    true
}

/// Whether any works.
pub fn any() -> bool {
    WORKERS
        .lock()
        .unwrap_or_else(PoisonError::into_inner)
        .iter()
        .any(|worker| !worker.finished.load(Ordering::Acquire))
}

/// Joins the threads that have finished: all, when the module is unloaded,
/// for it is not while one works.
pub fn join_all() {
    let workers = std::mem::take(&mut *WORKERS.lock().unwrap_or_else(PoisonError::into_inner));
    workers.into_iter().for_each(join);
}

fn join(worker: Worker) {
    // SAFETY: our thread, joined here and nowhere else. It has let go of the
    // module or marked itself finished, so it ends at once.
    unsafe { libc::pthread_join(worker.thread, std::ptr::null_mut()) };
}

unsafe extern "C" fn body(data: *mut c_void) -> *mut c_void {
    // SAFETY: the box that `start` made for this thread alone.
    let job = unsafe { Box::from_raw(data.cast::<Job>()) };
    let finished = Arc::clone(&job.finished);
    super::boundary::guard((), job.work);
    finished.store(true, Ordering::Release);
    // SAFETY: the reference `start` took. From here on the module may be
    // unloaded, which joins this thread first.
    unsafe { ffi::authrs_release() };
    std::ptr::null_mut()
}
