//! Uses of PINs, counted exactly whatever races or crashes: a one-time PIN
//! (option `r`) admits one call, a row of a PIN file as many as its number of uses.
//!
//! Both live in Asterisk's database: the key of a one-time PIN is removed, the
//! uses of a row are a number. Asterisk commits its database up to a second
//! after a write, so a crash would give the use back. Before a caller is
//! admitted, a record is therefore synced to a journal of our own, which is
//! replayed when the module is loaded. A record is retired once the write is
//! on disk. That is known from two things together, a while after the write:
//! the database's file has been written to since, and a marker that was put
//! into the database together with the write is still there (a commit that
//! fails is rolled back, and takes both with it).
//!
//! All of that blocks for as long as the disk does. It happens on a thread of
//! ours, one use after the other, while each caller is serviced. A caller who
//! has waited for too long, or has hung up, is not admitted: a use that has not begun is
//! dropped, and one that has begun may be lost.

mod journal;
mod ledger;
mod purge;

use std::collections::BTreeMap;
use std::io;
use std::num::NonZeroU32;
use std::sync::{Mutex, MutexGuard};
use std::time::Duration;

use pinset::verify::{NoChannel, ServiceChannel};
use thiserror::Error;
use zeroize::Zeroizing;

use crate::asterisk::astdb::{self, MAX_WAITING};
use crate::asterisk::log::log;
use crate::asterisk::schedule::Schedule;
use crate::sync::lock::lock;
use crate::work_queue::{Priority, QueueError, WorkQueue};
use ledger::Ledger;

/// The family of the database in which uses are counted; PIN sets are below it.
pub(crate) const FAMILY: &str = "authenticate-uses";

/// Numbers of uses, or absences, by their keys.
pub(crate) type Values = BTreeMap<Vec<u8>, Vec<u8>>;

/// How often pending uses are checked, in milliseconds.
const LOOK_INTERVAL: i32 = 1000;

/// Uses are counted one after the other.
static QUEUE: WorkQueue =
    WorkQueue::new(Priority::Normal, MAX_WAITING, "Asterisk's database").awaited_by_unload();

/// Held during lookup, journal and write, so that two callers with one PIN are serialized.
/// No thread of a channel takes it.
static LEDGER: Mutex<Ledger> = Mutex::new(Ledger::new(look_later));

static SCHEDULE: Mutex<Option<Schedule>> = Mutex::new(None);

fn ledger() -> MutexGuard<'static, Ledger> {
    lock(&LEDGER)
}

fn schedule() -> MutexGuard<'static, Option<Schedule>> {
    lock(&SCHEDULE)
}

/// Replays the journal. To be called once, when the module is loaded.
///
/// A journal that can't be read is logged and left as it is: until it can, [`use_up`] and
/// [`count`] fail.
pub(crate) fn start() {
    *schedule() = Schedule::new();
    if let Err(error) = ledger().replay() {
        log!(
            Error,
            "{error}. One-time PINs (option r) are refused until the module is loaded again, \
             and so are PINs with a number of uses"
        );
    }
    if let Some(schedule) = schedule().as_ref() {
        schedule.add(purge::FIRST_LOOK_DELAY, purge::first_look);
    }
}

/// Stops the checks and clears the ledger, without access to the disk. Pending uses stay
/// in the journal.
pub(crate) fn shutdown() {
    // Joins the scheduler's thread.
    let schedule = schedule().take();
    drop(schedule);
    ledger().close();
}

/// Drops the uses that wait.
pub(crate) fn clear() {
    QUEUE.clear();
}

