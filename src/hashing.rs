//! Slow hashes: as many at once as the machine has processors, some more wait,
//! and then nobody is admitted. The callers are looked after meanwhile.

use std::fmt;
use std::num::NonZeroUsize;
use std::sync::{Arc, OnceLock, Weak};
use std::thread::available_parallelism;
use std::time::{Duration, Instant};

use pinset::judging::Work;
use pinset::rows::Candidate;
use pinset::secret::Unverifiable;

use crate::crew::Crew;
use crate::patience::{Awaited, Patient, Promise};

static CREW: Crew = Crew::new();

/// How many processors there are for us; to ask takes a look at some files.
static MOST: OnceLock<usize> = OnceLock::new();

/// So long a caller waits for it: a hundred at once wait some seconds.
const PATIENCE: Duration = Duration::from_secs(10);

/// Why nobody can say whether a PIN is right.
pub enum Failed {
    /// Too many wait already.
    TooMany,
    /// It took too long.
    Late,
    /// It can't be computed.
    Unverifiable(Unverifiable),
}

impl fmt::Display for Failed {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::TooMany => f.write_str("too many wait for their hash to be computed"),
            Self::Late => write!(
                f,
                "a hash was not computed within {} s: too many wait",
                PATIENCE.as_secs()
            ),
            Self::Unverifiable(why) => why.fmt(f),
        }
    }
}

type Result = std::result::Result<Vec<Candidate>, Unverifiable>;

/// The rows whose PIN it is, in their order. `None`: the caller is gone.
pub fn verify<H: Patient>(
    host: &mut H,
    work: Work,
) -> Option<std::result::Result<Vec<Candidate>, Failed>> {
    let promise = Arc::new(Promise::new());
    let told = Arc::downgrade(&promise);
    let most = MOST.get_or_init(|| available_parallelism().map_or(1, NonZeroUsize::get));
    if !CREW.take_on(*most, move || compute(work, &told)) {
        return Some(Err(Failed::TooMany));
    }
    match promise.wait_with(host, Instant::now() + PATIENCE) {
        Awaited::There(rows) => Some(rows.map_err(Failed::Unverifiable)),
        Awaited::Late => Some(Err(Failed::Late)),
        Awaited::Gone => None,
    }
}

fn compute(work: Work, told: &Weak<Promise<Result>>) {
    let right = work.carry_out(|| told.strong_count() == 0);
    if let (Some(right), Some(promise)) = (right, told.upgrade()) {
        promise.keep(right);
    }
}

/// Lets go of what waited.
pub fn forget() {
    CREW.forget();
}
