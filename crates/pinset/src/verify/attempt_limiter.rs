//! Charging of attempts to the lockout counters, before and after verification.

use std::cell::Cell;
use std::time::{Duration, Instant};

use super::notice::Notice;
use super::reason::Reason;
use crate::lockout::{
    Account, AttemptResult, Caller, Charge, ChargeError, Limits, Lock, Lockouts, Standing, Subject,
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
}

/// Stands for the channel of an entry that was collected elsewhere: it never hangs up.
pub struct NoChannel;

impl ServiceChannel for NoChannel {
    fn listen(&mut self, milliseconds: i32) -> bool {
        let time = u64::try_from(milliseconds).unwrap_or_default();
        std::thread::sleep(Duration::from_millis(time));
        true
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
    tries: Cell<u32>,
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

    fn subject(&self) -> Subject<'_> {
        Subject {
            pin_set: &self.name,
            limits: self.limits,
            caller: &self.caller,
        }
    }

    /// What the caller may do, before anything is asked.
    pub fn look(&self) -> Standing {
        let look = |lockouts: &mut Lockouts, now| lockouts.look(&self.subject(), now);
        let standing = self.with_lockouts(look);
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
        let charge = self.charged(host, |lockouts, now| {
            lockouts.charge(&self.subject(), tries, now)
        })?;
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
        if pin.is_empty() {
            return verify(host, &mut Ticket::new(self, None, 0));
        }
        let mut ticket = match self.charge(host) {
            Ok(ticket) => ticket,
            Err(AttemptError::Locked) => return Some(Verdict::Locked { verified: false }),
            Err(AttemptError::Gone) => return None,
            Err(AttemptError::Busy) => return Some(Verdict::Unavailable),
        };
        let verdict = verify(host, &mut ticket)?;
        let verified = match &verdict {
            Verdict::Right(grant) => AttemptResult::Right(grant.account.as_deref()),
            Verdict::Wrong | Verdict::Expired => AttemptResult::Wrong,
            Verdict::Locked { .. } | Verdict::Unavailable => AttemptResult::Void,
        };
        // It may have been the PIN of the account that is locked.
        let stands = ticket.locked.filter(|_| verdict == Verdict::Wrong);
        let begins = ticket.settle(verified);
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
    fn leave(&self, lock: Lock) {
        let left = lock
            .until
            .map(|until| until.saturating_sub(self.keeper.now()));
        self.keeper.locked(lock, left);
    }

    /// Runs `what` with the lockouts, and has its changes stored.
    fn with_lockouts<T>(&self, what: impl FnOnce(&mut Lockouts, Duration) -> T) -> T {
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
    fn charged<H: ServiceChannel, T>(
        &self,
        host: &mut H,
        mut charge: impl FnMut(&mut Lockouts, Duration) -> Result<T, ChargeError>,
    ) -> Result<T, AttemptError> {
        let until = Instant::now() + K::SETTLE_TIMEOUT;
        loop {
            match self.with_lockouts(&mut charge) {
                Ok(charged) => return Ok(charged),
                Err(ChargeError::Locked(lock)) => {
                    self.leave(lock);
                    return Err(AttemptError::Locked);
                }
                Err(ChargeError::Busy) if Instant::now() >= until => {
                    self.keeper.notice(&Notice::Busy(&self.name));
                    return Err(AttemptError::Busy);
                }
                Err(ChargeError::Busy) if !host.listen(POLL_INTERVAL_MS) => {
                    return Err(AttemptError::Gone)
                }
                Err(ChargeError::Busy) => {}
            }
        }
    }
}

/// An entry that is being verified, charged to its caller and PIN set.
///
/// It ends in one of two ways: [`Self::settle`] gives the result, or it is
/// dropped (a hang-up, a panic) and counts as wrong. Once it has been compared
/// with a credential, only a right PIN refunds it.
pub struct Ticket<'a, K: LockoutContext> {
    counter: &'a Counter<K>,
    counted: bool,
    /// `None` if it is not counted, or settled.
    charge: Option<Charge>,
    compared: bool,
    /// How many entries of the call were charged before.
    tries: u32,
    /// The lock of one of its accounts: it is verified for the others.
    locked: Option<Lock>,
}

impl<'a, K: LockoutContext> Ticket<'a, K> {
    /// An entry of a call with `tries` charged entries before it. Without a charge, it
    /// is not counted.
    fn new(counter: &'a Counter<K>, charge: Option<Charge>, tries: u32) -> Self {
        Self {
            counter,
            counted: charge.is_some(),
            charge,
            compared: false,
            tries,
            locked: None,
        }
    }

    /// Notes that the entry is compared with a credential from now on, or waits
    /// in the queue for that. To be called before the first comparison.
    pub fn compare(&mut self) {
        self.compared = true;
    }

