//! The failures of one caller, account or PIN set, and its lock.

use thiserror::Error;

use super::bounded_table::{Retention, TableEntry};
use super::failure_times::Cells;
use super::key::Key;
use super::monotonic_clock::milliseconds;
use super::{Caller, Kind};
use crate::config::Lockout;

/// The longest lock in milliseconds, however many locks there were before.
pub(super) const MAX_LOCK_MS: u64 = 24 * 60 * 60 * 1000;

/// How long a lock is remembered after its end, in milliseconds.
pub(super) const LOCK_MEMORY_MS: u64 = MAX_LOCK_MS;

/// The consecutive failures of an account that lock it until an administrator unlocks
/// it.
pub(super) const MAX_CONSECUTIVE_FAILURES: u32 = 100;

/// How long the consecutive failures of accounts that are in no list are kept, in
/// milliseconds. Those of other accounts are kept until an attempt succeeds.
const STRANGER_MEMORY_MS: u64 = 30 * MAX_LOCK_MS;

/// The end of a lock that lasts until an administrator unlocks it.
pub(super) const UNTIL_UNLOCKED: u64 = u64::MAX;

/// From this value on, a time is an order only: such entries never expire, and are the
/// last that are evicted.
const NEVER: u64 = 1 << 60;

/// The group of accounts that are in no list.
const STRANGERS: Key = [0; 16];

/// The subject of the failures.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(super) enum FailureOwner {
    /// A caller's.
    Caller(Caller),
    /// An account's. `None` if the account is in no list: the name may be a PIN
    /// entered in the wrong place, so it is kept nowhere.
    Account(Option<String>),
    /// The PIN set's own.
    PinSet,
}

/// One key's failures and locks.
#[derive(Clone, Debug)]
pub(super) struct Count {
    pub pin_set: String,
    pub who: FailureOwner,
    /// Definite failures since the last lock began, within `window`.
    pub cells: Cells,
    /// Those of callers an account trusts, which are not in `cells`. Their
    /// success ends these alone.
    pub trusted_cells: Cells,
    /// Entries charged and not yet settled.
    pub in_flight: u32,
    /// While an account or a PIN set is locked: wrong entries of trusted callers
    /// since the lock began, of an account also since one of them succeeded;
    /// and those of them that are not yet settled.
    pub reserve: u32,
    pub reserve_in_flight: u32,
    pub locked: bool,
    /// The end of the lock, or of the last one; 0: there was none.
    pub end: u64,
    /// How often it was locked, the current time included.
    pub times: u32,
    /// An account's failures since its last success; those of callers it trusts;
    /// and when the last one of either came.
    pub consecutive: u32,
    pub trusted_consecutive: u32,
    pub last: u64,
    /// The window its failures were last counted by.
    pub window: u64,
    /// Goes up with each change that is to be stored.
    pub version: u32,
}

/// Why an attempt can't be charged to a counter.
#[derive(Clone, Copy, Debug, Error)]
pub(super) enum CounterError {
    /// There is a lock until this time.
    #[error("locked out")]
    Locked(u64),
    /// The limit is reached if all attempts in flight fail.
    #[error("attempts in flight use up the limit")]
    InFlight,
}

impl Count {
    /// With nothing counted.
    pub(super) fn new(pin_set: &str, who: FailureOwner) -> Self {
        Self {
            pin_set: pin_set.to_owned(),
            who,
            cells: Cells::default(),
            trusted_cells: Cells::default(),
            in_flight: 0,
            reserve: 0,
            reserve_in_flight: 0,
            locked: false,
            end: 0,
            times: 0,
            consecutive: 0,
            trusted_consecutive: 0,
            last: 0,
            window: 0,
            version: 0,
        }
    }

    /// The kind of the key.
    pub(super) fn kind(&self) -> Kind {
        match self.who {
            FailureOwner::Caller(_) => Kind::Caller,
            FailureOwner::Account(_) => Kind::Account,
            FailureOwner::PinSet => Kind::PinSet,
        }
    }

    /// An account that was in no list is in one now. What was forgotten by then stays
    /// forgotten.
    pub(super) fn known_as(&mut self, known: Option<&str>, now: u64) {
        if let (FailureOwner::Account(None), Some(known)) = (&self.who, known) {
            self.see(now);
            self.who = FailureOwner::Account(Some(known.to_owned()));
            self.version = self.version.wrapping_add(1);
        }
    }

