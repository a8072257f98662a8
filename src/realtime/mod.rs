//! PIN sets in tables of Asterisk's Realtime: `docs/realtime.md`.
//!
//! Asterisk's drivers have no time limit, so they are called on threads of ours, one for each
//! family, while the channel is serviced. A call that does not return blocks its family: all
//! others are refused at once, no second thread goes in, and the module stays loaded.

mod extconfig;

use std::collections::BTreeMap;
use std::num::NonZeroU32;
use std::sync::{Arc, Mutex, MutexGuard};
use std::time::{Duration, Instant};

use pinset::database::realtime::{
    consume as consume_use, find, queries, stored_rows, RealtimeError, RealtimeSearch,
};
use pinset::database::{LookupClock, StoredRows, StoredRowsError};
use pinset::verify::{RowQuery, ServiceChannel};
use pinset::Pin;
use thiserror::Error;
use zeroize::Zeroizing;

use crate::asterisk::log::log;
use crate::asterisk::realtime::RealtimeFamily;
use crate::config::InForce;
use crate::sync::lock::lock;
use crate::work_queue::{run_in, Priority, QueueError, WorkQueue};

pub(crate) use extconfig::check;

/// Longest queue of a family.
const MAX_WAITING: usize = 1000;

/// The families that were used since the module was loaded.
static FAMILIES: Mutex<BTreeMap<String, Arc<Family>>> = Mutex::new(BTreeMap::new());