    /// Charges the entry to these accounts as well, before it is compared with a
    /// secret of theirs. Returns for each whether it may be: locked accounts are
    /// left out. While others in flight may fill a limit, nothing of the entry
    /// is in flight: it waits, and is then charged again.
    ///
    /// # Errors
    ///
    /// The entry is not to be verified: all of them are locked.
    pub fn accounts<H: ServiceChannel>(
        &mut self,
        host: &mut H,
        accounts: &[Account<'_>],
    ) -> Result<Vec<bool>, AttemptError> {
        if !self.counted {
            return Ok(vec![true; accounts.len()]);
        }
        let Self { counter, tries, .. } = *self;
        let held = &mut self.charge;
        let locks = counter.charged(host, |lockouts, now| {
            let mut charge = match held.take() {
                Some(charge) => charge,
                None => lockouts.charge(&counter.subject(), tries, now)?,
            };
            match charge_accounts(lockouts, &mut charge, accounts, now) {
                Ok(locks) => {
                    *held = Some(charge);
                    Ok(locks)
                }
                Err(refused) => {
                    lockouts.settle(charge, AttemptResult::Void, now);
                    Err(refused)
                }
            }
        })?;
        self.locked = locks.iter().flatten().next().copied();
        Ok(locks.iter().map(Option::is_none).collect())
    }

    /// Takes the entry out of flight as one step of several. It counts as wrong
    /// once the [`Debt`] is dropped, unless that is forgiven first. The try goes
    /// on with the next step.
    pub fn owe(mut self) -> Debt<'a, K> {
        let (counter, owed) = (self.counter, self.charge.is_some());
        self.end(AttemptResult::Void);
        counter.tries.set(counter.tries.get().saturating_sub(1));
        Debt { counter, owed }
    }

    /// Settles the entry; returns whether that locks the caller out.
    /// [`AttemptResult::Void`] refunds an entry that was compared with nothing; any other
    /// counts as wrong.
    pub fn settle(mut self, verified: AttemptResult<'_>) -> bool {
        self.end(match verified {
            AttemptResult::Void if self.compared => AttemptResult::Wrong,
            verified => verified,
        })
    }

    fn end(&mut self, verified: AttemptResult<'_>) -> bool {
        let Some(charge) = self.charge.take() else {
            return false;
        };
        let over_budget = charge.is_over_budget();
        let counter = self.counter;
        let settle = |lockouts: &mut Lockouts, now| lockouts.settle(charge, verified, now);
        let begins = counter.with_lockouts(settle);
        if let Some(notice) = begins.and_then(|lock| Notice::of(&counter.name, lock, over_budget)) {
            counter.keeper.notice(&notice);
        }
        if let Some(lock) = begins {
            counter.leave(lock);
        }
        begins.is_some()
    }
}

impl<K: LockoutContext> Drop for Ticket<'_, K> {
    fn drop(&mut self) {
        self.end(AttemptResult::Wrong);
    }
}

/// An entry that was one step of several and is not in flight any more. Dropped,
/// it counts as wrong, whatever else is in flight or locked by then.
pub struct Debt<'a, K: LockoutContext> {
    counter: &'a Counter<K>,
    owed: bool,
}

impl<K: LockoutContext> Debt<'_, K> {
    /// The last step has admitted the caller: it does not count.
    pub fn forgive(mut self) {
        self.owed = false;
    }
}

impl<K: LockoutContext> Drop for Debt<'_, K> {
    fn drop(&mut self) {
        if !self.owed {
            return;
        }
        let counter = self.counter;
        let charge =
            counter.with_lockouts(|lockouts, now| lockouts.charge_owed(&counter.subject(), now));
        Ticket::new(counter, Some(charge), 0).settle(AttemptResult::Wrong);
    }
}

/// Charges an entry to accounts. Returns the lock of each that is locked, unless
/// all are.
fn charge_accounts(
    lockouts: &mut Lockouts,
    charge: &mut Charge,
    accounts: &[Account<'_>],
    now: Duration,
) -> Result<Vec<Option<Lock>>, ChargeError> {
    let mut locks = Vec::with_capacity(accounts.len());
    for account in accounts {
        match lockouts.charge_account(charge, *account, now) {
            Ok(()) => locks.push(None),
            Err(ChargeError::Locked(lock)) => locks.push(Some(lock)),
            Err(ChargeError::Busy) => return Err(ChargeError::Busy),
        }
    }
    let all_locked = locks.iter().all(Option::is_some);
    match locks.first() {
        Some(Some(lock)) if all_locked => Err(ChargeError::Locked(*lock)),
        _ => Ok(locks),
    }
}
