//! The ledger of uses and its journal.

use std::fs;
use std::num::NonZeroU32;
use std::sync::atomic::{AtomicU32, Ordering::SeqCst};
use std::sync::Arc;

use shuttle::rand::Rng;
use shuttle::thread;

use super::{end_threads, Channel, LONG};
use crate::asterisk::astdb;
use crate::model::run::{Model, Orders};
use crate::model::{step, Odds};
use crate::state::use_ledger::{self, UseError};

const FAMILY: &[u8] = b"pins";
const KEY: &[u8] = b"1234";
const JOURNAL: &str = "app_authenticate_rs.journal";
/// The most steps until a crash; some come after all calls.
const MAX_STEPS_TO_CRASH: u32 = 250;

type Use = fn() -> Option<Result<bool, UseError>>;

/// Callers enter the same PIN.
fn calls(take: Use, admitted: &Arc<AtomicU32>) -> Vec<thread::JoinHandle<()>> {
    let call = |_| {
        let admitted = Arc::clone(admitted);
        thread::spawn(move || {
            if let Some(Ok(true)) = take() {
                admitted.fetch_add(1, SeqCst);
            }
        })
    };
    (0..3).map(call).collect()
}

/// What a crash leaves on disk, and the callers who were admitted by then.
struct Crash {
    database: std::collections::BTreeMap<Vec<u8>, Vec<u8>>,
    journal: Option<Vec<u8>>,
    admitted: u32,
}

impl Crash {
    fn now(admitted: &AtomicU32) -> Self {
        Self {
            database: astdb::on_disk(),
            journal: fs::read(astdb::beside(JOURNAL)).ok(),
            admitted: admitted.load(SeqCst),
        }
    }

    fn recover(self) -> u32 {
        astdb::recover(self.database);
        let journal = astdb::beside(JOURNAL);
        match self.journal {
            Some(text) => fs::write(journal, text).unwrap(),
            None => drop(fs::remove_file(journal)),
        }
        self.admitted
    }
}

/// Callers, a crash at any time, and callers after it; those who are admitted are `limit`
/// at most.
fn calls_and_crash(take: Use, limit: u32) {
    use_ledger::start();
    let admitted = Arc::new(AtomicU32::new(0));
    let callers = calls(take, &admitted);
    let crash = thread::spawn({
        let admitted = Arc::clone(&admitted);
        move || {
            for _ in 0..shuttle::rand::thread_rng().gen_range(0..MAX_STEPS_TO_CRASH) {
                step();
            }
            Crash::now(&admitted)
        }
    });
    for caller in callers {
        caller.join().unwrap();
    }
    assert_eq!(
        admitted.load(SeqCst),
        limit,
        "callers admitted without a crash"
    );
    let crash = crash.join().unwrap();
    use_ledger::shutdown();
    end_threads();
    use_ledger::clear();

    admitted.store(crash.recover(), SeqCst);
    use_ledger::start();
    for caller in calls(take, &admitted) {
        caller.join().unwrap();
    }
    let admitted = admitted.load(SeqCst);
    assert!(
        admitted <= limit,
        "{admitted} callers are admitted before and after a crash"
    );
    use_ledger::shutdown();
    end_threads();
}

const ODDS: Odds = Odds {
    no_commit: 3,
    ..Odds::NONE
};

pub(crate) const ONE_TIME: Model = Model {
    name: "one-time PIN",
    invariant: "it admits one call, whatever Asterisk fails to commit, and after a crash none",
    orders: Orders::Some(1000),
    odds: ODDS,
    run: || {
        astdb::put(FAMILY, KEY, b"");
        while astdb::on_disk().is_empty() {
            astdb::commit();
            astdb::put(FAMILY, KEY, b"");
        }
        calls_and_crash(|| use_ledger::use_up(&mut Channel, FAMILY, KEY, LONG), 1);
    },
    broken: &[
        "a failed commit restores a one-time PIN",
        "the journal is not replayed",
    ],
};

pub(crate) const COUNTED: Model = Model {
    name: "uses of a PIN",
    invariant: "two are given out, whatever Asterisk fails to commit, and not again after a crash",
    orders: Orders::Some(1000),
    odds: ODDS,
    run: || {
        let two = || {
            let limit = NonZeroU32::new(2).unwrap();
            use_ledger::count(&mut Channel, FAMILY, KEY, limit, LONG)
        };
        calls_and_crash(two, 2);
    },
    broken: &["a caller is admitted before the journal is written"],
};

#[test]
fn one_time_pin_admits_one_call() {
    ONE_TIME.check();
}

#[test]
fn uses_are_given_out_once() {
    COUNTED.check();
}
