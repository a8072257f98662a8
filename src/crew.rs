//! Work that takes a while and that many callers want at once: so many are at
//! it at a time, so many wait, and more are turned away. Calls come first.

use std::sync::{Mutex, MutexGuard, PoisonError};

use pinset::queue::{Put, Queue};

use crate::asterisk::boundary::guard;
use crate::asterisk::worker;

type Work = Box<dyn FnOnce() + Send>;

/// Threads for one kind of work.
pub struct Crew(Mutex<Queue<Work>>);

impl Crew {
    /// A crew with nothing to do.
    pub const fn new() -> Self {
        Self(Mutex::new(Queue::new()))
    }

    fn queue(&self) -> MutexGuard<'_, Queue<Work>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Has `work` done, by `most` threads at a time. False: too much waits
    /// already, or there is no thread to be had; then it is dropped.
    pub fn take_on(&'static self, most: usize, work: impl FnOnce() + Send + 'static) -> bool {
        let mut queue = self.queue();
        match queue.put(Box::new(work), most) {
            Put::Waits => true,
            Put::Full => false,
            Put::MayBegin if worker::start_humbly(|| self.work()) => {
                queue.begin();
                true
            }
            Put::MayBegin => queue.keep_last(),
        }
    }

    fn work(&self) {
        loop {
            // Let go of before the work begins.
            let next = self.queue().take();
            let Some(work) = next else { return };
            guard((), work);
        }
    }

    /// Lets go of what was waiting: nothing is, when the module is unloaded.
    pub fn forget(&self) {
        self.queue().clear();
    }
}