    /// Why one more entry can't be charged by `limit`, if it can't.
    pub(super) fn full(&mut self, limit: &Lockout, now: u64) -> Option<CounterError> {
        self.count_by(limit, now);
        self.lock_if_due(limit, now);
        if self.locked {
            return Some(CounterError::Locked(self.end));
        }
        let full = |failures: u32, most| failures.saturating_add(self.in_flight) >= most;
        (full(self.failures(), limit.failures)
            || full(self.all_consecutive(), MAX_CONSECUTIVE_FAILURES))
        .then_some(CounterError::InFlight)
    }

    /// Failures within the window since the last lock began.
    pub(super) fn failures(&self) -> u32 {
        let trusted = self.trusted_cells.count();
        self.cells.count().saturating_add(trusted)
    }

    /// An account's failures since its last success.
    pub(super) fn all_consecutive(&self) -> u32 {
        self.consecutive.saturating_add(self.trusted_consecutive)
    }

    fn is_account(&self) -> bool {
        matches!(self.who, FailureOwner::Account(_))
    }

    /// How many wrong entries trusted callers have during one lock: as many as
    /// it took to lock it.
    fn reserve_size(&self, limit: &Lockout) -> u32 {
        match self.who {
            FailureOwner::Account(_) => limit.failures.min(MAX_CONSECUTIVE_FAILURES),
            _ => limit.failures,
        }
    }

    /// Why a trusted caller's entry can't be charged during a lock, if it can't.
    pub(super) fn reserve_full(&self, limit: &Lockout) -> Option<CounterError> {
        let most = self.reserve_size(limit);
        if self.reserve >= most {
            return Some(CounterError::Locked(self.end));
        }
        (self.reserve.saturating_add(self.reserve_in_flight) >= most)
            .then_some(CounterError::InFlight)
    }

    /// One more of a trusted caller's is in flight.
    pub(super) fn fly_on_reserve(&mut self, now: u64) {
        self.see(now);
        self.reserve_in_flight = self.reserve_in_flight.saturating_add(1);
    }

    /// One of those does not count. No lock begins with it.
    pub(super) fn refund_reserve(&mut self, now: u64) -> Option<u64> {
        self.see(now);
        self.reserve_in_flight = self.reserve_in_flight.saturating_sub(1);
        None
    }

    /// One of those was right. An account's trusted callers have their reserve
    /// back. The lock stays, and so do the failures of all others.
    pub(super) fn right_on_reserve(&mut self, now: u64) -> Option<u64> {
        self.refund_reserve(now);
        self.trusted_callers_start_over();
        None
    }

    /// One of those was wrong. The end of the lock, if no more are left or the
    /// lock now lasts until it is unlocked by hand. Once there is no lock, it is
    /// counted only among the consecutive failures of an account: the lock that
    /// admitted it has had it.
    pub(super) fn wrong_on_reserve(&mut self, limit: &Lockout, now: u64) -> Option<u64> {
        self.refund_reserve(now);
        let was_by_hand = self.locked && self.end == UNTIL_UNLOCKED;
        if self.is_account() {
            self.failed_once_more(true, now);
            if self.locked && self.all_consecutive() >= MAX_CONSECUTIVE_FAILURES {
                self.end = UNTIL_UNLOCKED;
            }
        }
        if !self.locked {
            let is_due = self.is_account() && self.lock_if_due(limit, now);
            return is_due.then_some(self.end);
        }
        self.reserve = self.reserve.saturating_add(1);
        self.version = self.version.wrapping_add(1);
        let is_by_hand = self.end == UNTIL_UNLOCKED;
        (self.reserve >= self.reserve_size(limit) || is_by_hand != was_by_hand).then_some(self.end)
    }

    /// One more is in flight.
    pub(super) fn fly(&mut self, now: u64) {
        self.see(now);
        self.in_flight = self.in_flight.saturating_add(1);
    }

    /// One in flight does not count. No lock begins with it.
    pub(super) fn refund(&mut self, now: u64) -> Option<u64> {
        self.see(now);
        self.in_flight = self.in_flight.saturating_sub(1);
        None
    }

    /// One in flight was wrong. The end of the lock that begins with it.
    pub(super) fn wrong(&mut self, limit: &Lockout, is_trusted: bool, now: u64) -> Option<u64> {
        self.refund(now);
        self.count_by(limit, now);
        if is_trusted {
            self.trusted_cells.add(now);
        } else {
            self.cells.add(now);
        }
        self.failed_once_more(is_trusted, now);
        self.lock_if_due(limit, now).then_some(self.end)
    }

