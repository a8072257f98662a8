//! Slow hashes: as many at once as the machine has processors, some more wait,
//! and then nobody is admitted. The callers are looked after meanwhile.

use std::fmt;
use std::num::NonZeroUsize;
use std::sync::OnceLock;
use std::thread::available_parallelism;
use std::time::Duration;

use pinset::judging::Work;
use pinset::rows::Candidate;
use pinset::secret::Unverifiable;

use crate::crew::{self, Crew, Priority};
use crate::patience::Patient;

/// How many hashes wait at most for each processor.
const MAX_WAITING: usize = 64;

static CREW: Crew = Crew::new(Priority::Low, MAX_WAITING);

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

/// The rows whose PIN it is, in their order. `None`: the caller is gone.
pub fn verify<H: Patient>(host: &mut H, work: Work) -> Option<Result<Vec<Candidate>, Failed>> {
    let most = MOST.get_or_init(|| available_parallelism().map_or(1, NonZeroUsize::get));
    let right = CREW.ask(host, *most, PATIENCE, |wanted| work.carry_out(|| !wanted()))?;
    Some(match right {
        Ok(right) => right.map_err(Failed::Unverifiable),
        Err(crew::Failed::TooMany) => Err(Failed::TooMany),
        Err(crew::Failed::Late) => Err(Failed::Late),
    })
}

/// Lets go of what waited.
pub fn forget() {
    CREW.forget();
}