/// Why a use was not counted.
#[derive(Debug, Error)]
pub(crate) enum UseError {
    /// There is no journal.
    #[error("there is no journal")]
    NoJournal,
    /// Too many wait, or the use was not counted in time.
    #[error(transparent)]
    Queue(#[from] QueueError),
    /// The journal or the database can't be read or written.
    #[error("{0}")]
    Io(io::Error),
}

impl UseError {
    /// Returns whether the PIN was not looked up, so that the error does not tell a
    /// right one from a wrong one.
    pub(crate) fn is_before_lookup(&self) -> bool {
        matches!(self, Self::NoJournal | Self::Queue(QueueError::Full { .. }))
    }
}

/// Uses a one-time PIN up, within `timeout`. Returns true if it was there, so that it
/// admits no other call, false if there is no such PIN, and `None` if the caller has hung
/// up.
///
/// # Errors
///
/// Fails if the use is not certain: no caller may be admitted, and the PIN may be used
/// up all the same.
pub(crate) fn use_up<H: ServiceChannel>(
    host: &mut H,
    family: &[u8],
    key: &[u8],
    timeout: Duration,
) -> Option<Result<bool, UseError>> {
    let (family, key) = (family.to_vec(), Zeroizing::new(key.to_vec()));
    take(host, timeout, move |ledger, wanted| {
        ledger.use_up(&family, &key, wanted)
    })
}

/// Counts one more use of a row, within `timeout`. Returns true if it is counted and on
/// disk, so that the caller may be admitted, false if the row has had `limit` uses, and
/// `None` if the caller has hung up.
///
/// The number of uses is the key's value, in decimal; a key that is not there
/// stands for none. An administrator who deletes the key resets the row. Only within
/// three seconds after a use may a crash, a failed commit of Asterisk or loading the
/// module again restore that use's number; then the key must be deleted again.
///
/// # Errors
///
/// Fails if the use is not certain: no caller may be admitted, and the use may be
/// counted all the same. The error may hold family and key, so they must hold no PIN.
pub(crate) fn count<H: ServiceChannel>(
    host: &mut H,
    family: &[u8],
    key: &[u8],
    limit: NonZeroU32,
    timeout: Duration,
) -> Option<Result<bool, UseError>> {
    let (family, key) = (family.to_vec(), key.to_vec());
    take(host, timeout, move |ledger, wanted| {
        ledger.count(&family, &key, limit, wanted)
    })
}

/// Sets the uses of rows back to zero, by their keys in a family, within `timeout`.
/// Returns how many rows had any. It is on disk before this returns, and holds whatever
/// crashes afterwards: uses that follow are counted from zero.
///
/// # Errors
///
/// Fails if that is not certain of all of them: some may be set back all the same.
pub(crate) fn reset(
    family: Vec<u8>,
    keys: Vec<Vec<u8>>,
    timeout: Duration,
) -> Result<usize, UseError> {
    let reset = move |_: &dyn Fn() -> bool| {
        let mut ledger = ledger();
        if !ledger.has_journal() {
            return Some(Err(UseError::NoJournal));
        }
        let each = keys.iter().map(|key| ledger.reset(&family, key));
        let there: io::Result<Vec<bool>> = each.collect();
        let count = there.map(|there| there.into_iter().filter(|there| *there).count());
        Some(count.map_err(UseError::Io))
    };
    // Without a caller, nobody hangs up.
    let done = QUEUE.run(&mut NoChannel, 1, timeout, reset);
    done.map_or(Ok(0), |done| done?)
}

/// Returns the numbers of uses of a family by their keys, as they are in the database,
/// within `timeout`.
///
/// # Errors
///
/// Fails if the database has not answered by then.
pub(crate) fn uses_in(family: Vec<u8>, timeout: Duration) -> Result<Values, UseError> {
    let read = move |_: &dyn Fn() -> bool| {
        let mut all = Values::new();
        astdb::each_below(&family, |key, uses| {
            all.insert(key.to_vec(), uses.to_vec());
        });
        Some(all)
    };
    let done = QUEUE.run(&mut NoChannel, 1, timeout, read);
    Ok(done.transpose()?.unwrap_or_default())
}

/// Counts a use on the thread for uses, unless its caller has given up waiting.
fn take<H: ServiceChannel>(
    host: &mut H,
    timeout: Duration,
    work: impl FnOnce(&mut Ledger, &dyn Fn() -> bool) -> io::Result<bool> + Send + 'static,
) -> Option<Result<bool, UseError>> {
    let taken = QUEUE.run(host, 1, timeout, move |wanted| {
        if !wanted() {
            return None;
        }
        let mut ledger = ledger();
        // Before the lookup: the error must not tell a right PIN from a wrong one.
        if !ledger.has_journal() {
            return Some(Err(UseError::NoJournal));
        }
        let taken = work(&mut ledger, wanted);
        drop(ledger);
        if matches!(taken, Ok(true)) && !wanted() {
            log!(
                Warning,
                "a use of a PIN was counted after its caller had given up: no caller was admitted"
            );
        }
        Some(taken.map_err(UseError::Io))
    })?;
    Some(taken.unwrap_or_else(|error| Err(error.into())))
}

/// Schedules a check of pending uses, on the thread for uses. Returns false if that
/// fails.
fn look_later() -> bool {
    schedule()
        .as_ref()
        .is_some_and(|schedule| schedule.add(LOOK_INTERVAL, look))
}

/// Queues a check. Called by the scheduler; returns true to be called again if there is
/// no free thread.
fn look() -> bool {
    !QUEUE.submit_scheduled(|| ledger().look())
}