    fn failed_once_more(&mut self, is_trusted: bool, now: u64) {
        let consecutive = match is_trusted {
            true => &mut self.trusted_consecutive,
            false => &mut self.consecutive,
        };
        if let FailureOwner::Account(_) = self.who {
            *consecutive = consecutive.saturating_add(1);
        }
        self.last = now;
        self.version = self.version.wrapping_add(1);
    }

    /// One in flight was right. If it is that of a caller the account trusts,
    /// the failures of such callers are forgotten, and strangers get no fresh
    /// tries; else the account starts over. A lock that began meanwhile stays.
    pub(super) fn right(&mut self, is_trusted: bool, now: u64) -> Option<u64> {
        self.refund(now);
        self.trusted_callers_start_over();
        if is_trusted {
            return None;
        }
        let has_changed = self.cells.last().is_some() || self.consecutive > 0 || self.times > 0;
        self.cells.clear();
        self.consecutive = 0;
        if !self.locked {
            (self.times, self.end) = (0, 0);
        }
        if has_changed {
            self.version = self.version.wrapping_add(1);
        }
        None
    }

    fn trusted_callers_start_over(&mut self) {
        if self.trusted_consecutive == 0 {
            return;
        }
        self.trusted_cells.clear();
        self.trusted_consecutive = 0;
        self.reserve = 0;
        self.version = self.version.wrapping_add(1);
    }

    /// Starts over; entries in flight stay in flight. Whether there was a lock.
    pub(super) fn unlock(&mut self, now: u64) -> bool {
        self.see(now);
        let locked = self.locked;
        self.cells.clear();
        self.trusted_cells.clear();
        self.locked = false;
        (self.times, self.end) = (0, 0);
        (self.consecutive, self.trusted_consecutive) = (0, 0);
        self.reserve = 0;
        self.version = self.version.wrapping_add(1);
        locked
    }

    fn lock_if_due(&mut self, limit: &Lockout, now: u64) -> bool {
        if self.locked {
            return false;
        }
        self.end = if self.all_consecutive() >= MAX_CONSECUTIVE_FAILURES {
            UNTIL_UNLOCKED
        } else if self.failures() >= limit.failures {
            let doubled = 1u64 << self.times.min(30);
            let lock = milliseconds(limit.lock).max(1).saturating_mul(doubled);
            now + lock.min(MAX_LOCK_MS)
        } else {
            return false;
        };
        self.cells.clear();
        self.trusted_cells.clear();
        self.locked = true;
        self.times = self.times.saturating_add(1);
        self.version = self.version.wrapping_add(1);
        true
    }

    /// A change of the window counts from now on: what a shorter one has
    /// forgotten stays forgotten.
    fn count_by(&mut self, limit: &Lockout, now: u64) {
        self.window = milliseconds(limit.window);
        self.see(now);
    }

    fn forget(&mut self, now: u64) {
        let since = now.saturating_sub(self.window);
        self.cells.forget(since);
        self.trusted_cells.forget(since);
    }
}

impl TableEntry for Count {
    fn see(&mut self, now: u64) {
        self.locked &= self.end > now;
        if !self.locked {
            self.reserve = 0;
        }
        if !self.locked && self.end.saturating_add(LOCK_MEMORY_MS) <= now {
            (self.times, self.end) = (0, 0);
        }
        if self.who == FailureOwner::Account(None) && self.last + STRANGER_MEMORY_MS <= now {
            (self.consecutive, self.trusted_consecutive) = (0, 0);
        }
        self.forget(now);
    }

    fn retention(&self) -> Retention {
        if self.locked {
            return Retention::Locked(self.end);
        }
        if self.in_flight > 0 || self.reserve_in_flight > 0 {
            return Retention::InFlight;
        }
        let last = self.cells.last().max(self.trusted_cells.last());
        let failures = last.map(|last| last + self.window + 1);
        let locks = (self.times > 0).then_some(self.end.saturating_add(LOCK_MEMORY_MS));
        let consecutive = (self.all_consecutive() > 0).then_some(match self.who {
            FailureOwner::Account(Some(_)) => NEVER + self.last,
            _ => self.last + STRANGER_MEMORY_MS,
        });
        let until = failures.max(locks).max(consecutive);
        until.map_or(Retention::Expired, Retention::Until)
    }

    fn version(&self) -> u32 {
        self.version
    }

    /// Accounts that are in no list: however many are made up, there is room
    /// for those that are.
    fn group(&self) -> Option<Key> {
        (self.who == FailureOwner::Account(None)).then_some(STRANGERS)
    }
}
