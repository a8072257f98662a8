//! Asterisk's scheduler: a thread that runs work at any time later.

use std::collections::VecDeque;
use std::sync::Arc;
use std::time::Duration;

use shuttle::sync::{Condvar, Mutex};
use shuttle::thread::JoinHandle;

use crate::asterisk::astdb;
use crate::model::time;

pub(crate) type Work = fn() -> bool;

#[derive(Default)]
struct State {
    work: VecDeque<(i32, Work)>,
    closed: bool,
}

pub(crate) struct Schedule {
    shared: Arc<(Mutex<State>, Condvar)>,
    thread: Option<JoinHandle<()>>,
}

impl Schedule {
    pub(crate) fn new() -> Option<Self> {
        let shared = Arc::new((Mutex::new(State::default()), Condvar::new()));
        let its = Arc::clone(&shared);
        crate::ffi::thread_begins();
        let thread = shuttle::thread::spawn(move || {
            while let Some((milliseconds, work)) = next(&its) {
                shuttle::thread::yield_now();
                seconds_pass(milliseconds);
                if work() {
                    its.0.lock().unwrap().work.push_back((milliseconds, work));
                }
            }
            crate::ffi::thread_ends();
        });
        let thread = Some(thread);
        Some(Self { shared, thread })
    }

    pub(crate) fn add(&self, milliseconds: i32, work: Work) -> bool {
        self.shared
            .0
            .lock()
            .unwrap()
            .work
            .push_back((milliseconds, work));
        self.shared.1.notify_all();
        true
    }
}

fn next(shared: &(Mutex<State>, Condvar)) -> Option<(i32, Work)> {
    let mut state = shared.0.lock().unwrap();
    while state.work.is_empty() && !state.closed {
        state = shared.1.wait(state).unwrap();
    }
    match state.closed {
        true => None,
        false => state.work.pop_front(),
    }
}

/// Asterisk commits its database each second.
fn seconds_pass(milliseconds: i32) {
    for _ in 0..(milliseconds / 1000).min(5) {
        time::pass(Duration::from_secs(1));
        astdb::commit();
    }
}

impl Drop for Schedule {
    fn drop(&mut self) {
        self.shared.0.lock().unwrap().closed = true;
        self.shared.1.notify_all();
        if let Some(thread) = self.thread.take() {
            thread.join().unwrap();
        }
    }
}
