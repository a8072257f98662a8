//! The models. Each says what must hold.

pub(crate) mod fetch;
mod ledger;
mod lockouts;
mod oneshot;
mod unload;
mod work_queue;

use std::time::Duration;

use crate::asterisk::thread_pool;
use crate::model::thread;
use crate::pinset::verify::ServiceChannel;
use crate::variants::VARIANTS;

/// Longer than anything takes.
const LONG: Duration = Duration::from_secs(60);

/// The channel of a caller, who does not hang up.
struct Channel;

impl ServiceChannel for Channel {
    fn listen(&mut self, milliseconds: i32) -> bool {
        thread::sleep(Duration::from_millis(milliseconds.unsigned_abs().into()));
        true
    }
}

/// Ends the threads of the pool, once they have no work.
fn end_threads() {
    while !thread_pool::are_idle(LONG) {}
    thread_pool::join_all();
    assert_eq!(crate::ffi::uses(), 0, "the module is held by nobody");
}

#[test]
fn every_variant_is_caught_by_a_model() {
    let models = [
        fetch::MODEL,
        ledger::ONE_TIME,
        ledger::COUNTED,
        lockouts::CHARGES,
        lockouts::STORED,
        oneshot::RESULT,
        oneshot::SENDING,
        unload::MODEL,
        work_queue::MODEL,
        work_queue::WAKE_UP,
    ];
    let caught: Vec<_> = models.iter().flat_map(|model| model.broken).collect();
    for variant in VARIANTS {
        assert!(caught.contains(&&variant.name), "{}", variant.name);
    }
    assert_eq!(caught.len(), VARIANTS.len());
}
