//! What the modelled sources use in place of `std`, and the runs of a model.

pub(crate) mod run;
pub(crate) mod sync;
pub(crate) mod thread;
pub(crate) mod time;

use std::cell::Cell;

use shuttle::rand::Rng;

thread_local! {
    static BROKEN: Cell<&'static str> = const { Cell::new("") };
    static ODDS: Cell<Odds> = const { Cell::new(Odds::NONE) };
}

/// How often what may happen does, in one of so many cases; 0: never.
#[derive(Clone, Copy)]
pub(crate) struct Odds {
    /// A limited wait is over before its condition.
    pub(crate) timeout: u32,
    /// No thread can be started.
    pub(crate) no_thread: u32,
    /// Asterisk's commit of its database fails.
    pub(crate) no_commit: u32,
}

impl Odds {
    pub(crate) const NONE: Self = Self {
        timeout: 0,
        no_thread: 0,
        no_commit: 0,
    };
}

/// Returns whether this variant of the product is switched on.
pub(crate) fn is_broken(variant: &str) -> bool {
    BROKEN.get() == variant
}

/// Returns true in one of `odds` cases, and never if that is 0.
pub(crate) fn happens(odds: impl Fn(Odds) -> u32) -> bool {
    let odds = odds(ODDS.get());
    odds > 0 && shuttle::rand::thread_rng().gen_range(0..odds) == 0
}

/// A point at which another thread may run.
pub(crate) fn step() {
    sync::atomic::AtomicBool::new(false).load(sync::atomic::Ordering::SeqCst);
}
