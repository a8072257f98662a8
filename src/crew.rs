//! Work that takes a while and that many callers want at once: so many are at
//! it at a time, so many wait, and more are turned away. Calls come first.

use std::collections::VecDeque;
use std::sync::{Mutex, MutexGuard, PoisonError};

use crate::asterisk::boundary::guard;
use crate::asterisk::worker;

type Work = Box<dyn FnOnce() + Send>;

/// So much work waits at most for each of those who are at it: then the last
/// one waits as long, however many they are.
const MOST_WAITING: usize = 64;

/// Threads for one kind of work.
pub struct Crew {
    state: Mutex<State>,
}

struct State {
    at_it: usize,
    waiting: VecDeque<Work>,
}

impl Crew {
    /// A crew with nothing to do.
    pub const fn new() -> Self {
        Self {
            state: Mutex::new(State {
                at_it: 0,
                waiting: VecDeque::new(),
            }),
        }
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Has `work` done, by `most` threads at a time. False: too much waits
    /// already, or there is no thread to be had; then it is dropped.
    pub fn take_on(&'static self, most: usize, work: impl FnOnce() + Send + 'static) -> bool {
        let mut state = self.state();
        if state.waiting.len() >= MOST_WAITING * most {
            return false;
        }
        state.waiting.push_back(Box::new(work));
        if state.at_it >= most {
            return true;
        }
        if worker::start_humbly(|| self.work()) {
            state.at_it += 1;
            return true;
        }
        // Those who are at it will come to it.
        if state.at_it > 0 {
            return true;
        }
        state.waiting.pop_back();
        false
    }

    fn work(&self) {
        while let Some(work) = self.next() {
            guard((), work);
        }
    }

    fn next(&self) -> Option<Work> {
        let mut state = self.state();
        let work = state.waiting.pop_front();
        state.at_it -= usize::from(work.is_none());
        work
    }

    /// Lets go of what was waiting: nothing is, when the module is unloaded.
    pub fn forget(&self) {
        self.state().waiting = VecDeque::new();
    }
}
