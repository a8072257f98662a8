//! Runs of a model: of the product, which holds, and of its broken variants, which are caught.

use std::cell::Cell;
use std::fmt::Display;
use std::io::{self, Write};
use std::panic::{self, AssertUnwindSafe};
use std::sync::Once;
use std::time::{Instant, SystemTime, UNIX_EPOCH};

use shuttle::scheduler::{DfsScheduler, PctScheduler, RandomScheduler, Scheduler};
use shuttle::{Config, FailurePersistence, MaxSteps, Runner};

use super::{time, Odds, BROKEN, ODDS};

/// Threads of the product, and what must hold of them.
pub(crate) struct Model {
    /// Its name.
    pub(crate) name: &'static str,
    /// What holds in whatever order the threads run.
    pub(crate) invariant: &'static str,
    /// The orders that are tried.
    pub(crate) orders: Orders,
    /// What may happen.
    pub(crate) odds: Odds,
    /// Runs the threads once, and fails if the invariant does not hold.
    pub(crate) run: fn(),
    /// The variants of the product of which it does not hold.
    pub(crate) broken: &'static [&'static str],
}

/// The orders that are tried.
#[derive(Clone, Copy)]
pub(crate) enum Orders {
    /// Each there is.
    All,
    /// So many at random, and as many with few changes of the thread (PCT).
    Some(usize),
}

/// The most switches of threads of a run: with more, it never ends.
const MAX_STEPS: usize = 200_000;

/// Changes of the thread at which PCT finds an error.
const PCT_DEPTH: usize = 3;

thread_local! {
    static RUNS: Cell<usize> = const { Cell::new(0) };
    static IS_QUIET: Cell<bool> = const { Cell::new(false) };
}

impl Model {
    /// Runs the model of the product, then of each broken variant.
    ///
    /// # Panics
    ///
    /// The invariant does not hold, or a broken variant is not caught.
    pub(crate) fn check(&self) {
        quiet_if_expected();
        let seed = seed();
        self.report(self.invariant);
        let began = Instant::now();
        let result = self.try_variant("", seed);
        let time = began.elapsed().as_secs_f64();
        let runs = RUNS.get();
        if let Err(error) = result {
            panic!(
                "{}: fails in order {runs} with MODEL_SEED={seed}: {error}",
                self.name
            );
        }
        self.report(format_args!(
            "holds in {runs} orders, MODEL_SEED={seed}, {time:.1} s"
        ));
        for variant in self.broken {
            match self.try_variant(variant, seed) {
                Err(error) => {
                    let (runs, error) = (RUNS.get(), error.lines().next().unwrap_or_default());
                    self.report(format_args!("{variant}: caught in order {runs}: {error}"));
                }
                Ok(()) => panic!(
                    "{}: {variant}: not caught with MODEL_SEED={seed}",
                    self.name
                ),
            }
        }
    }

    /// Prints a line, also if the test passes.
    fn report(&self, text: impl Display) {
        let _ = writeln!(io::stdout(), "{}: {text}", self.name);
    }

    /// Runs a variant, and returns the panic of the first run that fails.
    fn try_variant(&self, variant: &'static str, seed: u64) -> Result<(), String> {
        BROKEN.set(variant);
        ODDS.set(self.odds);
        RUNS.set(0);
        IS_QUIET.set(!variant.is_empty());
        let result = panic::catch_unwind(AssertUnwindSafe(|| match self.orders {
            Orders::All => self.run_with(DfsScheduler::new(None, false)),
            Orders::Some(count) => {
                let count = count * factor();
                self.run_with(RandomScheduler::new_from_seed(seed, count));
                self.run_with(PctScheduler::new_from_seed(seed, PCT_DEPTH, count));
            }
        }));
        IS_QUIET.set(false);
        BROKEN.set("");
        result.map_err(|panic| match panic.downcast::<String>() {
            Ok(text) => *text,
            Err(panic) => panic
                .downcast_ref::<&str>()
                .map_or("panic".to_owned(), |text| (*text).to_owned()),
        })
    }

    fn run_with(&self, scheduler: impl Scheduler + 'static) {
        let mut config = Config::new();
        config.stack_size = 1 << 18;
        config.failure_persistence = FailurePersistence::None;
        config.max_steps = MaxSteps::FailAfter(MAX_STEPS);
        config.silence_warnings = true;
        let run = self.run;
        Runner::new(scheduler, config).run(move || {
            RUNS.set(RUNS.get() + 1);
            time::reset();
            crate::asterisk::reset();
            run();
        });
    }
}

/// Returns the seed of the orders: `MODEL_SEED`, or another one each time.
fn seed() -> u64 {
    let given = std::env::var("MODEL_SEED").ok();
    let now = || {
        SystemTime::now()
            .duration_since(UNIX_EPOCH)
            .unwrap_or_default()
    };
    given.map_or_else(
        || u64::from(now().subsec_nanos()),
        |seed| seed.parse().expect("MODEL_SEED is a number"),
    )
}

/// Returns how many times as many orders are tried: `MODEL_FACTOR`.
fn factor() -> usize {
    let given = std::env::var("MODEL_FACTOR").ok();
    given.map_or(1, |factor| {
        factor.parse().expect("MODEL_FACTOR is a number")
    })
}

/// Prints no panic of a broken variant.
fn quiet_if_expected() {
    static ONCE: Once = Once::new();
    ONCE.call_once(|| {
        let hook = panic::take_hook();
        panic::set_hook(Box::new(move |panic| {
            if !IS_QUIET.get() {
                hook(panic);
            }
        }));
    });
}
