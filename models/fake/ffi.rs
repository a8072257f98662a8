//! Asterisk and the kernel, as far as C code stands for them: threads, the count of uses of
//! the module, the dialplan.

use std::cell::{Cell, RefCell};
use std::ffi::{c_char, c_int, c_void};

use shuttle::sync::{Condvar, Mutex};
use shuttle::thread::{JoinHandle, ThreadId};

use crate::model::{happens, step};

#[allow(non_camel_case_types)]
pub(crate) type pthread_t = u64;
#[allow(non_camel_case_types)]
pub(crate) struct ast_channel;
#[allow(non_camel_case_types)]
pub(crate) struct ast_module;

type Body = unsafe extern "C-unwind" fn(*mut c_void) -> *mut c_void;
type Exec = unsafe extern "C-unwind" fn(*mut ast_channel, *const c_char) -> c_int;

thread_local! {
    static THREADS: RefCell<Vec<Option<JoinHandle<()>>>> = const { RefCell::new(Vec::new()) };
    static LIVING: Cell<usize> = const { Cell::new(0) };
    static APPLICATION: Cell<Option<Exec>> = const { Cell::new(None) };
    static USES: Cell<i64> = const { Cell::new(0) };
    static ARRIVING: Cell<usize> = const { Cell::new(0) };
}

pub(crate) fn reset() {
    THREADS.set(Vec::new());
    LIVING.set(0);
    APPLICATION.set(None);
    USES.set(0);
    ARRIVING.set(0);
}

/// Counts a thread that runs code of the module.
pub(crate) fn thread_begins() {
    LIVING.set(LIVING.get() + 1);
}

pub(crate) fn thread_ends() {
    LIVING.set(LIVING.get() - 1);
}

/// Returns how many threads run code of the module.
pub(crate) fn living_threads() -> usize {
    LIVING.get()
}

struct Data(*mut c_void);
// SAFETY: it is for the thread that is started.
unsafe impl Send for Data {}

impl Data {
    fn take(self) -> *mut c_void {
        self.0
    }
}

pub(crate) unsafe fn authrs_thread_start(
    thread: *mut pthread_t,
    body: Option<Body>,
    data: *mut c_void,
) -> c_int {
    if happens(|odds| odds.no_thread) {
        return 11;
    }
    let data = Data(data);
    thread_begins();
    let handle = shuttle::thread::spawn(move || {
        // SAFETY: as the module has it.
        unsafe { body.unwrap()(data.take()) };
        thread_ends();
    });
    THREADS.with_borrow_mut(|threads| {
        threads.push(Some(handle));
        // SAFETY: the caller's.
        unsafe { *thread = threads.len() as u64 - 1 };
    });
    0
}

pub(crate) unsafe fn authrs_hold() {
    USES.set(USES.get() + 1);
}

pub(crate) unsafe fn authrs_release() {
    USES.set(USES.get() - 1);
}

/// Returns Asterisk's count of uses of the module.
pub(crate) fn uses() -> i64 {
    USES.get()
}

pub(crate) fn authrs_self() -> *mut ast_module {
    std::ptr::null_mut()
}

pub(crate) unsafe fn authrs_is_time(_: *const c_char) -> c_int {
    1
}

pub(crate) unsafe fn pbx_findapp(_: *const c_char) -> *mut c_void {
    match APPLICATION.get() {
        Some(application) => application as *mut c_void,
        None => std::ptr::null_mut(),
    }
}

pub(crate) unsafe fn ast_register_application2(
    _: *const c_char,
    exec: Option<Exec>,
    _: *const c_char,
    _: *const c_char,
    _: *mut c_void,
) -> c_int {
    APPLICATION.set(exec);
    0
}

pub(crate) unsafe fn ast_unregister_application(_: *const c_char) -> c_int {
    APPLICATION.set(None);
    0
}

/// Who holds the lock of the dialplan.
#[derive(Default)]
struct Contexts {
    writer: Option<ThreadId>,
    readers: usize,
}

shuttle::lazy_static! {
    static ref CONTEXTS: Mutex<Contexts> = Mutex::new(Contexts::default());
    static ref CONTEXTS_CHANGED: Condvar = Condvar::new();
}

pub(crate) unsafe fn ast_wrlock_contexts() -> c_int {
    let mut contexts = CONTEXTS.lock().unwrap();
    while contexts.writer.is_some() || contexts.readers > 0 {
        contexts = CONTEXTS_CHANGED.wait(contexts).unwrap();
    }
    contexts.writer = Some(shuttle::thread::current().id());
    0
}

pub(crate) unsafe fn ast_unlock_contexts() {
    CONTEXTS.lock().unwrap().writer = None;
    CONTEXTS_CHANGED.notify_all();
}

/// A call runs the application, if the dialplan has it. Returns whether it had it.
pub(crate) fn dial() -> bool {
    let mut contexts = CONTEXTS.lock().unwrap();
    while contexts.writer.is_some() {
        contexts = CONTEXTS_CHANGED.wait(contexts).unwrap();
    }
    contexts.readers += 1;
    drop(contexts);
    let found = APPLICATION.get();
    ARRIVING.set(ARRIVING.get() + usize::from(found.is_some()));
    CONTEXTS.lock().unwrap().readers -= 1;
    CONTEXTS_CHANGED.notify_all();
    let Some(exec) = found else { return false };
    step();
    assert!(
        APPLICATION.get().is_some(),
        "a call runs an application that is gone"
    );
    USES.set(USES.get() + 1);
    let mut channel = ast_channel;
    // SAFETY: as Asterisk has it.
    unsafe { exec(&raw mut channel, c"".as_ptr()) };
    USES.set(USES.get() - 1);
    true
}

/// A call that was looked up is counted by now.
pub(crate) fn call_arrives() {
    ARRIVING.set(ARRIVING.get() - 1);
}

/// Returns how many calls have looked up the application, and do not run it yet.
pub(crate) fn arriving_calls() -> usize {
    ARRIVING.get()
}

/// Waits for all calls that were looked up: a wait that is longer than that takes.
pub(crate) fn wait_for_arrivals() {
    while ARRIVING.get() > 0 {
        shuttle::thread::yield_now();
    }
}

pub(crate) mod libc {
    use std::ffi::{c_int, c_void};

    pub(crate) const SCHED_OTHER: c_int = 0;
    pub(crate) const PRIO_PROCESS: c_int = 0;

    #[allow(non_camel_case_types)]
    pub(crate) struct sched_param {
        pub(crate) sched_priority: c_int,
    }

    pub(crate) unsafe fn pthread_self() -> u64 {
        0
    }

    pub(crate) unsafe fn pthread_setschedparam(_: u64, _: c_int, _: *const sched_param) -> c_int {
        0
    }

    pub(crate) unsafe fn setpriority(_: c_int, _: u32, _: c_int) -> c_int {
        0
    }

    pub(crate) unsafe fn pthread_join(thread: u64, _: *mut *mut c_void) -> c_int {
        let at = usize::try_from(thread).unwrap();
        let handle = super::THREADS.with_borrow_mut(|threads| threads[at].take());
        handle
            .expect("joined once")
            .join()
            .expect("it has not panicked");
        0
    }
}
