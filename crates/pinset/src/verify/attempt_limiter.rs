//! Charging of attempts to the lockout counters, before and after verification.

use std::cell::Cell;
use std::time::{Duration, Instant};

use super::notice::Notice;
use super::reason::Reason;
use super::shared_lockouts::{SharedLockouts, Uncharged};
use super::ticket::Ticket;
use crate::lockout::{
    AttemptResult, Caller, ChargeError, Limits, Lock, Lockouts, Standing, Subject,
};
use crate::pin::Pin;
use crate::timestamp::since_epoch;
use crate::verdict::Verdict;

/// The interval at which a waiting attempt tries again, in milliseconds.
const POLL_INTERVAL_MS: i32 = 20;

/// A channel that is serviced while its call waits.
pub trait ServiceChannel {
    /// Services the channel for at most `milliseconds` while the call waits for
    /// something else. Returns false if the caller has hung up.
    fn listen(&mut self, milliseconds: i32) -> bool;

    /// Whether there is a channel: without one, a result can be waited for at once.
    fn needs_service(&self) -> bool {
        true
    }
}

/// Stands for the channel of an entry that was collected elsewhere: it never hangs up.
pub struct NoChannel;

impl ServiceChannel for NoChannel {
    fn listen(&mut self, milliseconds: i32) -> bool {
        let time = u64::try_from(milliseconds).unwrap_or_default();
        std::thread::sleep(Duration::from_millis(time));
        true
    }

    fn needs_service(&self) -> bool {
        false
    }
}

/// Gives access to the lockouts, and receives what becomes known of one call.
pub trait LockoutContext {
    /// How long an attempt waits for attempts in flight that may use up the limit: no
    /// hash takes longer.
    const SETTLE_TIMEOUT: Duration = Duration::from_secs(10);

    /// Runs `what` with the lockouts and the time of [`Self::now`]. The lockouts are
    /// locked meanwhile, for some microseconds. Inside, no other method of this trait
    /// is called.
    fn lockouts<T>(&self, what: impl FnOnce(&mut Lockouts, Duration) -> T) -> T;

    /// Reports that the lockouts have changes, to be stored soon. Called while they are
    /// not locked.
    fn changed(&self);

    /// Reports the lock that ends the call, and the time left of it, which is `None` if
    /// it lasts until it is unlocked by hand.
    fn locked(&self, lock: Lock, left: Option<Duration>);

    /// Reports the account whose rows may be the caller's, by the list; empty if there
    /// is none.
    fn identified(&self, account: &[u8]);

    /// Notes why the attempt does not admit the caller; the last reason counts.
    /// By default it is dropped.
    fn reason(&self, _reason: Reason) {}

    /// Reports a notice for the administrator.
    fn notice(&self, notice: &Notice<'_>);

    /// The database with the lockouts of the PIN set, if they are not those of
    /// [`Self::lockouts`].
    fn shared(&self) -> Option<&dyn SharedLockouts> {
        None
    }

    /// The time since the Unix epoch.
    fn now(&self) -> Duration {
        since_epoch()
    }
}

/// The subjects to which the entries of one call are charged.
pub struct Counter<K> {
    /// The name of the PIN set or the list.
    name: String,
    limits: Limits,
    caller: Caller,
    keeper: K,
    /// The number of charged entries.
    pub(super) tries: Cell<u32>,
}

/// An entry is not to be verified.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum AttemptError {
    /// There is a lock, which was reported to [`LockoutContext::locked`].
    Locked,
    /// The caller has hung up.
    Gone,
    /// Concurrent attempts use up the limit for too long, which was reported to
    /// [`LockoutContext::notice`].
    Busy,
    /// The lockouts are not known, which was reported to [`LockoutContext::notice`].
    Unknown,
}

impl<K: LockoutContext> Counter<K> {
    /// For entries of this caller to the PIN set or the list of this name.
    pub fn new(name: &str, limits: Limits, caller: Caller, keeper: K) -> Self {
        Self {
            name: name.to_owned(),
            limits,
            caller,
            keeper,
            tries: Cell::new(0),
        }
    }

    /// The context with the lockouts.
    pub fn keeper(&self) -> &K {
        &self.keeper
    }

    /// The name of the PIN set or the list.
    pub fn name(&self) -> &str {
        &self.name
    }

    /// The caller whose entries are counted.
    pub fn caller(&self) -> &Caller {
        &self.caller
    }

