//! Unloads of the module while calls use it.

use std::cell::Cell;
use std::time::Duration;

use shuttle::rand::Rng;
use shuttle::thread;

use super::{Channel, LONG};
use crate::asterisk::{in_flight, thread_pool};
use crate::auth::application;
use crate::ffi;
use crate::model::run::{Model, Orders};
use crate::model::{step, Odds};
use crate::module::{authrs_load, authrs_unload};
use crate::pinset::verify::LockoutContext;
use crate::state::audit::AuditContext;
use crate::state::lockouts::CallLockouts;
use crate::work_queue::{Priority, WorkQueue};

shuttle::lazy_static! {
    static ref QUEUE: WorkQueue = WorkQueue::new(Priority::Normal, 1, "jobs");
}

thread_local! {
    static INSIDE: Cell<u32> = const { Cell::new(0) };
}

/// What a call does: a lockout changes, a job runs on another thread, and it takes a while.
fn work() {
    INSIDE.set(INSIDE.get() + 1);
    later(40);
    CallLockouts::own(AuditContext).changed();
    let done = QUEUE.run(&mut Channel, 1, LONG, |_| {
        step();
        Some(())
    });
    assert!(done.is_some(), "nobody hangs up");
    INSIDE.set(INSIDE.get() - 1);
}

/// Goes on after at most so many steps of others.
fn later(steps: u32) {
    for _ in 0..shuttle::rand::thread_rng().gen_range(0..=steps) {
        step();
    }
}

/// `module unload`, with or without `-f`. Returns whether the module is unloaded.
fn unload(is_forced: bool) -> bool {
    if !is_forced && ffi::uses() > 0 || authrs_unload() != 0 {
        return false;
    }
    // Here Asterisk unmaps the library.
    assert_eq!(INSIDE.get(), 0, "calls in code that is unmapped");
    assert_eq!(
        ffi::arriving_calls(),
        0,
        "calls that run code that is unmapped"
    );
    assert_eq!(ffi::living_threads(), 0, "threads in code that is unmapped");
    true
}

pub(crate) const MODEL: Model = Model {
    name: "unload",
    invariant: "an unload succeeds only without calls and threads in the module, is refused \
                otherwise, and ends",
    orders: Orders::Some(1500),
    odds: Odds {
        timeout: 4,
        no_thread: 8,
        ..Odds::NONE
    },
    run: || {
        INSIDE.set(0);
        application::set_work(work);
        assert_eq!(authrs_load(), 0);
        let call = || {
            later(80);
            ffi::dial()
        };
        let calls = [(); 2].map(|()| thread::spawn(call));
        later(10);
        let unloaded = unload(shuttle::rand::thread_rng().gen());
        let ran = calls.map(|call| call.join().unwrap());
        if unloaded {
            return;
        }
        assert!(
            ffi::dial(),
            "an unload that is refused leaves the application"
        );
        while !thread_pool::are_idle(LONG) || ffi::uses() > 0 {
            shuttle::thread::yield_now();
        }
        // The lockouts may be written meanwhile.
        while !unload(false) {
            shuttle::thread::yield_now();
        }
        assert!(!ffi::dial(), "the application is gone");
    },
    broken: &[
        "an unload does not wait for calls that were looked up",
        "an unload does not look for calls again",
        "threads are not joined",
    ],
};

#[test]
fn unload_never_succeeds_with_a_call_in_flight() {
    MODEL.check();
}
