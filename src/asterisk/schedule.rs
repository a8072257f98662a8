//! Asterisk's scheduler: work of ours at a later time, on one thread that is joined when
//! the schedule is dropped.

use std::ffi::{c_int, c_void};
use std::ptr::NonNull;

use crate::ffi;

/// A schedule for one kind of work.
pub(crate) struct Schedule(NonNull<ffi::ast_sched_context>);

// SAFETY: Asterisk's scheduler locks for itself; any thread may add to it, and
// the one that owns it may destroy it.
unsafe impl Send for Schedule {}

/// Scheduled work. Returns true to be called again after the same time.
pub(crate) type Work = fn() -> bool;

impl Schedule {
    /// Creates a schedule and its thread. Returns `None` if that fails.
    pub(crate) fn new() -> Option<Self> {
        // SAFETY: no arguments, and NULL is looked for.
        let context = NonNull::new(unsafe { ffi::ast_sched_context_create() })?;
        // SAFETY: the context is ours and new. On failure it is dropped below.
        let started = unsafe { ffi::ast_sched_start_thread(context.as_ptr()) } == 0;
        let schedule = Self(context);
        started.then_some(schedule)
    }

    /// Schedules `work` in `milliseconds`. Returns false if that fails.
    pub(crate) fn add(&self, milliseconds: i32, work: Work) -> bool {
        // SAFETY: the context is ours; `call` takes the function pointer for
        // what it is. The thread is joined before the module can go.
        unsafe {
            ffi::ast_sched_add(
                self.0.as_ptr(),
                milliseconds,
                Some(call),
                work as *const c_void,
            ) >= 0
        }
    }
}

impl Drop for Schedule {
    fn drop(&mut self) {
        // SAFETY: ours, destroyed once; its thread is joined inside.
        unsafe { ffi::ast_sched_context_destroy(self.0.as_ptr()) };
    }
}

unsafe extern "C" fn call(work: *const c_void) -> c_int {
    // SAFETY: `add` put a `Work` there, and a function pointer has the size of
    // a data pointer wherever Asterisk runs.
    let work = unsafe { std::mem::transmute::<*const c_void, Work>(work) };
    c_int::from(super::panic::guard(false, work))
}
