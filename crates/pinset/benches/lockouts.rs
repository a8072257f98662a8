//! What lockouts add to a call while tables are full, and listing ten thousand
//! of them: `make bench-lockouts`.
#![forbid(unsafe_code)]

use std::hint::black_box;
use std::time::{Duration, Instant};

use pinset::config::Lockout;
use pinset::lockout::{
    Account, AttemptResult, Caller, Capacity, ChargeError, Cursor, Limits, Lockouts, Standing,
    Subject, Unlock,
};

const CALLERS: usize = 100_000;
const LOCKED: usize = 10_000;
const ATTEMPTS: usize = 200_000;

const START: Duration = Duration::from_secs(1_795_000_000);

fn main() {
    let hour = Duration::from_secs(60 * 60);
    let limit = |failures| {
        Some(Lockout {
            failures,
            window: 24 * hour,
            lock: 12 * hour,
        })
    };
    let limits = Limits {
        caller: limit(5),
        account: limit(10),
        pin_set: limit(1_000_000),
    };
    let mut lockouts = Lockouts::new(Capacity::DEFAULT);
    for number in 0..CALLERS {
        let entries = if number < LOCKED { 5 } else { 1 };
        for _ in 0..entries {
            attempt(&mut lockouts, limits, number, START, AttemptResult::Wrong);
        }
    }
    report_time("rows to write, each", || {
        lockouts.take_changes(usize::MAX).len()
    });
    // Each pushes one out.
    report_time("wrong attempt of a new caller", || {
        for number in CALLERS..CALLERS + ATTEMPTS {
            attempt(&mut lockouts, limits, number, START, AttemptResult::Wrong);
        }
        ATTEMPTS
    });
    report_time("right attempt of a new caller", || {
        for number in CALLERS..CALLERS + ATTEMPTS {
            attempt(
                &mut lockouts,
                limits,
                7 * number,
                START,
                AttemptResult::Right(None),
            );
        }
        ATTEMPTS
    });
    report_time("attempt of a locked caller", || {
        for number in 0..ATTEMPTS {
            attempt(
                &mut lockouts,
                limits,
                number % LOCKED,
                START,
                AttemptResult::Wrong,
            );
        }
        ATTEMPTS
    });
    report_time(&format!("listing {LOCKED} locks"), || {
        assert_eq!(black_box(lockouts.locks(None, START)).len(), LOCKED);
        1
    });
    // In pieces, as the module does it, so that calls have their turn in between.
    report_pieces("listing 20 locks", || {
        let mut next = Some(Cursor::default());
        std::iter::from_fn(|| {
            let started = Instant::now();
            let (held, after) = lockouts.locks_after(None, next?, 20, START);
            next = after;
            black_box(held);
            Some(started.elapsed())
        })
        .collect()
    });
    for what in [Unlock::Caller("7", None), Unlock::Account("7")] {
        report_pieces("unlocking among 20", || {
            let mut next = Some(Cursor::default());
            std::iter::from_fn(|| {
                let started = Instant::now();
                (_, next) = lockouts.unlock_after(what, None, next?, 20, START);
                Some(started.elapsed())
            })
            .collect()
        });
    }
    report_pieces("10 rows to write", || {
        std::iter::from_fn(|| {
            let started = Instant::now();
            let rows = lockouts.take_changes(10).len();
            (rows > 0).then(|| started.elapsed())
        })
        .collect()
    });
    let slowest = (CALLERS..CALLERS + ATTEMPTS).map(|number| {
        let now = START + 25 * hour;
        let started = Instant::now();
        attempt(&mut lockouts, limits, number, now, AttemptResult::Wrong);
        started.elapsed()
    });
    let slowest = slowest.max().unwrap_or_default();
    println!("the slowest attempt while all that was held goes: {slowest:?}");
}

fn report_time(what: &str, work: impl FnOnce() -> usize) {
    let started = Instant::now();
    let times = work();
    let each = started.elapsed().as_secs_f64() * 1e6 / times.max(1) as f64;
    println!("{what}: {each:.1} µs");
}

fn report_pieces(what: &str, work: impl FnOnce() -> Vec<Duration>) {
    let mut pieces = work();
    pieces.sort_unstable();
    let at = |share: usize| pieces.get(pieces.len().saturating_sub(1) * share / 1000);
    let [median, most, slowest] = [500, 999, 1000].map(|share| at(share).copied());
    let [median, most, slowest] = [median, most, slowest].map(Option::unwrap_or_default);
    println!("{what}: {median:?}, 999 of 1000 within {most:?}, the slowest {slowest:?}");
}

/// Does the lockout operations of a call for one entry.
fn attempt(
    lockouts: &mut Lockouts,
    limits: Limits,
    number: usize,
    now: Duration,
    result: AttemptResult,
) {
    let name = number.to_string();
    let caller = Caller::new(Some(name.as_bytes()), "PJSIP/trunk-0000001a");
    let who = Subject {
        pin_set: "customers",
        limits,
        caller: &caller,
    };
    if let Standing::Locked(_) = lockouts.look(&who, now) {
        return;
    }
    match lockouts.charge(&who, 0, now) {
        Ok(mut charge) => {
            let account = Account {
                name: name.as_bytes(),
                known: true,
            };
            let charged: Result<(), ChargeError> =
                lockouts.charge_account(&mut charge, account, now);
            let result = charged.map_or(AttemptResult::Void, |()| result);
            black_box(lockouts.settle(charge, result, now));
        }
        Err(refused) => {
            black_box(refused);
        }
    }
}