    pub(super) fn subject(&self) -> Subject<'_> {
        Subject {
            pin_set: &self.name,
            limits: self.limits,
            caller: &self.caller,
        }
    }

    /// What the caller may do, before anything is asked.
    pub fn look<H: ServiceChannel>(&self, host: &mut H) -> Standing {
        let standing = self.standing(host);
        if let Standing::Locked(lock) = standing {
            self.leave(lock);
        }
        standing
    }

    /// Charges an entry, before it is verified.
    ///
    /// # Errors
    ///
    /// The entry is not to be verified, and nothing is charged.
    pub fn charge<H: ServiceChannel>(&self, host: &mut H) -> Result<Ticket<'_, K>, AttemptError> {
        let tries = self.tries.get();
        let charge = self.charged(host, |host| self.try_charge(host, tries))?;
        self.tries.set(tries.saturating_add(1));
        Ok(Ticket::new(self, Some(charge), tries))
    }

    /// Verifies an entry with `verify`, which may charge accounts to the
    /// [`Ticket`]; an empty one is not counted. Returns `None` if the caller has
    /// hung up: then it has counted as wrong.
    pub fn verify<H: ServiceChannel>(
        &self,
        host: &mut H,
        pin: &Pin,
        verify: impl FnOnce(&mut H, &mut Ticket<'_, K>) -> Option<Verdict>,
    ) -> Option<Verdict> {
        if let Some(shared) = self.keeper.shared() {
            shared.begin();
        }
        if pin.is_empty() {
            return verify(host, &mut Ticket::new(self, None, 0));
        }
        let mut ticket = match self.charge(host) {
            Ok(ticket) => ticket,
            Err(AttemptError::Locked) => return Some(Verdict::Locked { verified: false }),
            Err(AttemptError::Gone) => return None,
            Err(AttemptError::Busy | AttemptError::Unknown) => return Some(Verdict::Unavailable),
        };
        let verdict = verify(host, &mut ticket)?;
        let verified = match &verdict {
            Verdict::Right(grant) => AttemptResult::Right(grant.account.as_deref()),
            Verdict::Wrong | Verdict::Expired => AttemptResult::Wrong,
            Verdict::Locked { .. } | Verdict::Unavailable => AttemptResult::Void,
        };
        // It may have been the PIN of the account that is locked.
        let stands = ticket.locked.filter(|_| verdict == Verdict::Wrong);
        let begins = ticket.settle(Some(host), verified);
        if let Some(lock) = stands.filter(|_| !begins) {
            self.leave(lock);
        }
        Some(if begins || stands.is_some() {
            Verdict::Locked { verified: true }
        } else {
            verdict
        })
    }

    /// Reports the lock that ends the call.
    pub(super) fn leave(&self, lock: Lock) {
        let left = lock
            .until
            .map(|until| until.saturating_sub(self.keeper.now()));
        self.keeper.locked(lock, left);
    }

    /// Runs `what` with the lockouts, and has its changes stored.
    pub(super) fn with_lockouts<T>(&self, what: impl FnOnce(&mut Lockouts, Duration) -> T) -> T {
        let (result, changes) = self.keeper.lockouts(|lockouts, now| {
            let result = what(lockouts, now);
            (result, lockouts.has_changes())
        });
        if changes {
            self.keeper.changed();
        }
        result
    }

    /// Retries until the result does not depend on entries that are being verified.
    pub(super) fn charged<H: ServiceChannel, T>(
        &self,
        host: &mut H,
        mut charge: impl FnMut(&mut H) -> Result<T, Uncharged>,
    ) -> Result<T, AttemptError> {
        let until = Instant::now() + K::SETTLE_TIMEOUT;
        loop {
            match charge(host) {
                Ok(charged) => return Ok(charged),
                Err(Uncharged::Refused(ChargeError::Locked(lock))) => {
                    self.leave(lock);
                    return Err(AttemptError::Locked);
                }
                Err(Uncharged::Refused(ChargeError::Busy)) if Instant::now() >= until => {
                    self.keeper.notice(&Notice::Busy(&self.name));
                    return Err(AttemptError::Busy);
                }
                Err(Uncharged::Refused(ChargeError::Busy)) if host.listen(POLL_INTERVAL_MS) => {
                    // It is others that are waited for, not the database.
                    if let Some(shared) = self.keeper.shared() {
                        shared.begin();
                    }
                }
                Err(Uncharged::Refused(ChargeError::Busy) | Uncharged::Gone) => {
                    return Err(AttemptError::Gone)
                }
                Err(Uncharged::Failed(why)) => {
                    self.keeper.notice(&Notice::Refused(&self.name, &why));
                    return Err(AttemptError::Unknown);
                }
            }
        }
    }
}