/// Why a family gives no answer.
#[derive(Debug, Error)]
pub(crate) enum FamilyError {
    /// It has not answered in time, or too many wait.
    #[error(transparent)]
    Queue(#[from] QueueError),
    /// A call of its driver has not returned for so long.
    #[error("the driver has not returned for {} s: nothing is asked until it has", .0.as_secs())]
    Stuck(Duration),
    /// There is no answer.
    #[error(transparent)]
    Table(#[from] RealtimeError),
    /// What it has found can't be used.
    #[error(transparent)]
    Rows(#[from] StoredRowsError),
}

/// A family, its queue and its thread.
struct Family {
    name: String,
    queue: Arc<WorkQueue>,
    running: Mutex<Option<DriverCall>>,
}

/// A call of the driver that has not returned.
struct DriverCall {
    began: Instant,
    /// Whether the log says that it blocks the family.
    is_reported: bool,
}

impl Family {
    /// Returns the family of this name.
    fn of(name: &str) -> Arc<Self> {
        let mut families = lock(&FAMILIES);
        let family = families.entry(name.to_owned()).or_insert_with(|| {
            let queue = WorkQueue::new(Priority::Normal, MAX_WAITING, "Realtime");
            Arc::new(Self {
                name: name.to_owned(),
                queue: Arc::new(queue.awaited_by_unload()),
                running: Mutex::new(None),
            })
        });
        Arc::clone(family)
    }

    fn running(&self) -> MutexGuard<'_, Option<DriverCall>> {
        lock(&self.running)
    }

    /// Returns for how long the driver has not returned, if a caller could wait no longer.
    fn stuck_for(&self, timeout: Duration) -> Option<Duration> {
        let mut running = self.running();
        let call = running.as_mut()?;
        let time = call.began.elapsed();
        // The call of a caller whose time is up began a little after the caller.
        if time < timeout * 9 / 10 {
            return None;
        }
        if !std::mem::replace(&mut call.is_reported, true) {
            log!(
                Warning,
                "realtime:{}: the driver has not returned within {} s: until it has, PIN sets \
                 of this family admit nobody, and the module can't be unloaded",
                self.name,
                timeout.as_secs_f64()
            );
        }
        Some(time)
    }

    /// Notes that a call of the driver begins; it ends when the return value is dropped.
    fn enter(self: &Arc<Self>) -> impl Drop {
        struct Entered(Arc<Family>);
        impl Drop for Entered {
            fn drop(&mut self) {
                let ended = self.0.running().take();
                if let Some(call) = ended.filter(|call| call.is_reported) {
                    let time = call.began.elapsed().as_secs();
                    log!(
                        Notice,
                        "realtime:{}: the driver has returned after {time} s",
                        self.0.name
                    );
                }
            }
        }
        *self.running() = Some(DriverCall {
            began: Instant::now(),
            is_reported: false,
        });
        Entered(Arc::clone(self))
    }

    /// Runs a job on the family's thread, and waits for its result for what is `left` of
    /// `timeout`. Returns `None` if the caller has hung up.
    fn run<H: ServiceChannel, T: Send + 'static>(
        self: &Arc<Self>,
        host: &mut H,
        left: Duration,
        timeout: Duration,
        job: impl FnOnce(&RealtimeFamily, &dyn Fn() -> bool) -> Option<T> + Send + 'static,
    ) -> Option<Result<T, FamilyError>> {
        if let Some(time) = self.stuck_for(timeout) {
            return Some(Err(FamilyError::Stuck(time)));
        }
        let family = Arc::clone(self);
        let result = run_in(&self.queue, host, 1, left, move |wanted| {
            if !wanted() {
                return None;
            }
            let _entered = family.enter();
            job(&RealtimeFamily::new(&family.name), wanted)
        })?;
        // So that the log says it when the first caller is refused.
        self.stuck_for(timeout);
        Some(result.map_err(FamilyError::from))
    }
}

/// Looks up the rows of a PIN set that may be the caller's, as they are now, for at most
/// `source_timeout`. Returns `None` if the caller has hung up.
///
/// # Errors
///
/// The database has not answered in time, or what it has found can't be used.
pub(crate) fn look_up<H: ServiceChannel>(
    host: &mut H,
    family: &str,
    pin_set: &str,
    query: &RowQuery<'_>,
    pin: &Pin,
    in_force: &InForce,
) -> Option<Result<StoredRows, FamilyError>> {
    let search = match query {
        RowQuery::Anybody => RealtimeSearch::Pin(pin),
        RowQuery::Caller(number) => RealtimeSearch::Caller(number),
        RowQuery::Account(account) => RealtimeSearch::Account(account),
    };
    let queries = queries(search, &in_force.pepper);
    let timeout = in_force.settings.source_timeout;
    let asked = Instant::now();
    let name = pin_set.to_owned();
    let found = match queries.is_empty() {
        true => Vec::new(),
        false => {
            let found = Family::of(family).run(host, timeout, timeout, move |table, wanted| {
                find(table, &queries, &name, wanted)
            })?;
            match found {
                Ok(Ok(found)) => found,
                Ok(Err(error)) => return Some(Err(error.into())),
                Err(error) => return Some(Err(error)),
            }
        }
    };
    let rules = (&in_force.rules.zone, &in_force.rules.numbering);
    let left = timeout.saturating_sub(asked.elapsed());
    let rows = stored_rows(found, family, pin_set, rules, left);
    Some(rows.map_err(FamilyError::from))
}

/// Takes a use of a row within what its look-up has left of `source_timeout`, the
/// `timeout`. Returns false if there is none left, and `None` if the caller has hung up: the
/// use may be taken all the same.
///
/// # Errors
///
/// The use can't be taken, or not in time; it may be taken all the same, and nobody is
/// admitted by it.
pub(crate) fn consume<H: ServiceChannel>(
    host: &mut H,
    (family, pin_set): (&str, &str),
    (id, secret): (&str, &str),
    limit: NonZeroU32,
    clock: &LookupClock,
    timeout: Duration,
) -> Option<Result<bool, FamilyError>> {
    let family = Family::of(family);
    let warning = format!(
        "a use of realtime:{}, id {id}, may be taken without a call",
        family.name
    );
    let (pin_set, id) = (pin_set.to_owned(), id.to_owned());
    let secret = Zeroizing::new(secret.to_owned());
    let taken = family.run(host, clock.left, timeout, move |table, wanted| {
        let unsure = || log!(Warning, "{warning}: the driver has failed");
        let row = (id.as_str(), secret.as_str());
        let taken = consume_use(table, &pin_set, row, limit, wanted, unsure);
        if matches!(taken, Some(Ok(true))) && !wanted() {
            log!(Warning, "{warning}: its caller has given up");
        }
        taken
    })?;
    Some(taken.and_then(|taken| taken.map_err(FamilyError::from)))
}

/// Returns a family whose driver is called now, and for how long.
pub(crate) fn busy() -> Option<(String, Duration)> {
    let families = lock(&FAMILIES);
    families.values().find_map(|family| {
        let running = family.running();
        let time = running.as_ref()?.began.elapsed();
        Some((family.name.clone(), time))
    })
}

/// Forgets the families. No thread works for them.
pub(crate) fn clear() {
    lock(&FAMILIES).clear();
}
